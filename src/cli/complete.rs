//! Answers a shell that asks how a command line goes on. Reads what was baked and what was recorded, and evaluates nothing.
//!
//! A shell is told nothing of what cannot be read: it is no place for errors.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

use super::Cli;
use crate::baked::Baked;
use crate::clock::now;
use crate::error::neutral;
use crate::evaluation::directory;
use crate::locations::Locations;
use crate::record::{State, reachable, read_history, running};
use crate::registry::description;

/// Where the completions that a shell runs say that it is completions that they want.
pub const COMPLETE: &str = "RUNTIME_MODULE_COMPLETE";

/// Answers a shell that asks how a command line goes on, and ends the process; else does nothing.
pub fn complete() {
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .var(COMPLETE)
        .complete();
}

/// The modules there are.
pub(super) fn modules() -> ArgValueCandidates {
    ArgValueCandidates::new(|| Known::read().modules(|_| true))
}

/// Those that are off.
pub(super) fn modules_off() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let known = Known::read();
        let on = known.on();
        known.modules(|name| !on.contains(name))
    })
}

/// Those that are on, or will be once more.
pub(super) fn modules_on() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let known = Known::read();
        let wanted = known.wanted();
        let mut on = known.modules(|name| wanted.contains(name));
        // On without the registry of the system that runs: after another flake, say.
        let told: Vec<_> = on.iter().map(|one| one.get_value().to_owned()).collect();
        let others = wanted.iter().map(|name| neutral(name));
        let others = others.filter(|name| told.iter().all(|one| one != OsStr::new(name)));
        on.extend(others.map(CompletionCandidate::new));
        on
    })
}

/// Hosts that are known without evaluating anything.
pub(super) fn hosts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| Known::read().hosts())
}

/// Specialisations of the system that runs and of its base.
pub(super) fn specialisations() -> ArgValueCandidates {
    ArgValueCandidates::new(|| Known::read().specialisations())
}

/// Past states that can be returned to.
pub(super) fn past() -> ArgValueCandidates {
    ArgValueCandidates::new(|| Known::read().past())
}

/// Stores that have a name.
pub(super) fn stores() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        [
            ("auto", "The one that this machine has"),
            ("daemon", "The one of the Nix daemon"),
            ("local", "This machine's own, without the daemon"),
        ]
        .map(|(name, help)| CompletionCandidate::new(name).help(Some(help.into())))
        .into()
    })
}

/// A flake reference, which is a folder more often than not.
pub(super) fn flakes() -> ArgValueCompleter {
    ArgValueCompleter::new(PathCompleter::dir())
}

/// A file or a folder.
pub(super) fn paths() -> ArgValueCompleter {
    ArgValueCompleter::new(PathCompleter::any())
}

/// The name of an input, and a flake for it.
pub(super) fn inputs() -> ArgValueCompleter {
    ArgValueCompleter::new(Inputs)
}

struct Inputs;

impl ValueCompleter for Inputs {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        self.complete_at(0, current)
    }

    fn complete_at(&self, index: usize, current: &OsStr) -> Vec<CompletionCandidate> {
        if index > 0 {
            return PathCompleter::dir().complete(current);
        }
        let begun = current.to_string_lossy();
        let mut names = Known::read().inputs();
        names.retain(|name| name.starts_with(&*begun));
        names.into_iter().map(CompletionCandidate::new).collect()
    }
}

/// What this machine knows of itself.
struct Known {
    locations: Locations,
    baked: Option<Baked>,
    state: Option<State>,
    running: Option<String>,
}

impl Known {
    /// Completions are asked for before the command line is whole: only the environment can name another root.
    fn read() -> Self {
        let root = std::env::var_os("RUNTIME_MODULE_ROOT")
            .map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let locations = Locations::new(root, "/var/empty");
        Self {
            baked: Baked::read(&locations).ok().flatten(),
            state: State::read(&locations).ok(),
            running: running(&locations),
            locations,
        }
    }

    /// Modules by name, those that are asked for.
    fn modules(&self, asked: impl Fn(&str) -> bool) -> Vec<CompletionCandidate> {
        let registry = self.baked.iter().flat_map(Baked::registry);
        registry
            .filter(|module| asked(&module.name))
            .map(|module| {
                let help = description(&module).map(|text| neutral(&text).into());
                CompletionCandidate::new(neutral(&module.name)).help(help)
            })
            .collect()
    }

    /// Names that are wanted, also by a change that has not ended.
    fn wanted(&self) -> BTreeSet<&str> {
        let pending = self
            .state
            .iter()
            .filter_map(|state| state.unended(self.running.as_deref()))
            .flat_map(|pending| &pending.wanted);
        let wanted = self.state.iter().flat_map(|state| &state.wanted);
        wanted.chain(pending).map(String::as_str).collect()
    }

    /// Names that are on: none is where somebody else has switched since.
    fn on(&self) -> BTreeSet<&str> {
        let running = self.running.as_deref();
        match &self.state {
            Some(state) if state.unended(running).is_some() => self.wanted(),
            Some(state) if state.current.as_deref() == running => {
                state.active.iter().map(String::as_str).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    fn hosts(&self) -> Vec<CompletionCandidate> {
        let baked = self.baked.iter().map(|baked| baked.host.as_str());
        let pin = self.state.iter().filter_map(|state| state.pin.as_ref());
        let names: BTreeSet<&str> = baked.chain(pin.map(|pin| pin.host.as_str())).collect();
        named(names)
    }

    fn specialisations(&self) -> Vec<CompletionCandidate> {
        let base = self.state.iter().filter_map(|state| state.base.as_ref());
        let systems = base
            .map(|base| PathBuf::from(&base.toplevel))
            .chain([self.locations.current_system()]);
        let entries = systems
            .filter_map(|system| system.join("specialisation").read_dir().ok())
            .flatten()
            .flatten();
        let names: BTreeSet<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        named(names.iter().map(String::as_str))
    }

    fn past(&self) -> Vec<CompletionCandidate> {
        let history = read_history(&self.locations).unwrap_or_default();
        reachable(&history, now())
            .enumerate()
            .filter(|(_, entry)| Some(&entry.to) != self.running.as_ref())
            .map(|(order, entry)| {
                CompletionCandidate::new(entry.revision.to_string())
                    .help(Some(neutral(&entry.purpose).into()))
                    .display_order(Some(order))
            })
            .collect()
    }

    /// Inputs of the flake that the running system was built from, by its lock.
    fn inputs(&self) -> Vec<String> {
        let pinned = self.state.as_ref().and_then(|state| state.pin.clone());
        let pin = pinned.or_else(|| self.baked.as_ref().and_then(Baked::pin));
        let Some(pin) = pin else {
            return Vec::new();
        };
        let folder = directory(&pin.locked);
        let lock = Path::new(&pin.source).join(folder).join("flake.lock");
        let lock: serde_json::Value = std::fs::read_to_string(lock)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let root = lock["root"].as_str().unwrap_or("root");
        let inputs = lock["nodes"][root]["inputs"].as_object();
        let names = inputs.into_iter().flat_map(serde_json::Map::keys);
        names.map(|name| neutral(name)).collect()
    }
}

fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<CompletionCandidate> {
    let names = names.into_iter().map(neutral);
    names.map(CompletionCandidate::new).collect()
}
