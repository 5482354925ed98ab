#include "border.hh"

#include <unistd.h>

#include <new>
#include <sstream>
#include <vector>

namespace nix_ffi {

/**
 * A logger that forwards events to Rust. It never throws, has no mutable state, and is never destroyed, although
 * Nix 2.27 to 2.34 try to destroy it at exit.
 */
class ForwardingLogger final : public nix::Logger
{
    const nix_ffi_logger to;
    /** The process that created the logger. A builder starts as a fork of this process, and must not log to Rust. */
    const pid_t owner = getpid();

    /** Returns views of the fields, which are valid for one call. */
    static std::vector<nix_ffi_field> views(const Fields & fields)
    {
        std::vector<nix_ffi_field> out;
        out.reserve(fields.size());
        for (auto & field : fields)
            out.push_back({field.type == Field::tString, field.i, view(field.s)});
        return out;
    }

    template<class F>
    void forward(F && body) const noexcept
    {
        if (getpid() != owner)
            return;
        try {
            body();
        } catch (...) {
            // Memory has probably run out, so this error cannot be reported either.
        }
    }

public:
    explicit ForwardingLogger(const nix_ffi_logger & to)
        : to(to)
    {
    }

    /** Deletion does nothing, because late threads of libnix may still use the logger. */
    static void operator delete(ForwardingLogger *, std::destroying_delete_t) {}

    using Logger::log;
    using Logger::logEI;

    void log(nix::Verbosity level, std::string_view text) noexcept override
    {
        if (level <= nix::verbosity)
            forward([&] { to.message(to.user, level, view(text)); });
    }

    void logEI(const nix::ErrorInfo & info) noexcept override
    {
        forward([&] {
            std::ostringstream rendered;
            nix::showErrorInfo(rendered, info, nix::loggerSettings.showTrace.get());
            read_error(info, "", rendered.str(), to.error, to.user);
        });
    }

    void warn(const std::string & text) noexcept override
    {
        log(nix::lvlWarn, text);
    }

    void startActivity(
        nix::ActivityId activity,
        nix::Verbosity level,
        nix::ActivityType type,
        const std::string & text,
        const Fields & fields,
        nix::ActivityId parent) noexcept override
    {
        forward([&] {
            auto f = views(fields);
            to.start(to.user, activity, level, type, view(text), f.data(), f.size(), parent);
        });
    }

    void stopActivity(nix::ActivityId activity) noexcept override
    {
        forward([&] { to.stop(to.user, activity); });
    }

    void result(nix::ActivityId activity, nix::ResultType type, const Fields & fields) noexcept override
    {
        forward([&] {
            auto f = views(fields);
            to.result(to.user, activity, type, f.data(), f.size());
        });
    }
};

} // namespace nix_ffi

using namespace nix_ffi;

extern "C" void nix_ffi_logger_install(nix_c_context * context, const nix_ffi_logger * logger) noexcept
{
    guarded(context, [&] { install_logger(nix::logger, new ForwardingLogger(*logger)); });
}

extern "C" void nix_ffi_verbosity_set(int level) noexcept
{
    nix::verbosity = static_cast<nix::Verbosity>(level);
}
