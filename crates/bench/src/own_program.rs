//! Runs our own program for a benchmark, in a separate process, as a user would start it.
//!
//! Takes a command and returns the JSON document that it prints. If the command fails, returns its
//! error.

use anyhow::{Context as _, Result};
use serde_json::Value;

use runtime_module_core::error::Failed;
use runtime_module_core::options::Options;
use runtime_module_nix::session::NixSession;
use runtime_module_nix::worker::run_own_program;

/// Runs a subcommand of this program with the global options of this run, and returns its JSON
/// output.
pub fn own_program(
    session: &NixSession,
    command: &str,
    names: &[String],
    more: &[&str],
) -> Result<Value> {
    let mut arguments: Vec<String> = vec![command.into()];
    arguments.extend(names.iter().cloned());
    arguments.extend(["--json", "--progress", "off"].map(String::from));
    arguments.extend(more.iter().map(|word| (*word).to_string()));
    arguments.extend(passed_on(&session.options));
    let done = run_own_program(&arguments)?;
    let document: Value = serde_json::from_slice(&done.stdout).with_context(|| {
        format!("cannot parse the output of `runtime-module {command}` as JSON")
    })?;
    match serde_json::from_value::<Failed>(document["error"].clone()) {
        Ok(failed) => Err(failed.into()),
        Err(_) => Ok(document),
    }
}

/// Turns the global options of this run into arguments for the commands that it starts.
fn passed_on(options: &Options) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_string()));
    for (name, value) in [
        ("--store", &options.store),
        ("--flake", &options.source.flake),
        ("--host", &options.source.host),
    ] {
        if let Some(value) = value {
            add(&[name, value]);
        }
    }
    for (input, reference) in &options.source.input_overrides {
        add(&["--override-input", input, reference]);
    }
    for (name, value) in &options.nix_settings {
        add(&["--option", name, value]);
    }
    for (name, path) in [("--root", &options.root), ("--cache", &options.cache)] {
        if let Some(path) = path {
            add(&[name, &path.to_string_lossy()]);
        }
    }
    for (name, is) in [
        ("--impure", options.impure),
        ("--low-memory", options.low_memory),
        ("--show-trace", options.show_trace),
    ] {
        if is {
            add(&[name]);
        }
    }
    if let Some(elevate) = options.elevate {
        add(&["--elevate", elevate.name()]);
    }
    arguments
}
