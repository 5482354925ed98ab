//! The units and etc entries that a set of overrides probably changes.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names of units and etc entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Parts {
    pub units: BTreeSet<String>,
    /// Paths below `/etc`.
    pub etc: BTreeSet<String>,
}

impl Parts {
    pub fn is_empty(&self) -> bool {
        self.units.is_empty() && self.etc.is_empty()
    }

    pub fn extend(&mut self, other: Self) {
        self.units.extend(other.units);
        self.etc.extend(other.etc);
    }

    pub fn contains(&self, other: &Self) -> bool {
        self.units.is_superset(&other.units) && self.etc.is_superset(&other.etc)
    }
}
