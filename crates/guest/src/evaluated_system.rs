//! Evaluates and builds the system of a guest, with `runtime-module-nix`.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use runtime_module_core::error::{Failed, ProgramError};
use runtime_module_core::programs;
use serde::Deserialize;

use crate::command::EvaluatedSystem;
use crate::screen;

/// The document that `runtime-module-nix` prints if it fails.
#[derive(Deserialize)]
struct FailureDocument {
    error: Failed,
}

/// Builds a system and returns its store path. `runtime-module-nix` shows the progress.
pub fn build(wanted: &EvaluatedSystem, store: Option<&str>, quiet: bool) -> Result<String> {
    let progress = match (quiet, screen::is_terminal()) {
        (true, _) => "off",
        (false, true) => "bars",
        (false, false) => "plain",
    };
    let program = programs::full()?;
    let mut command = Command::new(&program);
    command.arg0(programs::caller()).arg("__guest-system");
    command.args(["--json", "--progress", progress]);
    for (option, value) in [
        ("--flake", wanted.flake.as_deref()),
        ("--host", wanted.host.as_deref()),
        ("--store", store),
    ] {
        command.args(value.map(|value| format!("{option}={value}")));
    }
    command.arg("--").args(&wanted.modules);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| ProgramError::OtherProgramNotStarted {
            program: program.display().to_string(),
            reason: error.to_string(),
        })?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_string();
    match output.status.code() {
        Some(0) if !path.is_empty() => Ok(path),
        _ => match serde_json::from_str::<FailureDocument>(&path) {
            Ok(FailureDocument { error }) => Err(error.into()),
            Err(_) => bail!(
                "cannot build the system of the guest: {} ended early",
                program.display()
            ),
        },
    }
}
