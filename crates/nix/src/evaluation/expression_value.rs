//! A Nix expression of the user, and its value as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::overrides::ValuePart;

/// A Nix expression for the value of an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueExpression {
    /// The path of the option, for messages.
    pub path: Vec<String>,
    /// The expression.
    pub text: String,
}

/// The value of an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExpressionValue {
    /// The value as data. A package becomes its store path.
    pub value: Json,
    /// All strings in the value that depend on store paths.
    pub strings: Vec<DependentString>,
    /// The part that is not data. If set, there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<NotData>,
}

/// A string that depends on store paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependentString {
    pub text: String,
    /// The store paths, as `builtins.getContext` describes them.
    pub context: BTreeMap<String, StringContext>,
}

/// The dependency of a string on a store path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StringContext {
    /// Whether the string depends on the path itself.
    pub path: bool,
    /// Whether the string depends on a derivation and all of its outputs.
    pub all_outputs: bool,
    /// The outputs of a derivation on which the string depends.
    pub outputs: Vec<String>,
}

/// The part of a value that is not data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NotData {
    pub(super) what: String,
    pub(super) at: Vec<ValuePart>,
}
