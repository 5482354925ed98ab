#include "border.hh"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <typeinfo>
#include <vector>

namespace nix_ffi {

static std::string class_name(const std::exception & error)
{
    const char * mangled = typeid(error).name();
    std::unique_ptr<char, decltype(&std::free)> plain(
        abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr), &std::free);
    return plain ? plain.get() : mangled;
}

static void keep(nix_c_context & context, const nix::BaseError & error)
{
    // `info()` renders the text, so that `what()`, which is noexcept, only returns the cached text.
    context.info = error.info();
    context.last_err = error.what();
    context.name = class_name(error);
    context.last_err_code = NIX_ERR_NIX_ERROR;
}

void keep_error(nix_c_context & context) noexcept
{
    // The code of all exceptions except Nix's own, which set another code below.
    context.last_err_code = NIX_ERR_UNKNOWN;
    try {
        try {
            throw;
        } catch (const nix::BaseError & error) {
            try {
                keep(context, error);
            } catch (const nix::BaseError & later) {
                // An interrupt came while the source was read for the excerpt, so report the interrupt.
                keep(context, later);
            }
        } catch (const std::exception & error) {
            context.last_err = error.what();
            context.name = class_name(error);
        } catch (...) {
            context.last_err = "an exception that is not a std::exception was thrown";
        }
    } catch (...) {
        // Storing the error failed, probably because memory ran out. The code remains.
    }
}

void clear_error(nix_c_context & context) noexcept
{
    context.last_err_code = NIX_OK;
    context.last_err.reset();
    context.info.reset();
    context.name.clear();
}

static std::string plain(const std::string & text)
{
    return nix::filterANSIEscapes(text, true);
}

static nix_ffi_position position(Texts & texts, const nix::Pos * pos)
{
    if (!pos || pos->line == 0)
        return {view(""), 0, 0};
    auto * path = std::get_if<nix::SourcePath>(&pos->origin);
    return {path ? texts.keep(path->to_string()) : view(""), pos->line, pos->column};
}

void read_error(
    const nix::ErrorInfo & info,
    std::string_view className,
    std::string_view rendered,
    nix_ffi_error_callback callback,
    void * user)
{
    Texts texts;
    std::vector<nix_ffi_trace> traces;
    for (auto & trace : info.traces)
        traces.push_back({texts.keep(plain(trace.hint.str())), position(texts, trace.pos.get())});
    nix_ffi_error_view error{
        .class_name = view(className),
        .message = texts.keep(plain(info.msg.str())),
        .rendered = texts.keep(plain(std::string(rendered))),
        .position = position(texts, info.pos.get()),
        .traces = traces.data(),
        .trace_count = traces.size(),
        .level = info.level,
    };
    callback(user, &error);
}

} // namespace nix_ffi

using namespace nix_ffi;

extern "C" void nix_ffi_error_take(nix_c_context * context, nix_ffi_error_callback callback, void * user) noexcept
{
    if (context->last_err_code == NIX_OK)
        return;
    try {
        auto rendered = context->last_err.value_or("");
        if (context->last_err_code == NIX_ERR_NIX_ERROR && context->info)
            read_error(*context->info, context->name, rendered, callback, user);
        else
            read_error(nix::Error("%s", rendered).info(), context->name, rendered, callback, user);
    } catch (...) {
        // Even reading the error failed, probably because memory ran out: report that without allocating.
        nix_ffi_error_view error{};
        error.message = error.rendered = view("an error could not be reported because memory ran out");
        error.class_name = view("");
        error.position.file = view("");
        callback(user, &error);
    }
    clear_error(*context);
}
