//! The command line: clap's types, and their conversion to plain data. No clap type leaves this folder.

mod args;
mod bench;
mod check;
mod choices;
mod complete;
mod complete_options;
mod convert;
mod environment;
mod generate;
mod usage;
mod values;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::commands::Command;
use crate::options::{Environment, Options};
use crate::role::Role;
use args::{Cli, CommandArgs};

pub use complete::complete;
pub use generate::{completions, manual_page, manual_pages};
pub use usage::Usage;

/// What this process was started for.
#[derive(Debug)]
pub struct Invocation {
    pub options: Options,
    pub environment: Environment,
    /// The user to become first, if root started this process for that user.
    pub as_user: Option<u32>,
    pub job: Job,
}

/// A command of the user, or a role in the work of another process.
#[derive(Debug)]
pub enum Job {
    Command(Command),
    Role(Role),
}

/// Reads the command line and the environment.
pub fn read() -> Result<Invocation, Usage> {
    parse().map_err(Usage::of)
}

fn parse() -> Result<Invocation, clap::Error> {
    let mut cli = Cli::try_parse()?;
    if let CommandArgs::Help { names } = &cli.command {
        // clap's own `help` command would offer hidden commands in completions. Parsing `--help`
        // returns the text as an error.
        let names = names.iter().map(String::as_str);
        let arguments = ["runtime-module"].into_iter().chain(names);
        cli = Cli::try_parse_from(arguments.chain(["--help"]))?;
    }
    let Some(job) = cli.command.into_job() else {
        // `--help` never parses successfully.
        return Err(clap::Error::new(ErrorKind::DisplayHelp));
    };
    Ok(Invocation {
        as_user: cli.global.as_user,
        options: cli.global.into(),
        environment: environment::read(),
        job,
    })
}

#[cfg(test)]
pub(crate) fn options_of(arguments: &[&str]) -> Options {
    let all = ["runtime-module"]
        .into_iter()
        .chain(arguments.iter().copied());
    Cli::parse_from(all.chain(["list"])).global.into()
}
