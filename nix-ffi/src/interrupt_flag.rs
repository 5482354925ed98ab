//! The flag of a pending interrupt, which libnix keeps for the process.

use crate::sys;

/// Returns whether an interrupt is pending.
#[doc(alias = "nix::getInterrupted")]
#[must_use]
pub fn interrupted() -> bool {
    // SAFETY: takes no arguments, and only reads the atomic flag of interrupts.
    unsafe { sys::nix_ffi_interrupted() }
}

/// Clears a pending interrupt.
#[doc(alias = "nix::setInterrupted")]
pub fn reset_interrupt() {
    // SAFETY: takes no arguments, and only clears the atomic flag of interrupts.
    unsafe { sys::nix_ffi_interrupt_reset() }
}
