//! Runs our own program for a benchmark, in a process of its own, as a user would start it.
//!
//! Takes a command and returns the JSON document that it prints. An error of the command is
//! returned as our own.

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use serde_json::Value;

use crate::cli::Global;
use crate::error::Failed;
use crate::session::Session;
use crate::worker::run_ourselves;

/// Runs a command to its end with the global options of this run.
pub fn ourselves(
    session: &Session,
    command: &str,
    names: &[String],
    more: &[&str],
) -> Result<Value> {
    let mut arguments: Vec<String> = vec![command.into()];
    arguments.extend(names.iter().cloned());
    arguments.extend(["--json", "--progress", "off"].map(String::from));
    arguments.extend(more.iter().map(|word| (*word).to_string()));
    arguments.extend(passed_on(&session.global));
    let done = run_ourselves(&arguments)?;
    let document: Value = serde_json::from_slice(&done.stdout)
        .with_context(|| format!("cannot read the output of `{command}`"))?;
    match serde_json::from_value::<Failed>(document["error"].clone()) {
        Ok(failed) => Err(failed.into()),
        Err(_) => Ok(document),
    }
}

/// Turns the global options of this run into arguments for the commands that it starts.
fn passed_on(global: &Global) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_string()));
    for (name, value) in [
        ("--store", &global.store),
        ("--flake", &global.flake),
        ("--host", &global.host),
    ] {
        if let Some(value) = value {
            add(&[name, value]);
        }
    }
    for pair in global.override_input.chunks_exact(2) {
        add(&["--override-input", &pair[0], &pair[1]]);
    }
    for pair in global.option.chunks_exact(2) {
        add(&["--option", &pair[0], &pair[1]]);
    }
    for (name, path) in [("--root", &global.root), ("--cache", &global.cache)] {
        if let Some(path) = path {
            add(&[name, &path.to_string_lossy()]);
        }
    }
    for (name, is) in [
        ("--impure", global.impure),
        ("--low-memory", global.low_memory),
        ("--show-trace", global.show_trace),
    ] {
        if is {
            add(&[name]);
        }
    }
    let elevate = global
        .elevate
        .and_then(|elevate| elevate.to_possible_value());
    if let Some(elevate) = &elevate {
        add(&["--elevate", elevate.get_name()]);
    }
    arguments
}
