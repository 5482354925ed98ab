#pragma once
/**
 * @file
 * The border between C and C++: whatever is thrown ends in the error context; text goes out as views.
 */

#include "compat.hh"

#include <deque>

namespace nix_ffi {

/** Calls `body`; an exception of any kind is kept in `context`, and `otherwise` returned. */
template<class R, class F>
R guarded(nix_c_context * context, R otherwise, F && body) noexcept
{
    context->last_err_code = NIX_OK;
    try {
        return body();
    } catch (const std::exception &) {
        nix_context_error(context);
    } catch (...) {
        // nix_context_error only knows std::exception and what derives from it.
        nix_set_err_msg(context, NIX_ERR_UNKNOWN, "an exception that is no std::exception was thrown");
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
