#include "border.hh"

#include <mutex>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace nix_ffi {

/** Locked while interrupt callbacks run, and while one of our callbacks is removed. */
static std::mutex interrupting;

Interruptible::Interruptible()
{
    receive.emplace();
}

Interruptible::~Interruptible()
{
    std::scoped_lock lock(interrupting);
    receive.reset();
}

} // namespace nix_ffi

using namespace nix_ffi;

extern "C" const char * nix_ffi_compiled_version() noexcept
{
    return NIX_FFI_VERSION;
}

static void set_handler(int signal, void (*handler)(int))
{
    struct sigaction action = {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    // SA_RESTART is not set, so that the signal makes blocking calls return.
    if (sigaction(signal, &action, nullptr))
        throw nix::SysError("cannot set the handler of signal %d", signal);
}

extern "C" void nix_ffi_process_init(nix_c_context * context) noexcept
{
    guarded(context, [] {
        umask(0022);
        set_handler(SIGUSR1, [](int) {});
        // Rust ignores SIGPIPE, which a builder would inherit. A handler has the same effect, and exec resets it.
        set_handler(SIGPIPE, [](int) {});
        set_handler(SIGCHLD, SIG_DFL);
        nix::unix::saveSignalMask();
        struct rlimit files;
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
            files.rlim_cur = files.rlim_max;
            setrlimit(RLIMIT_NOFILE, &files);
        }
    });
}

extern "C" void nix_ffi_interrupt(nix_c_context * context) noexcept
{
    guarded(context, [] {
        std::scoped_lock lock(interrupting);
        nix::unix::triggerInterrupt();
    });
}

extern "C" void nix_ffi_interrupt_reset() noexcept
{
    nix::setInterrupted(false);
}

extern "C" bool nix_ffi_interrupted() noexcept
{
    return nix::getInterrupted();
}
