//! Saves the option names of a configuration, so that shells can complete option paths.
//!
//! Each host has one file. The file contains the source and the modules of the evaluation that
//! wrote it. Completion ignores a file of another source. If only the modules have changed, the
//! next evaluation of an override rewrites the file.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::attributes::written;
use crate::cache_files::replace;
use crate::estimate::host_file;
use crate::fault::Point;
use crate::locations::Locations;

/// An evaluated configuration.
pub struct Configuration<'a> {
    pub host: &'a str,
    /// The locked reference of the source.
    pub source: &'a str,
    /// The modules that extend the host.
    pub modules: Vec<String>,
}

/// The options of a host that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptionNames {
    /// The version of the format, always 1.
    schema: u64,
    /// The locked reference of the source.
    source: String,
    /// The modules that extended the host.
    modules: Vec<String>,
    /// The option paths, in Nix syntax.
    pub paths: Vec<String>,
}

impl OptionNames {
    /// Reads the names that were saved for a source. Returns `None` if no names were saved.
    pub fn read(locations: &Locations, host: &str, source: &str) -> Option<Self> {
        let text = fs::read(file(locations, host)).ok()?;
        serde_json::from_slice::<Self>(&text)
            .ok()
            .filter(|names| names.schema == 1 && names.source == source)
    }

    /// Returns whether the names of this configuration are already saved.
    pub fn are_known(locations: &Locations, configuration: &Configuration<'_>) -> bool {
        Self::read(locations, configuration.host, configuration.source)
            .is_some_and(|names| names.modules == configuration.modules)
    }

    /// Saves the names of a configuration. Ignores errors, because an unwritable cache must not
    /// fail the command.
    pub fn write(locations: &Locations, configuration: &Configuration<'_>, paths: &[Vec<String>]) {
        let names = Self {
            schema: 1,
            source: configuration.source.into(),
            modules: configuration.modules.clone(),
            paths: paths.iter().map(|path| written(path)).collect(),
        };
        if let Ok(text) = serde_json::to_vec(&names) {
            let file = file(locations, configuration.host);
            let _ = replace(&file, &text, Point::CacheOptions);
        }
    }
}

fn file(locations: &Locations, host: &str) -> PathBuf {
    locations.option_names().join(host_file(host))
}
