//! The differences between two generations of overrides.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::fold::add;
use super::{Definition, OverrideState};

/// A path whose override differs between the two generations.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideDifference {
    /// The attribute path, as a list of names.
    pub path: Vec<String>,
    /// The value in the first generation; absent if there was no override. Several definitions are
    /// combined into one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value in the second generation; absent if there was no override.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Returns the differences, sorted by path. If both generations override an option with attribute
/// sets, compares the attributes.
pub fn diff(before: &OverrideState, after: &OverrideState) -> Vec<OverrideDifference> {
    let paths: BTreeSet<&Vec<String>> = [before, after]
        .iter()
        .flat_map(|state| state.definitions.iter().map(|one| &one.path))
        .collect();
    let mut found = Vec::new();
    for path in paths {
        let (old, new) = (at(before, path), at(after, path));
        let (old_value, new_value) = (value(&old), value(&new));
        let known = found.len();
        compare(
            &mut path.clone(),
            old_value.as_ref(),
            new_value.as_ref(),
            &mut found,
        );
        // Definitions with the same value but different modes have different effects on the
        // configuration.
        let first_mode = |all: &[&Definition]| all.first().map(|one| one.mode);
        if found.len() == known && first_mode(&old) != first_mode(&new) {
            found.push(OverrideDifference {
                path: path.clone(),
                before: old_value,
                after: new_value,
            });
        }
    }
    found
}

fn at<'a>(state: &'a OverrideState, path: &[String]) -> Vec<&'a Definition> {
    let all = state.definitions.iter();
    all.filter(|one| one.path == path).collect()
}

/// Returns the combined value of the definitions of a path.
fn value(definitions: &[&Definition]) -> Option<Value> {
    let (first, others) = definitions.split_first()?;
    let mut value = first.value.clone();
    for one in others {
        add(&mut value, one.value.clone());
    }
    Some(value)
}

/// Compares two values. For two attribute sets, compares the attributes.
fn compare(
    path: &mut Vec<String>,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<OverrideDifference>,
) {
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                path.push(name.clone());
                compare(path, old.get(name), new.get(name), found);
                path.pop();
            }
        }
        _ if before == after => {}
        _ => found.push(OverrideDifference {
            path: path.clone(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Mode;
    use super::*;
    use crate::overrides::Edit;

    fn state(definitions: &[(&str, Value, Mode)]) -> OverrideState {
        let definition = |(path, value, mode): &(&str, Value, Mode)| Definition {
            path: crate::attributes::parse(path).expect("a path"),
            value: value.clone(),
            mode: *mode,
            ..Definition::default()
        };
        let definitions = definitions.iter().map(definition).collect();
        let set = Edit::Set { definitions };
        OverrideState::default().apply(&set, 1).expect("applied")
    }

    fn difference(before: &OverrideState, after: &OverrideState) -> Value {
        serde_json::to_value(diff(before, after)).expect("JSON")
    }

    #[test]
    fn only_changed_values_are_listed() {
        use Mode::Replace;
        let before = state(&[
            ("same", json!(1), Replace),
            ("gone", json!([1]), Replace),
            ("set", json!({"x": 1, "y": 2, "z": {"k": 1}}), Replace),
        ]);
        let after = state(&[
            ("new", json!(null), Replace),
            ("set", json!({"x": 1, "y": 3, "z": {}}), Replace),
            ("same", json!(1), Replace),
        ]);
        assert_eq!(
            difference(&before, &after),
            json!([
                {"path": ["gone"], "before": [1]},
                {"path": ["new"], "after": null},
                {"path": ["set", "y"], "before": 2, "after": 3},
                {"path": ["set", "z", "k"], "before": 1},
            ])
        );
        assert_eq!(diff(&before, &before), []);
    }

    #[test]
    fn merges_are_combined() {
        use Mode::{Merge, Replace};
        let before = state(&[("l", json!([1]), Merge)]);
        let after = state(&[("l", json!([1]), Merge), ("l", json!([2]), Merge)]);
        assert_eq!(
            difference(&before, &after),
            json!([{"path": ["l"], "before": [1], "after": [1, 2]}])
        );
        let replaced = state(&[("l", json!([1]), Replace)]);
        assert_eq!(
            difference(&before, &replaced),
            json!([{"path": ["l"], "before": [1], "after": [1]}])
        );
    }
}
