//! The commands, one file for each.

mod apply;
mod bench;
mod boot;
mod cache;
mod check;
mod completions;
mod confirm;
mod disable;
mod enable;
mod errors;
mod faults;
mod history;
mod list;
mod man;
mod overrides;
mod prefetch;
mod rebuild;
mod recover;
mod reset;
mod rollback;
mod set;
mod status;
mod unset;

use std::time::Duration;

use anyhow::Result;

use crate::activation::Errand;
use crate::choice::{CacheAction, Shell};
use crate::fault::{self, Point};
use crate::options::{ChangeOptions, Environment, Options};
use crate::pipeline::{self, Waits, end_transaction};
use crate::plan::{Action, Intent, Situation, agree};
use crate::record::last_override;
use crate::report::EndReport;
use crate::session::Session;

pub use bench::BenchCommand;
pub use check::CheckOptions;
pub use history::in_words as history_in_words;
pub use overrides::OverridesCommand;
pub use set::SetRequest;

/// A command with its arguments.
#[derive(Debug)]
pub enum Command {
    Enable {
        names: Vec<String>,
        options: ChangeOptions,
    },
    Disable {
        names: Vec<String>,
        options: ChangeOptions,
    },
    Reset {
        /// Whether to remove option overrides too.
        all: bool,
        options: ChangeOptions,
    },
    Set {
        request: SetRequest,
        options: ChangeOptions,
    },
    Unset {
        /// Paths of overridden options.
        paths: Vec<String>,
        options: ChangeOptions,
    },
    Overrides(Box<OverridesCommand>),
    Apply(ChangeOptions),
    Rebuild(ChangeOptions),
    Rollback {
        number: Option<u64>,
        options: ChangeOptions,
    },
    Recover {
        finish: bool,
        settle: Option<Duration>,
        wait: Duration,
    },
    Confirm {
        wait: Duration,
    },
    History,
    List,
    Status {
        names: Vec<String>,
    },
    Prefetch {
        names: Vec<String>,
    },
    Cache(CacheAction),
    Check(Box<CheckOptions>),
    Bench(Box<BenchCommand>),
    Completions(Shell),
    Man(Option<String>),
    /// Restores modules after a boot.
    Boot,
    Faults,
    Errors,
}

impl Command {
    /// Returns the options of a command that probably evaluates a new system.
    fn evaluation_options(&self) -> Option<&ChangeOptions> {
        match self {
            Self::Enable { options, .. }
            | Self::Disable { options, .. }
            | Self::Set { options, .. }
            | Self::Unset { options, .. }
            | Self::Apply(options)
            | Self::Rebuild(options) => Some(options),
            _ => None,
        }
    }
}

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
        Command::Enable { names, options } => enable::run(session, names, options),
        Command::Disable { names, options } => disable::run(session, names, options),
        Command::Reset { all, options } => reset::run(session, all, options),
        Command::Set { request, options } => set::run(session, &request, options),
        Command::Unset { paths, options } => unset::run(session, &paths, options),
        Command::Overrides(command) => overrides::run(session, *command),
        Command::Apply(options) => apply::run(session, options),
        Command::Rebuild(options) => rebuild::run(session, options),
        Command::Rollback { number, options } => rollback::run(session, number, options),
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
        Command::List => list::run(session),
        Command::Status { names } => status::run(session, &names),
        Command::Prefetch { names } => prefetch::run(session, &names),
        Command::Cache(action) => cache::run(session, action),
        Command::Check(options) => check::run(session, &options),
        Command::Bench(bench) => bench::run(session, &bench),
        Command::Completions(shell) => completions::run(shell),
        Command::Man(page) => man::run(page.as_deref()),
        Command::Boot => boot::run(session),
        Command::Faults => faults::run(),
        Command::Errors => errors::run(),
    }
}

/// Ends a transaction that has not ended, and prints the result. `purpose` describes this for the lock and the log.
fn end(
    session: &Session,
    command: &'static str,
    purpose: &str,
    errand: Errand,
    waits: Waits,
) -> Result<()> {
    let activation = end_transaction(session, purpose, errand, waits)?;
    let situation = Situation::read(&session.locations)?;
    EndReport::new(command, situation.active().to_vec(), activation).print(session)
}

/// Runs the pipeline for a change, prints the result, and prefetches what the user asked for.
fn change(session: &Session, action: Action, options: ChangeOptions) -> Result<()> {
    carry_out(session, &Intent::new(action, options))
}

fn carry_out(session: &Session, intent: &Intent) -> Result<()> {
    if let Action::Override(_) = intent.action {
        // A damaged record could not take the new generation.
        last_override(&session.locations)?;
    }
    let changed = pipeline::change(session, intent)?;
    let printed = fault::step(Point::Report, || changed.report.print(session));
    if let Some(system) = &changed.system {
        system.keep_in_cache();
    }
    if printed.is_ok() {
        prefetch::afterwards(session, &intent.options.prefetch);
    }
    printed
}
