//! The process: initialisation for libnix, interrupts, versions.

use nix_types::NixError;
use std::ffi::CStr;

use crate::context::PROCESS;
use crate::sys;

/// Prepares this process for libnix: umask, signals, open files.
///
/// Call it on the main thread, before there is any other thread and before a store is opened.
#[doc(alias = "nix::unix::saveSignalMask")]
pub fn init_process() -> Result<(), NixError> {
    // SAFETY: sets signal handlers and limits of the process; the handlers are empty functions of the
    // shim, which is never unloaded.
    PROCESS.call(|context| unsafe { sys::nix_ffi_process_init(context) })
}

/// Makes every thread inside libnix stop at its next check, with an error whose `interrupted` is
/// set.
///
/// Evaluation checks for interrupts rarely, when it reads files or uses the store, and a hot loop
/// never checks. Up to Nix 2.32, a thread notices only one interrupt in its life. Do not use the
/// evaluator again after an interrupt.
///
/// Takes locks, so do not call it in a signal handler.
#[doc(alias = "nix::unix::triggerInterrupt")]
pub fn interrupt() -> Result<(), NixError> {
    // SAFETY: any of our threads may call this. The shim holds a mutex while interrupt callbacks run
    // and while one of our callbacks is removed, so none of them is destroyed while it runs.
    PROCESS.call(|context| unsafe { sys::nix_ffi_interrupt(context) })
}

/// The libnix version that this crate was compiled against, and the loaded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The version from pkg-config when the shim was compiled.
    pub compiled: &'static str,
    /// The version that the loaded library reports.
    pub running: &'static str,
}

impl Versions {
    /// Returns whether the two versions are equal. Nix has no stable ABI, so any difference, even
    /// in the patch number, can cause a crash.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.compiled == self.running
    }
}

/// Returns the libnix versions.
#[doc(alias = "nix_version_get")]
#[must_use]
pub fn versions() -> Versions {
    // SAFETY: takes no arguments, and returns the shim's literal `NIX_FFI_VERSION`.
    let compiled = unsafe { sys::nix_ffi_compiled_version() };
    // SAFETY: takes no arguments, and returns libnix's literal `PACKAGE_VERSION`.
    let running = unsafe { sys::nix_version_get() };
    Versions {
        // SAFETY: `compiled` is a string literal in the shim, which is never unloaded.
        compiled: unsafe { CStr::from_ptr(compiled) }
            .to_str()
            .unwrap_or("unknown"),
        // SAFETY: `running` is a string literal in libnix, which is never unloaded.
        running: unsafe { CStr::from_ptr(running) }
            .to_str()
            .unwrap_or("unknown"),
    }
}
