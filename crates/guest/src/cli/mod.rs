//! The command line: clap's types, and their conversion to plain data. Clap's types are not visible
//! outside this folder.

mod args;
mod complete;
mod convert;
mod environment;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use runtime_module_core::error::Failure;

use crate::command::{Command, Environment};
use args::Cli;

/// The parsed command line of this process.
#[derive(Debug)]
pub struct Invocation {
    pub command: Command,
    pub environment: Environment,
    pub json: bool,
}

/// Answers a completion request and exits. Returns if there is no request.
pub fn complete() {
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .var(complete::COMPLETE)
        .complete();
}

/// Reads the command line and the environment.
pub fn read() -> Result<Invocation, clap::Error> {
    let cli = Cli::try_parse()?;
    Ok(Invocation {
        json: cli.json,
        command: cli.command.into(),
        environment: environment::read(),
    })
}

/// Prints a message from clap and returns the exit code.
pub fn fail(message: &clap::Error) -> ExitCode {
    // Ignore errors: even if stdout is closed, the exit code is correct.
    let _ = message.print();
    ExitCode::from(match message.use_stderr() {
        true => Failure::Usage.code(),
        false => 0,
    })
}
