//! Answers a shell that asks how a command line goes on. Reads what was baked, and evaluates nothing.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::engine::CompletionCandidate;

use super::Cli;
use crate::baked::Baked;
use crate::error::neutral;
use crate::locations::Locations;
use crate::registry::description;

/// Where the completions that a shell runs say that it is completions that they want.
pub const COMPLETE: &str = "RUNTIME_MODULE_COMPLETE";

/// Answers a shell that asks how a command line goes on, and ends the process; else does nothing.
pub fn complete() {
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .var(COMPLETE)
        .complete();
}

/// The root that completions look below: they are asked for before the command line is whole.
fn completed_root() -> PathBuf {
    std::env::var_os("RUNTIME_MODULE_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// The modules that a name may be completed to. A shell is told nothing of what cannot be read.
pub fn candidates() -> Vec<CompletionCandidate> {
    let locations = Locations::new(completed_root(), "/var/empty");
    let baked = Baked::read(&locations).ok().flatten();
    baked
        .iter()
        .flat_map(Baked::registry)
        .map(|module| {
            let help = description(&module).map(|text| neutral(&text).into());
            CompletionCandidate::new(neutral(&module.name)).help(help)
        })
        .collect()
}
