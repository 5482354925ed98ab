//! The section of a report that lists overridden options.

use schemars::JsonSchema;
use serde::Serialize;

use crate::attributes::written;
use crate::overrides::OverrideState;

/// The option overrides in force.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverriddenOptions {
    /// The number of the last generation.
    pub generation: u64,
    /// The paths of the overridden options.
    pub options: Vec<String>,
}

impl OverriddenOptions {
    pub fn of(overrides: &OverrideState) -> Self {
        let paths = overrides.definitions.iter();
        let mut options: Vec<String> = paths.map(|one| written(&one.path)).collect();
        options.dedup();
        Self {
            generation: overrides.generation,
            options,
        }
    }
}
