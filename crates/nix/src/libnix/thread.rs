//! Runs work that uses libnix: on a thread with enough stack for evaluation, or on the current thread
//! until an interrupt.

use anyhow::{Context as _, Result, anyhow};

use crate::interrupt::Interrupts;

/// Stack size for evaluation. libnix recurses deeply, and the `nix` command uses the same size
/// (NixOS/nix, `src/nix/main.cc`).
const EVALUATION_STACK: usize = 64 << 20;

/// Returns the stack size that evaluation needs, in bytes.
pub fn evaluation_stack() -> u64 {
    EVALUATION_STACK as u64
}

/// Runs `work` on a thread that has enough stack for evaluation.
pub(super) fn on_evaluation_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("evaluation".into())
            .stack_size(EVALUATION_STACK)
            .spawn_scoped(scope, work)
            .context("cannot start the evaluation thread")?;
        thread
            .join()
            .unwrap_or_else(|_| Err(anyhow!("the evaluation thread panicked")))
    })
}

/// Runs libnix work in this process. An interrupt ends the work.
pub fn interruptible<T>(interrupts: &Interrupts, work: impl FnOnce() -> T) -> Result<T> {
    let guard = interrupts.on_interrupt(|| {
        // If libnix cannot be interrupted, wait until the work ends.
        let _ = nix_ffi::interrupt();
    });
    let done = work();
    drop(guard);
    interrupts.check()?;
    Ok(done)
}
