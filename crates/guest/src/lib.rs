//! `runtime-guest`: starts virtual machines whose store is the host's, reaches them and ends them.
//!
//! A command of the user prepares a guest and starts its supervisor. The supervisor starts QEMU and
//! virtiofsd, watches them, and removes everything at the end. All files of a guest are in one
//! folder (`runtime_folder.rs`). This program does not link libnix.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "tests prepare files and processes"
    )
)]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this crate starts processes and owns the folder of each guest; it does not change the machine"
)]

mod accelerator;
mod boot_json;
mod children;
mod cli;
mod command;
mod commands;
mod confinement;
mod declaration;
pub mod error;
mod evaluated_system;
mod initrd;
mod keys;
mod launch;
mod milestones;
mod name;
mod plan;
mod prepared;
mod protocol;
mod qemu;
mod roles;
mod roots;
mod runtime_folder;
mod screen;
mod session;
mod ssh_client;
mod supervisor;
mod terminal;
mod tools;
mod virtiofsd;

/// The documents of `--json`.
pub mod documents {
    pub use crate::commands::{
        AppliedGuests, ConsoleEnd, ConsoleOutput, ExecutedCommand, GuestList, StoppedGuests,
    };
    pub use crate::protocol::GuestState;
}

use std::process::ExitCode;

use anyhow::Result;
use runtime_module_core::error_output::print_error;

use roles::Role;
use session::Session;

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(role) = roles::read(&arguments) {
        return exit(run_role(&role), false);
    }
    cli::complete();
    let invocation = match cli::read() {
        Ok(invocation) => invocation,
        Err(message) => return cli::fail(&message),
    };
    let json = invocation.json;
    let run = || -> Result<u8> {
        let session = Session::begin(&invocation.environment, json)?;
        commands::run(&session, &invocation.command)
    };
    exit(run(), json)
}

fn exit(result: Result<u8>, json: bool) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(print_error(&error, json)),
    }
}

fn run_role(role: &Role) -> Result<u8> {
    match role {
        Role::Child(child) => confinement::become_program(child),
        Role::Supervisor(folder) => supervisor::supervise(folder),
    }
}
