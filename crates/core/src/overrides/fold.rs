//! Merges JSON values.

use serde_json::{Map, Value};

/// Returns whether the module system can merge the two values. It merges attribute sets with
/// attribute sets, recursively, and lists with lists.
pub(super) fn can_add(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => new
            .iter()
            .all(|(name, new)| old.get(name).is_none_or(|old| can_add(old, new))),
        (Value::Array(_), Value::Array(_)) => true,
        _ => false,
    }
}

/// Adds a value to another value. Merges attribute sets recursively, appends lists, and replaces
/// all other values.
pub(super) fn add(old: &mut Value, new: Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, new) in new {
                match old.get_mut(&name) {
                    Some(old) => add(old, new),
                    None => drop(old.insert(name, new)),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => old.extend(new),
        (old, new) => *old = new,
    }
}

/// Finds the value that blocks a path: the first value on the path that is not an attribute set
/// although the path continues below it. Also returns the number of names before this value.
pub(super) fn obstacle<'a>(mut value: &'a Value, path: &[String]) -> Option<(usize, &'a Value)> {
    for (depth, name) in path.iter().enumerate() {
        let Some(attributes) = value.as_object() else {
            return Some((depth, value));
        };
        value = attributes.get(name)?;
    }
    None
}

/// Returns the value at a path. If the value is missing, creates it as an empty attribute set.
/// Returns `None` if there is an [`obstacle`].
pub(super) fn entry<'a>(mut value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    for name in path {
        let attributes = value.as_object_mut()?;
        let empty = || Value::Object(Map::new());
        value = attributes.entry(name.clone()).or_insert_with(empty);
    }
    Some(value)
}

/// Returns whether a value contains the path.
pub(super) fn contains(value: &Value, path: &[String]) -> bool {
    path.iter()
        .try_fold(value, |value, name| value.get(name))
        .is_some()
}

/// Removes the value at a path, which must have at least one name.
pub(super) fn remove(value: &mut Value, path: &[String]) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let parent = parents
        .iter()
        .try_fold(value, |value, name| value.get_mut(name));
    if let Some(attributes) = parent.and_then(Value::as_object_mut) {
        attributes.remove(last);
    }
}

/// Removes all parts of `old` that [`add`] would replace with a part of `new`. Returns whether
/// `add` would replace `old` itself.
pub(super) fn remove_replaced(old: &mut Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, new) in new {
                if old
                    .get_mut(name)
                    .is_some_and(|old| remove_replaced(old, new))
                {
                    old.remove(name);
                }
            }
            false
        }
        (Value::Array(_), Value::Array(_)) => false,
        _ => true,
    }
}

/// Returns the attribute set that contains only this value at this path.
pub(super) fn nested(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, name| {
        Value::Object(Map::from_iter([(name.clone(), value)]))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Vec<String> {
        crate::attributes::parse(text).expect("a path")
    }

    #[test]
    fn sets_are_merged_and_lists_are_appended() {
        let mut value = json!({"a": {"x": [1]}, "b": 1});
        add(&mut value, json!({"a": {"x": [2], "y": {}}, "b": [3]}));
        assert_eq!(value, json!({"a": {"x": [1, 2], "y": {}}, "b": [3]}));
        assert!(can_add(&value, &json!({"a": {"x": []}, "c": 1})));
        assert!(!can_add(&value, &json!({"a": {"x": 1}})));
        assert!(!can_add(&json!("a"), &json!("a")));
    }

    #[test]
    fn path_into_a_value_needs_attribute_sets() {
        let mut value = json!({"a": {"x": [1]}});
        assert_eq!(obstacle(&value, &path("a.x.y")), Some((2, &json!([1]))));
        assert_eq!(entry(&mut value.clone(), &path("a.x.y")), None);
        assert_eq!(obstacle(&value, &path("a.x")), None);
        assert_eq!(obstacle(&value, &path("b.x")), None);
        *entry(&mut value, &path("b.x")).expect("a place") = json!(1);
        assert_eq!(value, json!({"a": {"x": [1]}, "b": {"x": 1}}));
        assert!(contains(&value, &path("b.x")) && !contains(&value, &path("a.x.y")));
        remove(&mut value, &path("a.x"));
        remove(&mut value, &path("b.x.y"));
        assert_eq!(value, json!({"a": {}, "b": {"x": 1}}));
    }

    #[test]
    fn only_replaced_parts_are_removed() {
        let mut value = json!({"a": {"x": [1], "y": 1}, "b": 2});
        assert!(!remove_replaced(
            &mut value,
            &json!({"a": {"x": [2], "y": 2}})
        ));
        assert_eq!(value, json!({"a": {"x": [1]}, "b": 2}));
        assert!(remove_replaced(&mut value, &json!([])));
    }
}
