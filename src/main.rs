//! `runtime-module`: turns parts of a NixOS configuration on and off on a running machine.

mod activation;
mod baked;
mod cache;
mod cli;
mod commands;
mod error;
mod evaluation;
mod interrupt;
mod libnix;
mod locations;
mod plan;
mod progress;
mod realise;
mod record;
mod registry;
mod timings;
mod worker;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

/// What `--version` says: ours, and the libnix that this is linked to.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (libnix ",
    env!("RUNTIME_MODULE_LIBNIX"),
    ")"
);

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    let result = match caller(&cli) {
        Some(user) => activation::become_user(user, std::env::args_os().skip(1).collect()),
        None => commands::run(cli).map(|()| 0),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(complain(&error, json)),
    }
}

/// The user who called us through sudo, where everything but activation is to be done as that user.
fn caller(cli: &cli::Cli) -> Option<u32> {
    let role = matches!(cli.command, cli::Command::Evaluate | cli::Command::Activate);
    let user = cli.global.environment.sudo_uid.filter(|uid| *uid != 0)?;
    (unix::unistd::geteuid().is_root() && !role).then_some(user)
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
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "error: {}", failed.message);
        for detail in &failed.details {
            let _ = writeln!(err, "  {detail}");
        }
        for hint in &failed.hints {
            let _ = writeln!(err, "hint: {hint}");
        }
    }
    failed.failure.code()
}

/// Prints clap's own words: help and version on stdout, a wrong usage on stderr, or as the document that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    let asked_for_json =
        std::env::args_os().any(|argument| argument == "--json" || argument == "-j");
    if error.use_stderr() && asked_for_json {
        let text = error.render().to_string();
        let message = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        return ExitCode::from(complain(&error::Failure::Usage.error(message).into(), true));
    }
    let _ = error.print();
    ExitCode::from(if error.use_stderr() {
        error::Failure::Usage.code()
    } else {
        0
    })
}
