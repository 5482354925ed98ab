//! `runtime-module`: the program that users run. It does not link libnix.
//!
//! It runs commands that need no evaluation, confirms, finishes and rolls back changes, and
//! contains the roles that run as root. It hands everything else over to `runtime-module-nix`.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "tests prepare files and processes"
    )
)]

mod commands;
#[expect(clippy::disallowed_types, reason = "starts the other program")]
mod handover;
mod run;

use std::process::ExitCode;

use anyhow::Result;
use handover::{Handover, hand_over};
use runtime_module_core::cli::{self, Invocation, Task};
use runtime_module_core::command::Command;
use runtime_module_core::error_output::print_error;
use runtime_module_core::locations::Locations;
use runtime_module_core::options::{Environment, Options};
use runtime_module_core::plan::agree;
use runtime_module_core::programs::VERSION;
use runtime_module_core::role::Role;
use runtime_module_core::session::Session;
use runtime_module_core::{activation, fault};

pub use commands::documents;
pub use run::Run;

/// Runs the program.
pub fn main() -> ExitCode {
    cli::complete();
    let invocation = match cli::read(VERSION) {
        Ok(invocation) => invocation,
        Err(message) => return cli::fail(&message),
    };
    let json = invocation.options.json;
    match run(invocation) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(print_error(&error, json)),
    }
}

/// Runs a role or a command. If sudo started this process, restarts the command as the calling
/// user.
fn run(invocation: Invocation) -> Result<u8> {
    let Invocation {
        options,
        environment,
        as_user,
        task,
    } = invocation;
    fault::arm(environment.fault.as_deref())?;
    if let Some(user) = as_user {
        activation::drop_rights(user)?;
    }
    match task {
        Task::Role(role) => run_role(&role, options).map(|()| 0),
        Task::Command(command) => match caller(&environment) {
            Some(user) => activation::become_user(user, std::env::args_os().skip(1).collect()),
            None => run_command(*command, options, environment).map(|()| 0),
        },
    }
}

/// Runs a role for the machine whose root directory is `options.root`.
fn run_role(role: &Role, options: Options) -> Result<()> {
    let root = options.root.unwrap_or_else(|| "/".into());
    let locations = Locations::new(&root, &root);
    match role {
        Role::Evaluator | Role::Template => Err(hand_over()),
        Role::Relay => activation::relay_role(),
        Role::Activator { transaction } => activation::activator_role(&locations, transaction),
        Role::Timer {
            transaction,
            wait,
            after_switch,
        } => activation::expire(&locations, transaction, *wait, *after_switch),
        Role::Watch => activation::watch_role(&locations),
        Role::SwitchedElsewhere { toplevel } => {
            activation::switched_elsewhere(&locations, toplevel.as_deref())
        }
    }
}

fn run_command(command: Command, options: Options, environment: Environment) -> Result<()> {
    if evaluates(&command) {
        return Err(hand_over());
    }
    agree(&options)?;
    let session = Session::begin(options, environment)?;
    let run = Run {
        session: &session,
        stages: &Handover(&session),
    };
    let result = run.command(command);
    session.interrupts.settle();
    session.reporter.finish();
    result
}

/// Returns whether to hand a command over immediately, because it usually needs libnix.
fn evaluates(command: &Command) -> bool {
    match command {
        Command::Enable { .. }
        | Command::Set { .. }
        | Command::Apply(_)
        | Command::Rebuild(_)
        | Command::WithLibnix(_) => true,
        Command::Disable { .. }
        | Command::Reset { .. }
        | Command::Unset { .. }
        | Command::Overrides(_)
        | Command::Rollback { .. }
        | Command::Recover { .. }
        | Command::Confirm { .. }
        | Command::History
        | Command::List
        | Command::Status { .. }
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Boot
        | Command::Faults => false,
    }
}

/// Returns the user who called us through sudo. Everything except activation runs as that user.
fn caller(environment: &Environment) -> Option<u32> {
    let user = environment.sudo_uid.filter(|uid| *uid != 0)?;
    unix::unistd::geteuid().is_root().then_some(user)
}
