//! The description of an option that a new override sets.

use serde::{Deserialize, Serialize};

/// The option that a path belongs to, as `overrides.nix` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescribedOption {
    pub kind: PathKind,
    /// The path of the option, or the part of the path that exists.
    pub at: Vec<String>,
    /// The names of the options and sets at `at`, for suggestions.
    pub known: Vec<String>,
    /// The description of the option's type.
    #[serde(rename = "type")]
    pub type_description: Option<String>,
    pub read_only: bool,
    pub internal: bool,
    pub visible: bool,
    /// The priority of the definitions in force at the path; `None` if the path has no definition.
    pub priority: Option<i64>,
    /// The files of the definitions in force.
    pub files: Vec<String>,
}

/// The kind of object that a path names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathKind {
    /// An option, or a part of its value.
    #[default]
    Option,
    /// A set of options.
    Namespace,
    /// Neither an option nor a set of options.
    Unknown,
    /// An element of a list.
    List,
    /// A part of a value whose type does not merge definitions.
    Opaque,
}
