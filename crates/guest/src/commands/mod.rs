//! The commands, one file for each.

mod apply;
mod console;
mod exec;
mod list;
mod logs;
mod run;
mod running;
mod ssh;
mod start;
mod stop;

pub use apply::AppliedGuests;
pub use console::ConsoleEnd;
pub use exec::ExecutedCommand;
pub use list::GuestList;
pub use logs::ConsoleOutput;
pub use stop::StoppedGuests;

use anyhow::Result;

use crate::command::Command;
use crate::session::Session;

/// Runs a command and returns its exit code.
pub fn run(session: &Session, command: &Command) -> Result<u8> {
    match command {
        Command::Run(options) => run::run(session, options),
        Command::Start(options) => start::run(session, options),
        Command::Apply(options) => apply::run(session, options),
        Command::List => list::run(session),
        Command::Stop { names, timeout } => stop::run(session, names, *timeout),
        Command::Console { name } => console::run(session, name),
        Command::Ssh { name, arguments } => ssh::run(session, name, arguments),
        Command::Logs { name, lines } => logs::run(session, name, *lines),
        Command::Exec {
            name,
            command,
            timeout,
        } => exec::run(session, name, command, *timeout),
    }
}
