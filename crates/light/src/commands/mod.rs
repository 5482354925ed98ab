//! The commands that use libnix only through [`Stages`], one file for each. `crates/full` has the
//! others.

mod apply;
mod boot;
mod completions;
mod confirm;
mod disable;
mod enable;
mod faults;
mod history;
mod list;
mod man;
mod overrides;
mod rebuild;
mod recover;
mod reset;
mod rollback;
mod set;
mod status;
mod unset;

use anyhow::Result;

use runtime_module_core::activation::Errand;
use runtime_module_core::command::Command;
use runtime_module_core::fault::{self, Point};
use runtime_module_core::host::LocalHost;
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::pipeline::{self, Stages, Waits, end_transaction};
use runtime_module_core::plan::{Action, Intent};
use runtime_module_core::report::EndReport;
use runtime_module_core::session::Session;

/// The session and the stages that a command uses.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub session: &'a Session,
    pub stages: &'a dyn Stages,
}

impl Run<'_> {
    /// Runs a command.
    pub fn command(self, command: Command) -> Result<()> {
        let Self { session, .. } = self;
        match command {
            Command::Enable { names, options } => enable::run(self, names, options),
            Command::Disable { names, options } => disable::run(self, names, options),
            Command::Reset { all, options } => reset::run(self, all, options),
            Command::Set { request, options } => set::run(self, &request, options),
            Command::Unset { paths, options } => unset::run(self, &paths, options),
            Command::Overrides(command) => overrides::run(self, *command),
            Command::Apply(options) => apply::run(self, options),
            Command::Rebuild(options) => rebuild::run(self, options),
            Command::Rollback { number, options } => rollback::run(self, number, options),
            Command::Recover {
                finish,
                settle,
                wait,
            } => {
                let waits = Waits {
                    others: wait,
                    settle,
                };
                recover::run(session, finish, waits)
            }
            Command::Confirm { wait } => {
                let waits = Waits {
                    others: wait,
                    settle: None,
                };
                confirm::run(session, waits)
            }
            Command::History => history::run(session),
            Command::List => list::run(self),
            Command::Status { names } => status::run(session, &names),
            Command::Completions(shell) => completions::run(shell),
            Command::Man(page) => man::run(page.as_deref()),
            Command::Boot => boot::run(self),
            Command::Faults => faults::run(),
            Command::WithLibnix(command) => self.stages.run(command),
        }
    }

    /// Carries out an action that needs no Nix expressions from the user.
    fn change(self, action: Action, options: ChangeOptions) -> Result<()> {
        self.carry_out(&Intent::new(action, options))
    }

    /// Runs the pipeline for a change, prints the result, and prefetches the modules that
    /// `--prefetch` names.
    fn carry_out(self, intent: &Intent) -> Result<()> {
        let Self { session, stages } = self;
        if let Action::Override(_) = intent.action {
            // Check first: a new generation cannot be added to a damaged record.
            LocalHost::new(&session.locations).last_generation()?;
        }
        let changed = pipeline::change(session, intent, stages)?;
        let printed = fault::step(Point::Report, || changed.report.print(session));
        if let Some(system) = &changed.system {
            system.keep_in_cache();
        }
        if printed.is_ok() && !intent.options.prefetch.is_empty() {
            stages.prefetch(&intent.options.prefetch);
        }
        printed
    }
}

/// Ends an unfinished transaction, and prints the result. `purpose` describes the command in the
/// lock and the log.
fn end(
    session: &Session,
    command: &'static str,
    purpose: &str,
    errand: Errand,
    waits: Waits,
) -> Result<()> {
    let activation = end_transaction(session, purpose, errand, waits)?;
    let situation = LocalHost::new(&session.locations).situation()?;
    EndReport::new(command, situation.active().to_vec(), activation).print(session)
}
