//! Answers completion requests from a shell.

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use crate::runtime_folder::GuestsFolder;

/// The environment variable that a shell sets to request completions.
pub const COMPLETE: &str = "RUNTIME_GUEST_COMPLETE";

/// Completes the names of running guests. Ignores errors, because a completion cannot report them.
pub(super) fn running() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let environment = super::environment::read();
        let folder = environment.folder.as_deref();
        let guests = GuestsFolder::choose(folder, environment.runtime_dir.as_deref());
        let running = guests
            .and_then(|guests| guests.running())
            .unwrap_or_default();
        running
            .iter()
            .map(|name| CompletionCandidate::new(name.as_str()))
            .collect()
    })
}
