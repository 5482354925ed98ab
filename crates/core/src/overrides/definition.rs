//! One definition of an option's value.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A definition that is added to the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// The option, or a part of its value.
    pub path: Vec<String>,
    pub value: Value,
    #[serde(default)]
    pub mode: Mode,
    /// Priority of a replacing definition. A smaller number is stronger. `None` for a merge, which
    /// takes the priority that the option already has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The generation that made the definition or changed it last.
    pub generation: u64,
    /// Whether the definition survives a reboot.
    #[serde(default)]
    pub persist: bool,
}

/// How a definition meets the other definitions of its option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Its priority is stronger than that of the other definitions, so it replaces them.
    #[default]
    Replace,
    /// Its priority is that of the other definitions, so it is merged with them.
    Merge,
}
