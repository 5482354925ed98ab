//! Ctrl-C. Until activation starts it stops the run, which then has changed nothing; from then on it only lets go.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Failure;

/// How long the run has to end by itself after an interrupt, before the process simply ends.
const GRACE: Duration = Duration::from_millis(900);

type Action = Box<dyn Fn() + Send>;
type AtExit = Box<dyn Fn(Exit) + Send>;

/// Why the process ends in the middle of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The run was stopped before it changed anything.
    Interrupted,
    /// The activation goes on without us.
    Detached,
}

/// The run's interrupts.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Inner>);

#[derive(Default)]
struct Inner {
    interrupted: AtomicBool,
    detached: AtomicBool,
    settled: AtomicBool,
    next: AtomicU64,
    actions: Mutex<Vec<(u64, Action)>>,
    /// What must happen before the process ends in the middle: the terminal is put in order, the result printed.
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
    pub fn on_interrupt(&self, action: impl Fn() + Send + 'static) -> Guard {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.actions).push((id, Box::new(action)));
        if self.0.interrupted.load(Ordering::SeqCst) {
            // It came before anybody was there to hear it.
            self.0.act(id);
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

    /// The run has ended, and whatever there is to say is being said: an interrupt no longer ends the process.
    pub fn settle(&self) {
        self.0.settled.store(true, Ordering::SeqCst);
    }

    /// From now on an interrupt only ends this process: what goes on does so without it.
    pub fn detach(&self) {
        self.0.detached.store(true, Ordering::SeqCst);
    }

    /// An error, if there was an interrupt.
    pub fn check(&self) -> Result<()> {
        if self.0.interrupted.load(Ordering::SeqCst) {
            return Err(Failure::Interrupted
                .error("interrupted; nothing was changed")
                .into());
        }
        Ok(())
    }
}

impl Inner {
    fn signalled(self: &Arc<Self>) {
        if self.settled.load(Ordering::SeqCst) {
            return;
        }
        if self.detached.load(Ordering::SeqCst) {
            return self.exit(Exit::Detached);
        }
        if self.interrupted.swap(true, Ordering::SeqCst) {
            // The second time it is meant.
            return self.exit(Exit::Interrupted);
        }
        let inner = self.clone();
        std::thread::spawn(move || {
            std::thread::sleep(GRACE);
            inner.exit(Exit::Interrupted);
        });
        let inner = self.clone();
        std::thread::spawn(move || {
            let ids: Vec<u64> = lock(&inner.actions).iter().map(|(id, _)| *id).collect();
            ids.into_iter().for_each(|id| inner.act(id));
        });
    }

    fn act(&self, id: u64) {
        if let Some((_, action)) = lock(&self.actions).iter().find(|(other, _)| *other == id) {
            action();
        }
    }

    fn exit(&self, why: Exit) {
        if self.settled.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(at_exit) = &*lock(&self.at_exit) {
            at_exit(why);
        }
        std::process::exit(i32::from(Failure::Interrupted.code()));
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
