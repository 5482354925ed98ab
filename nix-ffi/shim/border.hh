#pragma once
/**
 * @file
 * The border between C and C++: whatever is thrown ends in the error context; text goes out as views.
 */

#include "compat.hh"

#include <deque>
#include <optional>

namespace nix_ffi {

/**
 * Keeps the exception that is being handled in `context`. `nix_context_error` would do for most, but not for us: it leaks
 * the name of the class, tells nothing of `nix::Interrupted`, and renders inside `what()`, which is noexcept and reads
 * source files: an interrupt that is noticed there ends the process.
 */
void keep_error(nix_c_context & context) noexcept;

/** Calls `body`; an exception of any kind is kept in `context`, and `otherwise` returned. */
template<class R, class F>
R guarded(nix_c_context * context, R otherwise, F && body) noexcept
{
    // The C API leaves what an earlier error had set beside the code.
    context->last_err_code = NIX_OK;
    context->last_err.reset();
    context->info.reset();
    context->name.clear();
    try {
        return body();
    } catch (...) {
        keep_error(*context);
    }
    return otherwise;
}

/** As above, for what returns nothing. */
template<class F>
void guarded(nix_c_context * context, F && body) noexcept
{
    guarded(context, 0, [&] {
        body();
        return 0;
    });
}

/**
 * While it lives, an interrupt wakes this thread out of a blocking call. Unlike `nix::ReceiveInterrupts` alone it does not
 * go while `nix_ffi_interrupt` still looks at it (`triggerInterrupt` calls copies of the callbacks, which refer to it).
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

/** Texts that must outlive the array of views onto them: a deque does not move what it holds. */
class Texts
{
    std::deque<std::string> texts;

public:
    nix_ffi_str keep(std::string text)
    {
        return view(texts.emplace_back(std::move(text)));
    }
};

/** An error, told to `callback`. */
void read_error(
    const nix::ErrorInfo & info,
    std::string_view className,
    std::string_view rendered,
    nix_ffi_error_callback callback,
    void * user);

} // namespace nix_ffi
