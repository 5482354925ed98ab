//! `runtime-module-nix`: the program that evaluates and builds, with libnix.
//!
//! `runtime-module` replaces itself with this program, with the same arguments and environment.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "tests prepare files and processes"
    )
)]

mod commands;
mod error;

use std::process::ExitCode;

use anyhow::Result;
use runtime_module_core::cli::{self, Invocation, Task};
use runtime_module_core::error_output::print_error;
use runtime_module_core::fault;
use runtime_module_core::programs::check_caller;
use runtime_module_core::role::Role;
use runtime_module_nix::{VERSION, evaluation, pool};

/// Runs the program.
pub fn main() -> ExitCode {
    let invocation = match cli::read(VERSION) {
        Ok(invocation) => invocation,
        Err(message) => return cli::fail(&message),
    };
    let json = invocation.options.json;
    match run(invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(print_error(&error, json)),
    }
}

fn run(invocation: Invocation) -> Result<()> {
    check_caller()?;
    fault::arm(invocation.environment.fault.as_deref())?;
    match invocation.task {
        Task::Role(Role::Evaluator) => evaluation::evaluator_role(None),
        Task::Role(Role::Template) => pool::template_role(),
        Task::Role(_) => Err(error::RoleError::Elevated.into()),
        Task::Command(command) => {
            commands::run(*command, invocation.options, invocation.environment)
        }
    }
}
