//! The evaluated units and etc entries of a configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The evaluated values of some [`super::Parts`], as `system.nix` returns them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EvaluatedParts {
    /// Whether `/etc` is an overlay. Its entries cannot be replaced one by one.
    pub overlay: bool,
    /// The units by name; `None` for a unit that the configuration does not have.
    pub units: BTreeMap<String, Option<EvaluatedUnit>>,
    /// The etc entries by their path below `/etc`; `None` for an entry that the configuration does
    /// not have.
    pub etc: BTreeMap<String, Option<EvaluatedEntry>>,
}

/// An evaluated unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EvaluatedUnit {
    pub enable: bool,
    /// The content of the unit file; `None` if the file comes from a package.
    pub text: Option<String>,
    /// The paths of the links to the unit below the unit folder: its aliases, and links such as
    /// `multi-user.target.wants/x.service`.
    pub links: Vec<String>,
    /// The derivations that the text depends on.
    pub derivations: Vec<String>,
}

/// An evaluated etc entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EvaluatedEntry {
    pub enable: bool,
    /// `symlink` for a link, or the mode of a copy.
    pub mode: String,
    /// The store path of the content.
    pub source: String,
    /// The content, if the configuration contains it as text.
    pub text: Option<String>,
    /// The derivations that the source depends on.
    pub derivations: Vec<String>,
}

impl EvaluatedParts {
    pub fn is_empty(&self) -> bool {
        self.units.is_empty() && self.etc.is_empty()
    }

    /// Returns the derivations to build.
    pub fn derivations(&self) -> impl Iterator<Item = &str> {
        let units = self
            .units
            .values()
            .flatten()
            .flat_map(|unit| &unit.derivations);
        let entries = self
            .etc
            .values()
            .flatten()
            .flat_map(|entry| &entry.derivations);
        units.chain(entries).map(String::as_str)
    }
}
