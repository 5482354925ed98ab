#pragma once
/**
 * @file
 * The border between C and C++: exceptions are stored in the error context, and strings are passed as views.
 */

#include "compat.hh"

#include <deque>
#include <optional>

namespace nix_ffi {

/**
 * Stores the current exception in `context`. `nix_context_error` is not suitable: it leaks the name of the class, and
 * does not report `nix::Interrupted`. It also renders the message inside `what()`, which is noexcept and reads source
 * files, so an interrupt there would end the process.
 */
void keep_error(nix_c_context & context) noexcept;

/** Removes an error from `context`. The C API resets only the code, and leaves the rest of an earlier error. */
void clear_error(nix_c_context & context) noexcept;

/** Calls `body`; on any exception, stores it in `context` and returns `otherwise`. */
template<class R, class F>
R guarded(nix_c_context * context, R otherwise, F && body) noexcept
{
    clear_error(*context);
    try {
        return body();
    } catch (...) {
        keep_error(*context);
    }
    return otherwise;
}

/** Calls a `body` that has no result; stores any exception in `context`. */
template<class F>
void guarded(nix_c_context * context, F && body) noexcept
{
    guarded(context, 0, [&] {
        body();
        return 0;
    });
}

/**
 * A guard that lets an interrupt wake this thread from a blocking call. Unlike `nix::ReceiveInterrupts` alone, its
 * destructor waits for a running `nix_ffi_interrupt`: `triggerInterrupt` calls copies of the callbacks, which refer to
 * this guard.
 */
class Interruptible
{
    std::optional<nix::ReceiveInterrupts> receive;

public:
    Interruptible();
    ~Interruptible();
    Interruptible(const Interruptible &) = delete;
    Interruptible & operator=(const Interruptible &) = delete;
};

inline nix_ffi_str view(std::string_view text)
{
    return {text.data(), text.size()};
}

/** The strings to which an array of views refers. A deque stores them, because it does not move its elements. */
class Texts
{
    std::deque<std::string> texts;

public:
    nix_ffi_str keep(std::string text)
    {
        return view(texts.emplace_back(std::move(text)));
    }
};

/** Passes an error to `callback`. */
void read_error(
    const nix::ErrorInfo & info,
    std::string_view className,
    std::string_view rendered,
    nix_ffi_error_callback callback,
    void * user);

} // namespace nix_ffi
