//! The change to the overrides that one command makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Definition;

/// A change to the overrides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Edit {
    /// Adds definitions in order. Their generation is 0, and a replacing definition may have no
    /// priority: `OverrideState::apply` sets both.
    Set {
        /// The new definitions.
        definitions: Vec<Definition>,
    },
    /// Removes all definitions at these paths and below them.
    Unset {
        /// The paths, each with the names of an attribute path.
        paths: Vec<Vec<String>>,
    },
    /// Restores the definitions of an earlier generation.
    Rollback {
        /// The number of the generation.
        to: u64,
        /// All definitions of that generation.
        definitions: Vec<Definition>,
        /// The definitions that survive a reboot; absent if there are none.
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
