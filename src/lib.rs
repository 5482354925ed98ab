//! `runtime-module`: turns parts of a NixOS configuration on and off on a running machine.
//!
//! This is a library only so that fuzz targets and tests can reach the readers of files and
//! messages. `main.rs` starts the program.

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
mod quoting;
mod realise;
mod record;
mod registry;
mod session;
mod timings;
mod worker;

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};

/// Text of `--version`: our own version, and that of the linked libnix.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (libnix ",
    env!("RUNTIME_MODULE_LIBNIX"),
    ")"
);

/// Runs the program.
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

/// Prints the error of a role, if there is one, and returns its exit code.
fn role(ended: anyhow::Result<()>) -> u8 {
    ended.map_or_else(|error| complain(&error, false), |()| 0)
}

/// Runs a role, or a command, or becomes the user who called root's process.
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

/// Returns the user who called us through sudo. Everything except activation runs as that user.
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
        // stdout may be closed, but the exit code still reports the failure.
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

/// Makes the error for an argument that is not UTF-8. clap does not name the argument.
fn not_text() -> error::Failed {
    let odd = std::env::args_os().find(|argument| argument.to_str().is_none());
    let shown = odd.map(|odd| odd.display().to_string()).unwrap_or_default();
    error::Failure::Usage
        .error(format!("cannot use the argument '{shown}': not UTF-8"))
        .hint("make a symbolic link with another name to a directory with such a name")
}

/// Prints the messages of clap: help and version on stdout, usage errors on stderr, or as JSON if
/// requested.
fn usage(mut error: clap::Error) -> ExitCode {
    // clap suggests hidden commands too.
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
        // The first paragraph has the error and its arguments; the others are about usage.
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
