//! The commands that use libnix themselves, one file for each. `crates/light` has the others.

mod bench;
mod cache;
mod check;
mod errors;
mod prefetch;

use anyhow::Result;
use runtime_module_core::command::Command;
use runtime_module_core::options::{Environment, Options};
use runtime_module_core::pipeline::{Stages, System};
use runtime_module_core::plan::{Intent, Plan, Situation, agree};
use runtime_module_core::registry::Registered;
use runtime_module_light::Run;
use runtime_module_nix::pipeline::{make_for, registry};
use runtime_module_nix::session::Session;

/// Runs a command.
pub fn run(command: Command, options: Options, environment: Environment) -> Result<()> {
    agree(&options)?;
    let session = Session::begin(options, environment, command.evaluation_options())?;
    let result = dispatch(&session, command);
    session.interrupts.settle();
    session.reporter.finish();
    result
}

fn dispatch(session: &Session, command: Command) -> Result<()> {
    match command {
        Command::Prefetch { names } => prefetch::run(session, &names),
        Command::Cache(action) => cache::run(session, action),
        Command::Check(options) => check::run(session, &options),
        Command::Bench(bench) => bench::run(session, &bench),
        Command::Errors => errors::run(),
        other => Run {
            session,
            stages: &Libnix(session),
        }
        .command(other),
    }
}

/// The stages that use libnix.
struct Libnix<'a>(&'a Session);

impl Stages for Libnix<'_> {
    fn prepare(&self, _: &Intent, _: &Situation) -> Result<()> {
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

    fn prefetch(&self, names: &[String]) {
        prefetch::afterwards(self.0, names);
    }
}
