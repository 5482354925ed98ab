//! The commands, one file for each.

mod ask;
mod base_check;
mod bench;
mod boot;
mod cache;
mod change;
mod check;
mod errors;
mod extras;
mod foreign_module;
mod history;
mod input_differences;
mod list;
mod moved;
mod prefetch;
mod reach;
mod recall;
mod recover;
mod relocked;
mod report;
mod request;
mod shell;
mod status;
mod times;

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::activation::Errand;
use crate::cli::{Cli, Command, Run};
use crate::clock::now;
use crate::error::Failure;
use crate::fault;
use crate::plan::{Past, Situation, Wish, agree};
use crate::progress::for_stdout;
use crate::record::{Step, read_history};
use crate::session::Session;
use request::patiently;

pub use history::in_words as history_in_words;
pub use report::Printed;

/// Runs a command.
pub fn run(cli: Cli) -> Result<()> {
    let to_evaluate = match &cli.command {
        Command::Enable(args) => Some(&args.run),
        Command::Disable(args) => Some(&args.run),
        Command::Apply(run) | Command::Rebuild(run) => Some(run),
        _ => None,
    };
    agree(&cli.global)?;
    let session = Session::begin(cli.global, cli.environment, to_evaluate)?;
    let result = dispatch(&session, cli.command);
    session.interrupts.settle();
    session.reporter.finish();
    result
}

fn dispatch(session: &Session, command: Command) -> Result<()> {
    let change = |wish: Wish, run: &Run| change::run(session, &wish, run);
    match command {
        Command::Enable(args) => change(Wish::Enable(args.names), &args.run),
        Command::Disable(args) => change(Wish::Disable(args.names), &args.run),
        Command::Reset(run) => change(Wish::Reset, &run),
        Command::Apply(run) => change(Wish::Apply, &run),
        Command::Rebuild(run) => change(Wish::Rebuild, &run),
        Command::Prefetch(args) => prefetch::run(session, &args.names),
        Command::Check(args) => check::run(session, &args),
        Command::Cache(args) => cache::run(session, args.what.unwrap_or_default()),
        Command::Recover(args) => {
            let errand = Errand::Recover {
                finish: args.finish,
            };
            let waits = recover::Waits {
                patience: args.patience,
                settle: args.settle,
            };
            recover::run(session, "recover", errand, waits)
        }
        Command::Confirm(patience) => {
            recover::run(session, "confirm", Errand::Confirm, patience.into())
        }
        Command::Rollback(args) => rollback(session, args.number, &args.run),
        Command::History => history::run(session),
        Command::Boot => boot::run(session),
        Command::List => list::run(session),
        Command::Status(args) => status::run(session, &args.names),
        Command::Bench(what) => bench::run(session, &what),
        Command::Faults => faults(),
        Command::Errors => errors::run(),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { page } => shell::man(page.as_deref()),
        // These are roles, not commands.
        Command::Help { .. }
        | Command::Evaluate
        | Command::Template
        | Command::Activate
        | Command::Transact { .. }
        | Command::Expire { .. }
        | Command::Switched { .. } => Ok(()),
    }
}

/// Returns to an earlier state, or rolls back an unconfirmed change at once.
fn rollback(session: &Session, number: Option<u64>, run: &Run) -> Result<()> {
    // Wait first, because only then the current and the earlier state are certain.
    patiently(session, run.patience);
    let situation = Situation::read(&session.locations)?;
    let pending = situation.state.unended(situation.running.as_deref());
    if number.is_none() && pending.is_some_and(|pending| pending.step == Step::Confirming) {
        let errand = Errand::Recover { finish: false };
        return recover::run(session, "rollback", errand, run.patience.into());
    }
    let history = read_history(&session.locations)?;
    let past = Past::find(&history, number, &situation, now())?;
    change::run(session, &Wish::Rollback(Box::new(past)), run)
}

/// Prints a result as JSON or for humans. Names in human-readable text must already be safe for a
/// terminal.
fn tell<T: Serialize>(
    session: &Session,
    result: &T,
    human: impl FnOnce(&T) -> String,
) -> Result<()> {
    session.reporter.finish();
    say(match session.global.json {
        true => document(result)?,
        false => for_stdout(&human(result)),
    })
}

/// Formats a result for `--json`.
fn document(result: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(result).context("cannot write JSON")? + "\n")
}

/// Prints a result, or a part of it, to stdout.
fn say(result: impl AsRef<[u8]>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(result.as_ref())
        .and_then(|()| out.flush())
        .map_err(untold)
}

/// Makes the error for a result that could not be printed.
fn untold(error: std::io::Error) -> anyhow::Error {
    Failure::Internal
        .error(format!("cannot write the result to stdout: {error}"))
        .hint("the command itself has succeeded; run `runtime-module status` to see which modules are active")
        .into()
}

/// Prints the points at which tests can inject faults.
fn faults() -> Result<()> {
    if !fault::POSSIBLE {
        return Err(Failure::Refused
            .error("cannot list faults: this is a release build")
            .hint("use a debug build")
            .into());
    }
    say(fault::table())
}
