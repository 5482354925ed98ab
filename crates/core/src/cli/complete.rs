//! Answers completion requests from a shell. Reads the baked configuration file, the records, saved
//! option names and the lock file of the flake, but evaluates nothing.
//!
//! Ignores files that it cannot read, because a completion cannot report errors.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

use super::complete_options;
use crate::attributes::written;
use crate::baked::Baked;
use crate::clock::now;
use crate::error::neutral;
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::option_names::OptionNames;
use crate::record::{Pin, State, reachable};
use crate::reference::directory;
use crate::registry::description;

/// The environment variable that a shell sets to request completions.
pub const COMPLETE: &str = "RUNTIME_MODULE_COMPLETE";

/// Completes the names of all modules.
pub(super) fn modules() -> ArgValueCandidates {
    ArgValueCandidates::new(|| CompletionData::read().modules(|_| true))
}

/// Completes the names of inactive modules.
pub(super) fn modules_off() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let known = CompletionData::read();
        let on = known.on();
        known.modules(|name| !on.contains(name))
    })
}

/// Completes the names of requested modules.
pub(super) fn modules_on() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let known = CompletionData::read();
        let wanted = known.wanted();
        let mut on = known.modules(|name| wanted.contains(name));
        // Some requested modules may not be in the registry of the running system, for example if
        // they are from another flake.
        let given: Vec<_> = on.iter().map(|one| one.get_value().to_owned()).collect();
        let others = wanted.iter().map(|name| neutral(name));
        let others = others.filter(|name| given.iter().all(|one| one != OsStr::new(name)));
        on.extend(others.map(CompletionCandidate::new));
        on
    })
}

/// Completes the names of hosts that are known without an evaluation.
pub(super) fn hosts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| CompletionData::read().hosts())
}

/// Completes the specialisations of the running system and of its base.
pub(super) fn specialisations() -> ArgValueCandidates {
    ArgValueCandidates::new(|| CompletionData::read().specialisations())
}

/// Completes the numbers of the recorded states to which `rollback` can return.
pub(super) fn past() -> ArgValueCandidates {
    ArgValueCandidates::new(|| CompletionData::read().past())
}

/// Completes the paths of overridden options.
pub(super) fn overridden() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let state = CompletionData::read().state.unwrap_or_default();
        let paths = state.overrides.definitions.iter();
        let paths: BTreeSet<String> = paths.map(|one| neutral(&written(&one.path))).collect();
        named(paths.iter().map(String::as_str))
    })
}

/// Completes option paths. Each path is followed by its value, so only every second word is a path.
pub(super) fn options() -> ArgValueCompleter {
    ArgValueCompleter::new(OptionPaths)
}

struct OptionPaths;

impl ValueCompleter for OptionPaths {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        self.complete_at(0, current)
    }

    fn complete_at(&self, index: usize, current: &OsStr) -> Vec<CompletionCandidate> {
        // clap reports the same index for the first two words.
        let word_of_value = index > 0 && index.is_multiple_of(2);
        let known = CompletionData::read();
        let overrides = known.state.iter().map(|state| &state.overrides);
        let overridden = overrides.flat_map(|overrides| &overrides.definitions);
        let overridden: BTreeSet<String> = overridden.map(|one| written(&one.path)).collect();
        let names = known.option_names().unwrap_or_default();
        let is_option = |word: String| {
            overridden.contains(&word) || names.possible(&word).iter().any(|path| *path == word)
        };
        if word_of_value || index == 0 && previous_word().is_some_and(is_option) {
            return Vec::new();
        }
        let begun = current.to_string_lossy();
        let possible = names.possible(&begun);
        let overridden = overridden.iter().map(String::as_str);
        let paths = overridden.chain(possible.iter().map(AsRef::as_ref));
        let found = complete_options::complete(&begun, paths);
        named(found.iter().map(String::as_str))
    }
}

/// Completes the short names of stores.
pub(super) fn stores() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        [
            ("auto", "Default store of this machine"),
            ("daemon", "Store of the Nix daemon"),
            ("local", "Local store without the daemon"),
        ]
        .map(|(name, help)| CompletionCandidate::new(name).help(Some(help.into())))
        .into()
    })
}

/// Completes flake references as directories, because most references are directories.
pub(super) fn flakes() -> ArgValueCompleter {
    ArgValueCompleter::new(PathCompleter::dir())
}

