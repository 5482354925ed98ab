//! One generation of overrides: an edit, its time, and the user who made it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Edit;

/// A record in the history of overrides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Generation {
    /// The number of the generation. The first generation of a boot is 1.
    pub number: u64,
    /// The time of the edit in seconds since 1970.
    pub time: u64,
    /// The user who called the program.
    pub user: String,
    /// The user's reason for the edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The name of the transaction that applied the edit.
    pub transaction: String,
    /// The change to the overrides.
    pub edit: Edit,
}

impl Generation {
    /// Describes the edit, such as `set services.x.port, y.z`.
    pub fn words(&self) -> String {
        self.edit.words()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Definition, Mode};
    use super::*;

    fn words(edit: Edit) -> String {
        let generation = Generation {
            number: 1,
            time: 0,
            user: "ada".into(),
            message: None,
            transaction: "t".into(),
            edit,
        };
        let json = serde_json::to_string(&generation).expect("JSON");
        let again: Generation = serde_json::from_str(&json).expect("read back");
        assert_eq!(again, generation);
        generation.words()
    }

    fn definition(name: &str, mode: Mode) -> Definition {
        Definition {
            path: vec!["a.b".into(), name.into()],
            value: 1.into(),
            mode,
            ..Definition::default()
        }
    }

    #[test]
    fn edit_is_described_with_its_paths() {
        let definitions = vec![
            definition("x", Mode::Replace),
            definition("y", Mode::Merge),
            definition("z", Mode::Replace),
        ];
        assert_eq!(
            words(Edit::Set { definitions }),
            "set \"a.b\".x, \"a.b\".z; merge into \"a.b\".y"
        );
        let paths = vec![vec!["a".into(), "b".into()]];
        assert_eq!(words(Edit::Unset { paths }), "unset a.b");
        let definitions = vec![definition("x", Mode::Merge)];
        assert_eq!(
            words(Edit::Rollback {
                to: 3,
                definitions,
                kept: Vec::new(),
                survived: Vec::new(),
            }),
            "roll back overrides to generation 3"
        );
        assert_eq!(words(Edit::Reset), "remove all overrides");
    }

    #[test]
    fn long_description_names_the_first_paths() {
        let paths = (0..10).map(|n| vec![format!("p{n}")]).collect();
        assert_eq!(
            words(Edit::Unset { paths }),
            "unset p0, p1, p2, p3, p4, p5, p6, p7, 2 more"
        );
    }

    #[test]
    fn edit_is_tagged_in_json() {
        let json = serde_json::to_value(Edit::Unset {
            paths: vec![vec!["a".into()]],
        });
        assert_eq!(
            json.expect("JSON"),
            serde_json::json!({"kind": "unset", "paths": [["a"]]})
        );
        let json = serde_json::to_value(Edit::Set {
            definitions: vec![definition("x", Mode::Merge)],
        });
        assert_eq!(
            json.expect("JSON"),
            serde_json::json!({"kind": "set", "definitions": [{
                "path": ["a.b", "x"], "value": 1, "mode": "merge", "generation": 0, "persist": false,
            }]})
        );
    }
}
