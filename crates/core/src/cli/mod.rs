//! The command line: clap's types, and their conversion to plain data. Clap's types are not visible
//! outside this folder.

mod args;
mod bench;
mod check;
mod choices;
mod complete;
mod complete_options;
mod convert;
mod environment;
mod generate;
mod roles;
mod usage;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser as _};

use crate::command::Command;
use crate::error::Failure;
use crate::error_output::print_error;
use crate::options::{Environment, Options};
use crate::role::Role;
use args::{Cli, CommandArgs};
use complete::COMPLETE;

pub use generate::{completions, manual_page, manual_pages};
pub use usage::Usage;

/// The parsed command line of this process.
#[derive(Debug)]
pub struct Invocation {
    pub options: Options,
    pub environment: Environment,
    /// The user to become before anything else, if root started this process for that user.
    pub as_user: Option<u32>,
    pub task: Task,
}

/// A command of the user, or a role that does work for another process.
#[derive(Debug)]
pub enum Task {
    Command(Box<Command>),
    Role(Role),
}

/// Answers a completion request and exits. Returns if there is no request.
pub fn complete() {
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .var(COMPLETE)
        .complete();
}

/// Reads the command line and the environment. `--version` prints `version`.
pub fn read(version: &'static str) -> Result<Invocation, Usage> {
    parse(version).map_err(Usage::of)
}

fn parse(version: &'static str) -> Result<Invocation, clap::Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(read) = roles::read(&arguments) {
        let roles::RoleArguments { role, root } = read?;
        return Ok(Invocation {
            options: Options {
                root,
                ..Options::default()
            },
            environment: environment::read(),
            as_user: None,
            task: Task::Role(role),
        });
    }
    // If the other program started this process, `argv[0]` contains a version instead of the name.
    let name = OsString::from("runtime-module");
    let command = Cli::command().version(version);
    let matches = command.try_get_matches_from(std::iter::once(name).chain(arguments))?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    if let CommandArgs::Help { names } = &cli.command {
        // clap's own `help` command would offer hidden commands as completions. Parsing `--help`
        // instead returns the help text as an error.
        let names = names.iter().map(String::as_str);
        let arguments = ["runtime-module"].into_iter().chain(names);
        cli = Cli::try_parse_from(arguments.chain(["--help"]))?;
    }
    let Some(command) = cli.command.into_command() else {
        // This is unreachable, because `--help` never parses successfully.
        return Err(clap::Error::new(ErrorKind::DisplayHelp));
    };
    Ok(Invocation {
        as_user: cli.global.as_user,
        options: cli.global.into(),
        environment: environment::read(),
        task: Task::Command(Box::new(command)),
    })
}

/// Prints a message from clap and returns the exit code.
pub fn fail(usage: &Usage) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json" || argument == "-j");
    if let Some(failed) = usage.own_form(wants_json) {
        return ExitCode::from(print_error(&failed.into(), wants_json));
    }
    usage.print();
    ExitCode::from(match usage.is_error() {
        true => Failure::Usage.code(),
        false => 0,
    })
}

#[cfg(test)]
pub fn options_of(arguments: &[&str]) -> Options {
    let all = ["runtime-module"]
        .into_iter()
        .chain(arguments.iter().copied());
    Cli::parse_from(all.chain(["list"])).global.into()
}
