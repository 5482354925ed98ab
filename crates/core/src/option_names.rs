//! Saves the option names of a configuration, so that shells can complete option paths.
//!
//! Each host has one file. In addition to the names, the file contains the source and the modules
//! of the evaluation that wrote it. Completion ignores a file that was written for a different
//! source. If only the modules have changed, the next evaluation of an override rewrites the file.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::attributes::written;
use crate::cache_files::replace;
use crate::estimate::host_file;
use crate::fault::Point;
use crate::locations::Locations;

/// An evaluated configuration.
pub struct ListedConfiguration<'a> {
    pub host: &'a str,
    /// The locked reference of the source.
    pub source: &'a str,
    /// The modules that extend the host.
    pub modules: Vec<String>,
}

/// The options of a configuration that an override can set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettableOptions {
    /// The paths of all options, without the options inside submodules (see `submodules`).
    pub paths: Vec<Vec<String>>,
    pub submodules: Vec<Submodules>,
}

impl SettableOptions {
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

/// The options inside the value of another option.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submodules {
    /// The path of the option whose value contains the submodules.
    pub option: Vec<String>,
    /// The names of the submodules, or `None` if the value itself is a submodule.
    pub names: Option<Vec<String>>,
    /// The paths of the options in a submodule.
    pub options: Vec<Vec<String>>,
}

impl Submodules {
    /// Returns the full paths of the inner options, in Nix syntax.
    fn paths(&self) -> Vec<String> {
        let with = |name: Option<&String>, inner: &[String]| {
            let path = self.option.iter().chain(name).chain(inner).cloned();
            written(&path.collect::<Vec<_>>())
        };
        let below = |name| self.options.iter().map(move |inner| with(name, inner));
        match &self.names {
            None => below(None).collect(),
            Some(names) => names.iter().flat_map(|name| below(Some(name))).collect(),
        }
    }
}

/// The saved option names of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptionNames {
    /// The version of the format, always [`SCHEMA`].
    schema: u64,
    /// The locked reference of the source.
    source: String,
    /// The modules that extended the host.
    modules: Vec<String>,
    /// The option paths, in Nix syntax.
    paths: Vec<String>,
    submodules: Vec<Submodules>,
}

/// The version of the file's format.
const SCHEMA: u64 = 2;

impl OptionNames {
    /// Reads the names that were saved for a source. Returns `None` if no names were saved.
    pub fn read(locations: &Locations, host: &str, source: &str) -> Option<Self> {
        let text = fs::read(file(locations, host)).ok()?;
        serde_json::from_slice::<Self>(&text)
            .ok()
            .filter(|names| names.schema == SCHEMA && names.source == source)
    }

    /// Returns whether the names of this configuration are already saved.
    pub fn are_known(locations: &Locations, configuration: &ListedConfiguration<'_>) -> bool {
        Self::read(locations, configuration.host, configuration.source)
            .is_some_and(|names| names.modules == configuration.modules)
    }

    /// Saves the names of a configuration. Ignores errors, because an unwritable cache must not
    /// fail the command.
    pub fn write(
        locations: &Locations,
        configuration: &ListedConfiguration<'_>,
        settable: SettableOptions,
    ) {
        let names = Self {
            schema: SCHEMA,
            source: configuration.source.into(),
            modules: configuration.modules.clone(),
            paths: settable.paths.iter().map(|path| written(path)).collect(),
            submodules: settable.submodules,
        };
        if let Ok(text) = serde_json::to_vec(&names) {
            let file = file(locations, configuration.host);
            let _ = replace(&file, &text, Point::CacheOptions);
        }
    }

    /// Returns the option paths among which to look for completions of a word: the paths of all
    /// options, and paths inside the value of an option if the word already continues below that
    /// option.
    pub fn possible(&self, word: &str) -> Vec<Cow<'_, str>> {
        let entered = |one: &&Submodules| word.starts_with(&(written(&one.option) + "."));
        let inner = self.submodules.iter().filter(entered);
        let inner = inner.flat_map(Submodules::paths).map(Cow::from);
        self.paths.iter().map(Cow::from).chain(inner).collect()
    }
}

fn file(locations: &Locations, host: &str) -> PathBuf {
    locations.option_names().join(host_file(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(String::from).collect()
    }

    #[test]
    fn inner_options_follow_a_completed_option() {
        let names = OptionNames {
            paths: vec!["a.hosts".into(), "a.settings".into(), "b".into()],
            submodules: vec![
                Submodules {
                    option: path("a.hosts"),
                    names: Some(vec!["x.y".into(), "z".into()]),
                    options: vec![path("root"), path("ssl.key")],
                },
                Submodules {
                    option: path("a.settings"),
                    names: None,
                    options: vec![path("port")],
                },
            ],
            ..OptionNames::default()
        };
        let added = |word: &str| names.possible(word)[3..].to_vec();
        assert_eq!(names.possible("a.hosts"), ["a.hosts", "a.settings", "b"]);
        assert_eq!(added("a.settings."), ["a.settings.port"]);
        assert_eq!(
            added("a.hosts.\"x"),
            [
                "a.hosts.\"x.y\".root",
                "a.hosts.\"x.y\".ssl.key",
                "a.hosts.z.root",
                "a.hosts.z.ssl.key"
            ]
        );
    }
}
