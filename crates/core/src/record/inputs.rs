//! The inputs from which the running system was built, and the comparison of a base with a pin.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The flake or one of its inputs, as used by the evaluation of the running system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputNode {
    /// The folder of the input. A path that begins with `.` is relative to the folder of the flake.
    pub path: String,
    /// Whether the input is a flake.
    pub flake: bool,
    /// The NAR hash of the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nar_hash: Option<String>,
    /// The commit hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<String>,
    /// The number of commits up to this commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev_count: Option<u64>,
    /// The time of the last change in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<u64>,
    /// The inputs of this input, as a map from name to index in the graph.
    pub inputs: BTreeMap<String, usize>,
}

impl InputNode {
    /// Returns the store path of the tree, given the store folder. Returns `None` if the input is
    /// part of the flake's own tree.
    pub fn source(&self, store: &str) -> Option<&str> {
        let rest = self.path.strip_prefix(store)?.strip_prefix('/')?;
        let name = rest.find('/').unwrap_or(rest.len());
        Some(&self.path[..store.len() + 1 + name])
    }
}

/// The result of comparing a base with the toplevel to which a pin evaluates without modules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComparedBase {
    /// The store path of the base.
    pub toplevel: String,
    /// The store path of the toplevel to which the pin evaluates without modules.
    pub evaluated: String,
}

/// The relation between a base and its pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaseStatus {
    /// The base and the pin were never compared.
    NeverCompared,
    /// The pin evaluates to the base.
    Same,
    /// The pin evaluates to a different system.
    Differs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_has_the_store_path_of_its_tree() {
        let source = |path: &str| {
            let node = InputNode {
                path: path.into(),
                ..InputNode::default()
            };
            node.source("/nix/store").map(String::from)
        };
        let tree = Some("/nix/store/abc-source".to_string());
        assert_eq!(source("/nix/store/abc-source"), tree);
        assert_eq!(source("/nix/store/abc-source/sub/./x"), tree);
        assert_eq!(source("./sub"), None);
        assert_eq!(source("/elsewhere/abc-source"), None);
    }
}
