//! The only interface to libnix: opens it, and provides the store and evaluators.
//!
//! No file outside this module uses types of `nix_bindings_*` or calls `nix_ffi`, except for what
//! this file re-exports.

mod evaluator;
mod open_store;
mod settings;
mod store;
mod thread;

use anyhow::{Context as _, Result};
use nix_bindings_expr::eval_state::init;

use crate::error::LibnixError;
use open_store::open_store;
use thread::on_evaluation_thread;

pub use evaluator::{Argument, Evaluator, Expression, ExternalValue, Outputs, Value};
pub use open_store::daemon_hint;
pub use settings::{Settings, libnix_version, setting, system};
pub use store::Store;
pub use thread::{evaluation_stack, interruptible};

pub use nix_ffi::{
    Activity, BuildResult, Event, ExpectedKind, ForkError, Forked, Locked, LockedFlake, NixError,
    Position, Progress, StorePath, fork, fork_child, interrupt, print_to, start_git, touch_ahead,
};
pub use nix_types::Missing;

/// An open libnix.
pub struct Libnix {
    pub store: Store,
    settings: Settings,
}

impl Libnix {
    /// Opens libnix. Must be called on the main thread, while no other thread uses libnix. `sink`
    /// receives all events of libnix, from any thread, and must not block.
    pub fn open(settings: Settings, sink: impl Fn(Event) + Send + Sync + 'static) -> Result<Self> {
        Self::open_in_turn(settings, || Ok(()), sink)
    }

    /// Opens libnix like [`Self::open`]. Calls `turn` immediately before it opens the store. `turn`
    /// waits until no other process of this command is opening the store.
    pub fn open_in_turn(
        settings: Settings,
        turn: impl FnOnce() -> Result<()>,
        sink: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self> {
        let versions = nix_ffi::versions();
        if !versions.agree() {
            return Err(LibnixError::OtherVersion {
                compiled: versions.compiled.into(),
                loaded: versions.running.into(),
            }
            .into());
        }
        nix_ffi::init_process().context("cannot prepare the process for libnix")?;
        init().context("cannot open libnix")?;
        nix_ffi::install_logger(sink).context("cannot install the logger")?;
        settings.apply()?;
        turn()?;
        Ok(Self {
            store: open_store(settings.store.as_deref())?,
            settings,
        })
    }

    /// Returns all Nix settings that an evaluator with these settings would use: names and values.
    pub fn settings_in_force(&self, settings: &Settings) -> Result<Vec<(String, String)>> {
        let builder = settings.builder(&self.store)?;
        builder
            .list_settings()
            .context("cannot list the Nix settings")
    }

    /// Opens an evaluator on the current thread, for a process without other threads. The caller
    /// must provide enough stack.
    pub fn evaluator_here(&self) -> Result<Evaluator> {
        Evaluator::open(&self.store, &self.settings)
    }

    /// Runs `work` with an evaluator, on a thread that has enough stack and is known to the garbage
    /// collector.
    pub fn with_evaluator<T: Send>(
        &self,
        work: impl FnOnce(&Evaluator) -> Result<T> + Send,
    ) -> Result<T> {
        on_evaluation_thread(|| work(&Evaluator::open(&self.store, &self.settings)?))
    }
}

/// Makes evaluation compute derivations without writing them to the store. Must be called before
/// libnix is opened.
pub fn compute_only() {
    nix_ffi::set_read_only();
}
