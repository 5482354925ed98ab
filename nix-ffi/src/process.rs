//! The process as a whole: what libnix needs of it, interrupts, versions.

use std::ffi::CStr;

use crate::context::{Context, NixError};
use crate::sys;

/// Makes this process one that libnix can work in: umask, signals, open files.
///
/// Call it on the main thread, before any other thread exists and before a store is opened.
pub fn init_process() -> Result<(), NixError> {
    // SAFETY: the context is live for the call.
    Context::call(|context| unsafe { sys::nix_ffi_process_init(context) })
}

/// Makes every thread that is inside libnix stop at its next check, with an error whose `interrupted` is set.
///
/// An evaluation checks rarely (files, store) and a hot loop never; up to Nix 2.32 a thread notices once in its life.
/// After an interrupt the evaluator is not to be used again.
pub fn interrupt() -> Result<(), NixError> {
    // SAFETY: the context is live; not called from signal handlers, as it locks: a closure cannot be one.
    Context::call(|context| unsafe { sys::nix_ffi_interrupt(context) })
}

/// Whether an interrupt is pending.
#[must_use]
pub fn interrupted() -> bool {
    // SAFETY: reads an atomic.
    unsafe { sys::nix_ffi_interrupted() }
}

/// Forgets an interrupt.
pub fn reset_interrupt() {
    // SAFETY: writes an atomic.
    unsafe { sys::nix_ffi_interrupt_reset() }
}

/// The libnix that we were compiled against and the one that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// As pkg-config said when the shim was compiled.
    pub compiled: &'static str,
    /// As the loaded library says.
    pub running: &'static str,
}

impl Versions {
    /// Whether they are the same. Nix promises no ABI: any difference, even in the last number, can crash.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.compiled == self.running
    }
}

/// Tells which libnix this is.
#[must_use]
pub fn versions() -> Versions {
    // SAFETY: returns a static, terminated string.
    let compiled = unsafe { sys::nix_ffi_compiled_version() };
    // SAFETY: as above.
    let running = unsafe { sys::nix_version_get() };
    Versions {
        // SAFETY: static and terminated, see above.
        compiled: unsafe { CStr::from_ptr(compiled) }
            .to_str()
            .unwrap_or("unknown"),
        // SAFETY: static and terminated, see above.
        running: unsafe { CStr::from_ptr(running) }
            .to_str()
            .unwrap_or("unknown"),
    }
}
