//! The commands that use libnix only through `Stages`, one file for each. `crates/full` has the
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

use crate::run::Run;
use runtime_module_core::command::Command;
use runtime_module_core::pipeline::Waits;

/// The types of the `--json` documents that these commands print.
pub mod documents {
    pub use super::list::ModuleList;
    pub use super::overrides::{
        OverrideDifferences, OverrideHistory, OverrideList, OverridesAfter, VerifyReport,
    };
    pub use super::status::StatusResult;
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
}
