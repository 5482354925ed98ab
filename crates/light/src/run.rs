//! The code that several commands share: carrying out a change, and ending a transaction.

use anyhow::Result;

use runtime_module_core::activation::ActivatorTask;
use runtime_module_core::fault::{self, Point};
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
    /// Carries out an action that needs no Nix expressions from the user.
    pub(crate) fn change(self, action: Action, options: ChangeOptions) -> Result<()> {
        self.carry_out(&Intent::new(action, options))
    }

    /// Runs the pipeline for a change, prints the result, and prefetches the modules that
    /// `--prefetch` names.
    pub(crate) fn carry_out(self, intent: &Intent) -> Result<()> {
        let Self { session, stages } = self;
        if let Action::Override(_) = intent.action {
            // Check first: a new generation cannot be added to a damaged record.
            session.host().last_generation()?;
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
pub(crate) fn end(
    session: &Session,
    command: &'static str,
    purpose: &str,
    task: ActivatorTask,
    waits: Waits,
) -> Result<()> {
    let activation = end_transaction(session, purpose, task, waits)?;
    let situation = session.host().situation()?;
    EndReport::new(command, situation.active().to_vec(), activation).print(session)
}
