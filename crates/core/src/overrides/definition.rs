//! A definition of an option's value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A definition that an override adds to the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// The path of the option, or of a part of its value.
    pub path: Vec<String>,
    /// The value, as JSON.
    pub value: Value,
    /// Whether the value replaces or extends the other definitions.
    #[serde(default)]
    pub mode: Mode,
    /// The priority of a replacing definition; a smaller number is stronger. Absent for a merge,
    /// which uses the option's current priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The number of the generation that added or last changed the definition.
    pub generation: u64,
    /// Whether the definition survives a reboot.
    #[serde(default)]
    pub persist: bool,
    /// The store paths in the value, if the value comes from a Nix expression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub store_paths: Vec<StringDependency>,
}

impl Definition {
    /// Adds the store paths of another value. Removes store paths that the value no longer
    /// contains.
    pub(super) fn add_store_paths(&mut self, others: Vec<StringDependency>) {
        for one in others {
            if !self.store_paths.contains(&one) {
                self.store_paths.push(one);
            }
        }
        let value = &self.value;
        self.store_paths.retain(|one| names(value, &one.path));
    }
}

/// A store path in the strings of a value. A string that contains the path depends on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StringDependency {
    /// The store path in the value.
    pub path: String,
    /// The derivation output that has this path; absent for a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<DerivationOutput>,
}

impl StringDependency {
    /// Returns the path that must stay in the store: either the source itself, or the derivation
    /// that can build the output again.
    pub fn required(&self) -> &str {
        self.made_by.as_ref().map_or(&self.path, |made| &made.drv)
    }
}

/// An output of a derivation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct DerivationOutput {
    /// The store path of the derivation.
    pub drv: String,
    /// The name of the output.
    pub output: String,
}

/// Returns whether a string in the value contains `text`.
fn names(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(elements) => elements.iter().any(|one| names(one, text)),
        Value::Object(attributes) => attributes.values().any(|one| names(one, text)),
        _ => false,
    }
}

/// The relation of a definition to the other definitions of its option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The definition has a stronger priority than all others, so it replaces them.
    #[default]
    Replace,
    /// The definition has the same priority as the others, so it is merged with them.
    Merge,
}
