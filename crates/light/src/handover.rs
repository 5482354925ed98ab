//! Hands a command over to `runtime-module-nix`, the program that evaluates and builds.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use runtime_module_core::command::LibnixCommand;
use runtime_module_core::error::ProgramError;
use runtime_module_core::host::Situation;
use runtime_module_core::pipeline::{Stages, System, SystemStore, known};
use runtime_module_core::plan::{Goal, Intent, Needs, Plan};
use runtime_module_core::programs;
use runtime_module_core::registry::Registered;
use runtime_module_core::session::Session;
use runtime_module_core::store::LocalStore;

/// Replaces this process with `runtime-module-nix`, with the same arguments and environment.
/// Returns only on failure.
pub(super) fn hand_over() -> anyhow::Error {
    let program = match programs::full() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let reason = Command::new(&program)
        .arg0(programs::caller())
        .args(std::env::args_os().skip(1))
        .exec()
        .to_string();
    let program = program.display().to_string();
    ProgramError::OtherProgramNotStarted { program, reason }.into()
}

/// The stages without libnix. They find systems that are already in the store, and hand over
/// everything else.
pub(super) struct Handover<'a>(pub(super) &'a Session);

impl Handover<'_> {
    fn hand_over(&self) -> anyhow::Error {
        self.0.reporter.finish();
        hand_over()
    }
}

impl Stages for Handover<'_> {
    fn prepare(&self, intent: &Intent, needs: &Needs) -> Result<()> {
        let needs_libnix = *needs == Needs::Evaluation
            || intent.options.ask
            || !intent.options.prefetch.is_empty();
        let is_local = LocalStore::of(self.0.options.store.as_deref()).is_ok();
        match is_local && !needs_libnix {
            true => Ok(()),
            false => Err(self.hand_over()),
        }
    }

    fn make(&self, _: &Intent, _: &Situation, plan: Box<Plan>) -> Result<(Box<Plan>, System)> {
        let Goal::Known(state) = &plan.goal else {
            return Err(self.hand_over());
        };
        let store = LocalStore::of(self.0.options.store.as_deref())?;
        let system = known(self.0, &plan, state, Box::new(OnDisk(store)))?;
        Ok((plan, system))
    }

    fn run(&self, _: LibnixCommand) -> Result<()> {
        Err(self.hand_over())
    }

    fn registry(&self, _: &Situation) -> Result<Vec<Registered>> {
        Err(self.hand_over())
    }

    fn prefetch(&self, _: &[String]) {}
}

/// The store, read through the file system. It does not protect paths from the garbage collector:
/// the activator adds a GC root for the system and then checks that the system is valid.
struct OnDisk(LocalStore);

impl SystemStore for OnDisk {
    fn is_valid(&self, path: &str) -> Result<bool> {
        Ok(self.real_path(path)?.symlink_metadata().is_ok())
    }

    fn real_path(&self, path: &str) -> Result<PathBuf> {
        // A system that another tool activated can be outside the store.
        Ok(self.0.real_path(path).unwrap_or_else(|| path.into()))
    }

    fn closure(&self, _: &str) -> Result<Vec<String>> {
        bail!("cannot compare closures: this program does not link libnix")
    }
}