/// Completes the paths of files and directories.
pub(super) fn paths() -> ArgValueCompleter {
    ArgValueCompleter::new(PathCompleter::any())
}

/// Completes the name of an input, and then the reference of the flake that replaces it.
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
        let mut names = CompletionData::read().inputs();
        names.retain(|name| name.starts_with(&*begun));
        names.into_iter().map(CompletionCandidate::new).collect()
    }
}

/// The data about this machine that completions need.
struct CompletionData {
    locations: Locations,
    baked: Option<Baked>,
    state: Option<State>,
    running: Option<String>,
}

impl CompletionData {
    /// Reads the data. The command line is incomplete, so only the environment can name a different
    /// root directory.
    fn read() -> Self {
        let root = std::env::var_os("RUNTIME_MODULE_ROOT")
            .map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let locations = Locations::new(root, cache_folder());
        Self {
            baked: LocalHost::new(&locations).baked().ok().flatten(),
            state: LocalHost::new(&locations).state().ok(),
            running: LocalHost::new(&locations).running(),
            locations,
        }
    }

    /// Returns the modules whose names satisfy `asked`.
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

    /// Returns the requested modules, including those of a transaction that has not ended.
    fn wanted(&self) -> BTreeSet<&str> {
        let pending = self
            .state
            .iter()
            .filter_map(|state| state.unfinished_transaction(self.running.as_deref()))
            .flat_map(|pending| &pending.wanted);
        let wanted = self.state.iter().flat_map(|state| &state.wanted);
        wanted.chain(pending).map(String::as_str).collect()
    }

    /// Returns the active modules. During a transaction, returns the requested modules instead.
    /// After an external switch, returns none.
    fn on(&self) -> BTreeSet<&str> {
        let running = self.running.as_deref();
        match &self.state {
            Some(state) if state.unfinished_transaction(running).is_some() => self.wanted(),
            Some(state) if state.current.as_deref() == running => {
                state.active.iter().map(String::as_str).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// Returns the options of the pinned source, if an earlier evaluation has saved them.
    fn option_names(&self) -> Option<OptionNames> {
        let pin = self.pin()?;
        OptionNames::read(&self.locations, &pin.host, &pin.locked)
    }

    /// Returns the pinned flake, or else the baked one.
    fn pin(&self) -> Option<Pin> {
        let recorded = self
            .state
            .as_ref()
            .and_then(|state| state.configuration.as_ref());
        match recorded {
            Some(configuration) => configuration.source.pin().cloned(),
            None => self.baked.as_ref()?.source()?.pin().cloned(),
        }
    }

    fn hosts(&self) -> Vec<CompletionCandidate> {
        let baked = self.baked.iter().map(|baked| baked.host.as_str());
        let recorded = self.state.iter().flat_map(|state| &state.configuration);
        let pinned = recorded.filter_map(|configuration| configuration.source.pin());
        let names: BTreeSet<&str> = baked.chain(pinned.map(|pin| pin.host.as_str())).collect();
        named(names)
    }

    fn specialisations(&self) -> Vec<CompletionCandidate> {
        let base = self.state.iter().filter_map(|state| state.base.as_ref());
        let systems = base
            .map(|base| PathBuf::from(&base.toplevel))
            .chain(LocalHost::new(&self.locations).running().map(PathBuf::from));
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
        let history = LocalHost::new(&self.locations)
            .history()
            .unwrap_or_default();
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

    /// Returns the inputs of the pinned flake, according to its lock file.
    fn inputs(&self) -> Vec<String> {
        let Some(pin) = self.pin() else {
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

/// Returns the word that precedes the word to complete.
fn previous_word() -> Option<String> {
    let words: Vec<_> = std::env::args_os()
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok();
    let index: usize = match index {
        Some(index) => index.parse().ok()?,
        None => words.len().checked_sub(1)?,
    };
    let word = words.get(index.checked_sub(1)?)?;
    word.to_str().map(String::from)
}

/// Returns the cache directory, as determined by the environment alone.
fn cache_folder() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let own = || {
        let base = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        let base = base.or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
        Some(base.join("runtime-module"))
    };
    variable("RUNTIME_MODULE_CACHE")
        .or_else(own)
        .unwrap_or_else(|| PathBuf::from("/var/empty"))
}

fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<CompletionCandidate> {
    let names = names.into_iter().map(neutral);
    names.map(CompletionCandidate::new).collect()
}
