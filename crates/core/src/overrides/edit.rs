//! The change to the overrides that one command makes.

use serde::{Deserialize, Serialize};

use super::Definition;

/// A change to the overrides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Edit {
    /// Adds definitions in order. Their generation is 0, and a replacing definition may have no
    /// priority: `OverrideState::apply` sets both.
    Set { definitions: Vec<Definition> },
    /// Removes all definitions at these paths and below them.
    Unset { paths: Vec<Vec<String>> },
    /// Restores the definitions of an earlier generation.
    Rollback {
        to: u64,
        definitions: Vec<Definition>,
        /// The definitions that survive a reboot (see `OverrideState`).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<Definition>,
        /// The definitions of generation 0, which survived the last reboot. Only the first record
        /// of a boot can contain them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        survived: Vec<Definition>,
    },
    /// Removes all definitions.
    Reset,
}
