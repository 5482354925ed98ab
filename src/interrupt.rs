//! Ctrl-C. Until activation starts it stops the run, which then has changed nothing; from then on it only lets go.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;

use crate::error::{Failed, Failure};

/// How long the run has to end by itself after an interrupt, before the process simply ends.
const GRACE: Duration = Duration::from_millis(900);

type Action = Arc<dyn Fn() + Send + Sync>;
type AtExit = Box<dyn Fn(Exit) + Send>;

/// Why the process ends in the middle of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The run was stopped before it changed anything.
    Interrupted,
    /// The activation goes on without us.
    Detached,
}

/// How far the run is. It only ever moves by one of these steps, each taken by one thread alone:
/// running → interrupted → exiting, running → detached → exiting, and running, interrupted or detached → settled.
mod stage {
    pub(super) const RUNNING: u8 = 0;
    pub(super) const INTERRUPTED: u8 = 1;
    pub(super) const DETACHED: u8 = 2;
    /// The result is being said; nothing else may be.
    pub(super) const SETTLED: u8 = 3;
    /// The signal's thread says its last words and ends the process.
    pub(super) const EXITING: u8 = 4;
}

/// The run's interrupts.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stage: AtomicU8,
    next: AtomicU64,
    actions: Mutex<Vec<(u64, Action)>>,
    /// Milliseconds that the run has to end by itself, where [`GRACE`] is not enough.
    patience: AtomicU64,
    /// What must happen before the process ends in the middle: the terminal is put in order, the result is printed.
    at_exit: Mutex<Option<AtExit>>,
}

impl Interrupts {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on.
    pub fn listen() -> Result<Self> {
        let interrupts = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listen for signals")?;
        let inner = interrupts.0.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for _ in &mut signals {
                    inner.signalled();
                }
            })
            .context("start the signal thread")?;
        Ok(interrupts)
    }

    /// Does `action` on an interrupt, on a thread of its own, until the guard is dropped.
    pub fn on_interrupt(&self, action: impl Fn() + Send + Sync + 'static) -> Guard {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let action: Action = Arc::new(action);
        lock(&self.0.actions).push((id, action.clone()));
        if self.0.is(stage::INTERRUPTED) {
            // It came before anybody was there to hear it.
            action();
        }
        Guard {
            inner: self.0.clone(),
            id,
        }
    }

    /// What to do before the process ends in the middle of something.
    pub fn at_exit(&self, action: impl Fn(Exit) + Send + 'static) {
        *lock(&self.0.at_exit) = Some(Box::new(action));
    }

    /// From now on the run has this long to end by itself: there is something that it must do first. A second interrupt
    /// still ends it at once.
    pub fn be_patient(&self, patience: Duration) {
        let milliseconds = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.0.patience.store(milliseconds, Ordering::SeqCst);
    }

    /// From now on an interrupt only ends this process: what goes on does so without it. An error if there was one already.
    pub fn detach(&self) -> Result<()> {
        if self.0.advance(stage::RUNNING, stage::DETACHED) {
            return Ok(());
        }
        Err(interrupted().into())
    }

    /// The run has ended, and whatever there is to say is being said: an interrupt only ends the process.
    pub fn settle(&self) {
        for from in [stage::RUNNING, stage::INTERRUPTED, stage::DETACHED] {
            if self.0.advance(from, stage::SETTLED) {
                return;
            }
        }
        while self.0.is(stage::EXITING) {
            // Another thread is saying the last words; ours would be one too many.
            std::thread::park();
        }
    }

    /// An error, if there was an interrupt.
    pub fn check(&self) -> Result<()> {
        if self.0.is(stage::INTERRUPTED) {
            return Err(interrupted().into());
        }
        Ok(())
    }
}

/// What an interrupt before activation amounts to.
pub fn interrupted() -> Failed {
    Failure::Interrupted.error("interrupted; nothing was changed")
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
                let patience = Duration::from_millis(inner.patience.load(Ordering::SeqCst));
                std::thread::sleep(GRACE.max(patience));
                inner.exit(stage::INTERRUPTED, Exit::Interrupted);
            });
            let actions: Vec<Action> = lock(&self.actions)
                .iter()
                .map(|(_, action)| action.clone())
                .collect();
            std::thread::spawn(move || actions.iter().for_each(|action| action()));
        } else if self.is(stage::INTERRUPTED) {
            // The second time it is meant.
            self.exit(stage::INTERRUPTED, Exit::Interrupted);
        } else if self.is(stage::DETACHED) {
            self.exit(stage::DETACHED, Exit::Detached);
        } else if self.is(stage::SETTLED) {
            // The result is on its way to a reader that does not read.
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
        // Not the exit that runs C++ destructors: threads of libnix may be at work.
        exit(i32::from(Failure::Interrupted.code()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that is guarded here is left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets an action when dropped.
pub struct Guard {
    inner: Arc<Inner>,
    id: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.inner.actions).retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn an_interrupt_before_the_activation_forbids_it() {
        let interrupts = Interrupts::default();
        assert!(interrupts.0.advance(stage::RUNNING, stage::INTERRUPTED));
        assert!(interrupts.detach().is_err());
        assert!(interrupts.check().is_err());
    }

    #[test]
    fn what_detached_is_not_called_interrupted() {
        let interrupts = Interrupts::default();
        interrupts.detach().expect("nothing came before");
        assert!(!interrupts.0.advance(stage::INTERRUPTED, stage::EXITING));
        interrupts.check().expect("it goes on");
    }

    #[test]
    fn an_action_that_comes_late_is_done_at_once() {
        let interrupts = Interrupts::default();
        interrupts.0.advance(stage::RUNNING, stage::INTERRUPTED);
        let done = Arc::new(AtomicBool::new(false));
        let flag = done.clone();
        let _guard = interrupts.on_interrupt(move || flag.store(true, Ordering::SeqCst));
        assert!(done.load(Ordering::SeqCst));
    }
}
