//! The commands that use libnix themselves, one file for each. `crates/light` has the others.

mod bench;
mod cache;
mod check;
mod errors;
mod guest_system;
mod prefetch;
mod schema;

use anyhow::Result;
use runtime_module_core::command::{Command, LibnixCommand};
use runtime_module_core::host::Situation;
use runtime_module_core::options::{Environment, Options};
use runtime_module_core::pipeline::{Stages, System};
use runtime_module_core::plan::{Intent, Needs, Plan, agree};
use runtime_module_core::registry::Registered;
use runtime_module_light::Run;
use runtime_module_nix::pipeline::{make_for, registry};
use runtime_module_nix::session::NixSession;

/// Runs a command.
pub fn run(command: Command, options: Options, environment: Environment) -> Result<()> {
    agree(&options)?;
    let session = NixSession::begin(options, environment, command.evaluation_options())?;
    let run = Run {
        session: &session,
        stages: &LibnixStages(&session),
    };
    let result = run.command(command);
    session.interrupts.settle();
    session.reporter.finish();
    result
}

/// The stages that use libnix.
struct LibnixStages<'a>(&'a NixSession);

impl Stages for LibnixStages<'_> {
    fn prepare(&self, _: &Intent, _: &Needs) -> Result<()> {
        Ok(())
    }

    fn make(
        &self,
        intent: &Intent,
        situation: &Situation,
        plan: Box<Plan>,
    ) -> Result<(Box<Plan>, System)> {
        make_for(self.0, intent, situation, plan)
    }

    fn registry(&self, situation: &Situation) -> Result<Vec<Registered>> {
        registry(self.0, situation)
    }

    fn run(&self, command: LibnixCommand) -> Result<()> {
        match command {
            LibnixCommand::Prefetch { names } => prefetch::run(self.0, &names),
            LibnixCommand::Cache(action) => cache::run(self.0, action),
            LibnixCommand::Check(options) => check::run(self.0, &options),
            LibnixCommand::Bench(bench) => bench::run(self.0, &bench),
            LibnixCommand::GuestSystem { modules } => guest_system::run(self.0, modules),
            LibnixCommand::Errors => errors::run(),
            LibnixCommand::Schema(name) => schema::run(name),
        }
    }

    fn prefetch(&self, names: &[String]) {
        prefetch::afterwards(self.0, names);
    }
}
