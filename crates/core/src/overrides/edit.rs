//! The change to the overrides that one command makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Definition;

/// A change to the overrides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Edit {
    /// Adds definitions in order. Here, their generation is 0, and a replacing definition may have
    /// no priority, because both are set when the edit is applied.
    Set {
        /// The new definitions.
        definitions: Vec<Definition>,
    },
    /// Removes all definitions at these paths and below them.
    Unset {
        /// The attribute paths, each as a list of names.
        paths: Vec<Vec<String>>,
    },
    /// Replaces all definitions, usually with those of an earlier generation. If overrides survived
    /// the last reboot, the first edit of a boot has this kind too.
    Rollback {
        /// The number of the earlier generation. Generation 0 contains the overrides that survived
        /// the last reboot.
        to: u64,
        /// All definitions after the edit.
        definitions: Vec<Definition>,
        /// The definitions that survive a reboot; absent if no definition survives one.
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
