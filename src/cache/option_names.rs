//! Remembers the options of a configuration, for the completion of option paths.
//!
//! There is one file for each host. It names the source and the modules of the evaluation that wrote it: the names of another
//! source are not offered, and a change of the modules makes the next evaluation of an override write it again.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::estimate::host_file;
use super::files::replace;
use crate::attributes::written;
use crate::evaluation::Request;
use crate::fault::Point;
use crate::locations::Locations;

/// The options of a host that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptionNames {
    /// Always 1.
    schema: u64,
    /// The locked reference of the source.
    source: String,
    /// The modules that the host was extended with.
    modules: Vec<String>,
    /// The paths, as in Nix.
    pub paths: Vec<String>,
}

impl OptionNames {
    /// Reads the names for a source, if there are any.
    pub fn read(locations: &Locations, host: &str, source: &str) -> Option<Self> {
        let text = fs::read(file(locations, host)).ok()?;
        serde_json::from_slice::<Self>(&text)
            .ok()
            .filter(|names| names.schema == 1 && names.source == source)
    }

    /// Returns whether the names of this evaluation are known already.
    pub fn are_known(locations: &Locations, request: &Request) -> bool {
        Self::read(locations, &request.host, &request.flake.reference)
            .is_some_and(|names| names.modules == modules(request))
    }

    /// Saves the names of an evaluation. An unwritable cache must not fail the command, so errors are ignored.
    pub fn write(locations: &Locations, request: &Request, paths: &[Vec<String>]) {
        let names = Self {
            schema: 1,
            source: request.flake.reference.clone(),
            modules: modules(request),
            paths: paths.iter().map(|path| written(path)).collect(),
        };
        if let Ok(text) = serde_json::to_vec(&names) {
            let _ = replace(&file(locations, &request.host), &text, Point::CacheOptions);
        }
    }
}

fn modules(request: &Request) -> Vec<String> {
    let modules = request.modules.iter().map(|module| module.name.clone());
    let extras = request.extras.iter().map(|extra| extra.name.clone());
    modules.chain(extras).collect()
}

fn file(locations: &Locations, host: &str) -> PathBuf {
    locations.option_names().join(host_file(host))
}
