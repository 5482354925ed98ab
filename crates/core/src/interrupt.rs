//! Handles interrupts: SIGINT (Ctrl-C), SIGTERM and SIGHUP. Before the activation, an interrupt
//! stops the run without changing anything. Once the activation has begun, an interrupt only
//! detaches this process.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;

use crate::error::{Failed, Failure, TransactionError};

/// The time that the run may take to end after an interrupt. After this time, the process exits.
const GRACE: Duration = Duration::from_millis(900);

type InterruptAction = Arc<dyn Fn() + Send + Sync>;
type AtExit = Box<dyn Fn(Exit) + Send>;

/// The reason why a run exits early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The run was stopped before it changed anything.
    Interrupted,
    /// The activation continues in the background.
    Detached,
}

/// The stage of a run. Exactly one thread makes each transition. The possible transitions are:
/// running → interrupted → exiting; running → detached → exiting; running, interrupted or detached
/// → settled.
mod stage {
    pub(super) const RUNNING: u8 = 0;
    pub(super) const INTERRUPTED: u8 = 1;
    pub(super) const DETACHED: u8 = 2;
    /// The result is being printed. Nothing else may be printed.
    pub(super) const SETTLED: u8 = 3;
    /// The signal thread prints a final message and exits the process.
    pub(super) const EXITING: u8 = 4;
}

/// The interrupt state of a run.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stage: AtomicU8,
    next: AtomicU64,
    actions: Mutex<Vec<(u64, InterruptAction)>>,
    /// The time in milliseconds that the run may take to end, if it needs more than [`GRACE`].
    limit: AtomicU64,
    /// The action that restores the terminal and prints a message before an early exit.
    at_exit: Mutex<Option<AtExit>>,
}

impl Interrupts {
    /// Installs the handler of SIGINT, SIGTERM and SIGHUP.
    pub fn listen() -> Result<Self> {
        let interrupts = Self::default();
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot handle signals")?;
        let inner = interrupts.0.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for _ in &mut signals {
                    inner.signalled();
                }
            })
            .context("cannot start the signal thread")?;
        Ok(interrupts)
    }

    /// Registers an action that a separate thread runs when an interrupt occurs. If an interrupt
    /// has already occurred, runs the action immediately. Dropping the returned guard unregisters
    /// the action.
    pub fn on_interrupt(&self, action: impl Fn() + Send + Sync + 'static) -> ActionGuard {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let action: InterruptAction = Arc::new(action);
        lock(&self.0.actions).push((id, action.clone()));
        if self.0.is(stage::INTERRUPTED) {
            // The interrupt came before this action was registered, so run it now.
            action();
        }
        ActionGuard {
            inner: self.0.clone(),
            id,
        }
    }

    /// Sets the action that is run before an early exit.
    pub fn at_exit(&self, action: impl Fn(Exit) + Send + 'static) {
        *lock(&self.0.at_exit) = Some(Box::new(action));
    }

    /// Extends the time that the run may take to end after an interrupt, for work that must be
    /// finished. A second interrupt still exits immediately.
    pub fn extend_deadline(&self, limit: Duration) {
        let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.0.limit.store(milliseconds, Ordering::SeqCst);
    }

    /// Detaches the run: from now on, an interrupt only exits this process, and the activation
    /// continues without it. Fails if an interrupt has already happened.
    pub fn detach(&self) -> Result<()> {
        if self.0.advance(stage::RUNNING, stage::DETACHED) {
            return Ok(());
        }
        Err(interrupted().into())
    }

    /// Marks the run as finished, so that its result can be printed. From now on, an interrupt only
    /// exits the process.
    pub fn settle(&self) {
        for from in [stage::RUNNING, stage::INTERRUPTED, stage::DETACHED] {
            if self.0.advance(from, stage::SETTLED) {
                return;
            }
        }
        while self.0.is(stage::EXITING) {
            // The signal thread prints the final message, so this thread must not print anything.
            std::thread::park();
        }
    }

    /// Fails if an interrupt has happened.
    pub fn check(&self) -> Result<()> {
        if self.0.is(stage::INTERRUPTED) {
            return Err(interrupted().into());
        }
        Ok(())
    }
}

/// Returns the error for an interrupt before the activation.
pub fn interrupted() -> Failed {
    TransactionError::Interrupted.into()
}

impl Inner {
    fn is(&self, stage: u8) -> bool {
        self.stage.load(Ordering::SeqCst) == stage
    }

    fn advance(&self, from: u8, to: u8) -> bool {
        self.stage
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    fn signalled(self: &Arc<Self>) {
        let code = i32::from(Failure::Interrupted.code());
        if self.advance(stage::RUNNING, stage::INTERRUPTED) {
            let inner = self.clone();
            std::thread::spawn(move || {
                let limit = Duration::from_millis(inner.limit.load(Ordering::SeqCst));
                std::thread::sleep(GRACE.max(limit));
                inner.exit(stage::INTERRUPTED, Exit::Interrupted);
            });
            let actions: Vec<InterruptAction> = lock(&self.actions)
                .iter()
                .map(|(_, action)| action.clone())
                .collect();
            std::thread::spawn(move || actions.iter().for_each(|action| action()));
        } else if self.is(stage::INTERRUPTED) {
            // A second interrupt exits the process immediately.
            self.exit(stage::INTERRUPTED, Exit::Interrupted);
        } else if self.is(stage::DETACHED) {
            self.exit(stage::DETACHED, Exit::Detached);
        } else if self.is(stage::SETTLED) {
            // The process has not finished writing the result, probably because nothing reads the
            // output. Exit now.
            exit(code);
        }
    }

    fn exit(&self, from: u8, why: Exit) {
        if !self.advance(from, stage::EXITING) {
            return;
        }
        if let Some(at_exit) = &*lock(&self.at_exit) {
            at_exit(why);
        }
        // Do not run C++ destructors, because threads of libnix may still be working.
        exit(i32::from(Failure::Interrupted.code()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Ignore poisoning: a panic cannot leave the data of this mutex inconsistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A guard that unregisters an action when it is dropped.
pub struct ActionGuard {
    inner: Arc<Inner>,
    id: u64,
}

impl Drop for ActionGuard {
    fn drop(&mut self) {
        lock(&self.inner.actions).retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn interrupt_before_activation_prevents_it() {
        let interrupts = Interrupts::default();
        assert!(interrupts.0.advance(stage::RUNNING, stage::INTERRUPTED));
        assert!(interrupts.detach().is_err());
        assert!(interrupts.check().is_err());
    }

    #[test]
    fn detached_run_is_not_interrupted() {
        let interrupts = Interrupts::default();
        interrupts.detach().expect("no earlier interrupt");
        assert!(!interrupts.0.advance(stage::INTERRUPTED, stage::EXITING));
        interrupts.check().expect("not interrupted");
    }

    #[test]
    fn late_action_runs_immediately() {
        let interrupts = Interrupts::default();
        interrupts.0.advance(stage::RUNNING, stage::INTERRUPTED);
        let done = Arc::new(AtomicBool::new(false));
        let flag = done.clone();
        let _guard = interrupts.on_interrupt(move || flag.store(true, Ordering::SeqCst));
        assert!(done.load(Ordering::SeqCst));
    }
}
