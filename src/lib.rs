//! `runtime-module`: turns parts of a NixOS configuration on and off on a running machine.
//!
//! A library only so that fuzz targets and tests can reach what reads files and messages: the program is all that it is
//! for, and `main.rs` starts it.

mod activation;
mod attributes;
mod baked;
mod benchmarks;
mod cache;
mod checking;
mod choice;
mod cli;
mod clock;
mod commands;
mod duration;
mod error;
mod evaluation;
mod fault;
pub mod fuzz;
mod interrupt;
mod libnix;
mod locations;
mod percent;
mod plan;
mod progress;
mod realise;
mod record;
mod registry;
mod session;
mod timings;
mod worker;

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};

/// What `--version` says: ours, and the libnix that this is linked to.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (libnix ",
    env!("RUNTIME_MODULE_LIBNIX"),
    ")"
);

/// The program.
pub fn main() -> ExitCode {
    cli::complete();
    let cli = match cli::read() {
        Ok(cli) => cli,
        Err(error) => return usage(error),
    };
    let json = cli.global.json;
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(complain(&error, json)),
    }
}

/// The exit code of a role that ended; says why it failed.
fn role(ended: anyhow::Result<()>) -> u8 {
    ended.map_or_else(|error| complain(&error, false), |()| 0)
}

/// A role of ours, root called by a user, or a command.
fn run(cli: cli::Cli) -> anyhow::Result<u8> {
    fault::arm(cli.environment.fault.as_deref())?;
    if let Some(user) = cli.global.as_user {
        activation::drop_rights(user)?;
    }
    let root = cli.global.root.clone().unwrap_or_else(|| "/".into());
    let locations = locations::Locations::new(&root, &root);
    match &cli.command {
        cli::Command::Evaluate => evaluation::evaluator_role(None).map(|()| 0),
        cli::Command::Template => checking::template_role().map(|()| 0),
        cli::Command::Activate => activation::relay_role().map(|()| 0),
        cli::Command::Transact { transaction } => {
            activation::activator_role(&locations, transaction).map(|()| 0)
        }
        cli::Command::Expire {
            transaction,
            seconds,
            after,
        } => {
            let wait = std::time::Duration::from_secs(*seconds);
            activation::expire(&locations, transaction, wait, *after).map(|()| 0)
        }
        cli::Command::Switched { toplevel } => {
            activation::switched_elsewhere(&locations, toplevel.as_deref()).map(|()| 0)
        }
        _ => match caller(&cli) {
            Some(user) => activation::become_user(user, std::env::args_os().skip(1).collect()),
            None => commands::run(cli).map(|()| 0),
        },
    }
}

/// The user who called us through sudo, where everything but activation is to be done as that user.
fn caller(cli: &cli::Cli) -> Option<u32> {
    let user = cli.environment.sudo_uid.filter(|uid| *uid != 0)?;
    unix::unistd::geteuid().is_root().then_some(user)
}

/// Prints an error once, and returns its exit code.
fn complain(error: &anyhow::Error, json: bool) -> u8 {
    let failed = error::describe(error);
    if error.is::<commands::Printed>() {
        return failed.failure.code();
    }
    if json {
        let document = serde_json::json!({ "schema": 1, "error": failed });
        // stdout may be closed; the exit code still tells.
        let _ = writeln!(std::io::stdout(), "{document:#}");
    } else {
        let mut text = format!("error: {}\n", failed.message);
        for detail in &failed.details {
            text += &format!("  {detail}\n");
        }
        for hint in &failed.hints {
            text += &format!("hint: {hint}\n");
        }
        let _ = write!(std::io::stderr(), "{}", progress::for_stderr(&text));
    }
    failed.failure.code()
}

/// An argument that is no text. clap does not say which.
fn not_text() -> error::Failed {
    let odd = std::env::args_os().find(|argument| argument.to_str().is_none());
    let shown = odd.map(|odd| odd.display().to_string()).unwrap_or_default();
    error::Failure::Usage
        .error(format!("the argument '{shown}' is not UTF-8"))
        .hint("names of modules and flake references are text; a folder with such a name can be reached by a link with another one")
}

/// Prints clap's own words: help and version on stdout, a wrong usage on stderr, or as the document that was asked for.
fn usage(mut error: clap::Error) -> ExitCode {
    // clap names hidden commands too.
    if let Some(ContextValue::Strings(names)) = error.get(ContextKind::ValidSubcommand) {
        let shown = names.iter().filter(|name| !name.starts_with("__")).cloned();
        let shown = ContextValue::Strings(shown.collect());
        error.insert(ContextKind::ValidSubcommand, shown);
    }
    if let Some(ContextValue::String(option)) = error.get(ContextKind::SuggestedArg) {
        let program = <cli::Cli as clap::CommandFactory>::command();
        let hidden = program.get_arguments().filter(|one| one.is_hide_set());
        let mut names = hidden.filter_map(clap::Arg::get_long);
        if names.any(|name| option.strip_prefix("--") == Some(name)) {
            error.remove(ContextKind::SuggestedArg);
        }
    }
    let asked_for_json =
        std::env::args_os().any(|argument| argument == "--json" || argument == "-j");
    if error.kind() == clap::error::ErrorKind::InvalidUtf8 {
        return ExitCode::from(complain(&not_text().into(), asked_for_json));
    }
    if error.use_stderr() && asked_for_json {
        // The first paragraph: what is wrong, and with which arguments. The others say how it is used.
        let text = error.render().to_string();
        let mut lines = text.lines().take_while(|line| !line.is_empty());
        let message = lines.next().unwrap_or_default();
        let message = message.trim_start_matches("error: ").trim_end_matches(':');
        let failed = lines.fold(error::Failure::Usage.error(message), |failed, line| {
            failed.detail(line.trim())
        });
        return ExitCode::from(complain(&failed.into(), true));
    }
    let _ = error.print();
    ExitCode::from(if error.use_stderr() {
        error::Failure::Usage.code()
    } else {
        0
    })
}
