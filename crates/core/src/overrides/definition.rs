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
    /// The store paths in the value of a Nix expression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub store_paths: Vec<StorePath>,
}

impl Definition {
    /// Adds the store paths of another value, and drops those that the value does not contain any more.
    pub(super) fn add_store_paths(&mut self, others: Vec<StorePath>) {
        for one in others {
            if !self.store_paths.contains(&one) {
                self.store_paths.push(one);
            }
        }
        let value = &self.value;
        self.store_paths.retain(|one| names(value, &one.path));
    }
}

/// A store path in strings of a value. In an evaluation, these strings depend on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorePath {
    pub path: String,
    /// The derivation that makes it; `None` for a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<DerivationOutput>,
}

impl StorePath {
    /// Returns the path that must stay in the store: the derivation, which can make its output again, or the source.
    pub fn required(&self) -> &str {
        self.made_by.as_ref().map_or(&self.path, |made| &made.drv)
    }
}

/// An output of a derivation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DerivationOutput {
    /// Store path of the derivation.
    pub drv: String,
    /// Name of the output.
    pub output: String,
}

/// Returns whether a string of the value contains a text.
fn names(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(elements) => elements.iter().any(|one| names(one, text)),
        Value::Object(attributes) => attributes.values().any(|one| names(one, text)),
        _ => false,
    }
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
