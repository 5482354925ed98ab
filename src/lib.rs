//! `runtime-module`: turns parts of a NixOS configuration on and off on a running machine.
//!
//! This is a library only so that fuzz targets and tests can reach the readers of files and
//! messages. `main.rs` starts the program.

mod activation;
mod attributes;
mod baked;
mod benchmarks;
mod cache;
mod check;
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
mod options;
mod output;
mod overrides;
mod percent;
mod pipeline;
mod plan;
mod pool;
mod progress;
mod quoting;
mod realise;
mod record;
mod registry;
mod report;
mod role;
mod session;
mod timings;
mod worker;

use std::io::Write as _;
use std::process::ExitCode;

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
    let invocation = match cli::read() {
        Ok(invocation) => invocation,
        Err(message) => return usage(&message),
    };
    let json = invocation.options.json;
    match run(invocation) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(complain(&error, json)),
    }
}

/// Prints the error of a forked role, if there is one, and returns its exit code.
fn end_of_role(ended: anyhow::Result<()>) -> u8 {
    ended.map_or_else(|error| complain(&error, false), |()| 0)
}

/// Runs a role, or a command, or becomes the user who called root's process.
fn run(invocation: cli::Invocation) -> anyhow::Result<u8> {
    let cli::Invocation {
        options,
        environment,
        as_user,
        job,
    } = invocation;
    fault::arm(environment.fault.as_deref())?;
    if let Some(user) = as_user {
        activation::drop_rights(user)?;
    }
    match job {
        cli::Job::Role(role) => {
            let root = options.root.unwrap_or_else(|| "/".into());
            role.run(&locations::Locations::new(&root, &root))
                .map(|()| 0)
        }
        cli::Job::Command(command) => match caller(&environment) {
            Some(user) => activation::become_user(user, std::env::args_os().skip(1).collect()),
            None => commands::run(command, options, environment).map(|()| 0),
        },
    }
}

/// Returns the user who called us through sudo. Everything except activation runs as that user.
fn caller(environment: &options::Environment) -> Option<u32> {
    let user = environment.sudo_uid.filter(|uid| *uid != 0)?;
    unix::unistd::geteuid().is_root().then_some(user)
}

/// Prints an error once, and returns its exit code.
fn complain(error: &anyhow::Error, json: bool) -> u8 {
    let failed = error::describe(error);
    if error.is::<output::Printed>() {
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

/// Prints a message of clap, and returns the exit code.
fn usage(usage: &cli::Usage) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json" || argument == "-j");
    if let Some(failed) = usage.own_form(wants_json) {
        return ExitCode::from(complain(&failed.into(), wants_json));
    }
    usage.print();
    ExitCode::from(match usage.is_error() {
        true => error::Failure::Usage.code(),
        false => 0,
    })
}
