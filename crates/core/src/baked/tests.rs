//! Tests the reader of config.json against the schema. Other tests check the NixOS module against
//! the same schema. The reader must accept values that the schema allows, and refuse all others.

use serde_json::{Map, Value, json};

use super::*;

const SCHEMA: &str = include_str!("../../../../nixos/runtime-modules/config.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn read(document: &Value) -> Result<Baked, serde_json::Error> {
    serde_json::from_value(document.clone())
}

/// Resolves a `$ref` of a schema, and removes the alternative `null`.
fn followed<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").expect("a definition");
        return &root["$defs"][name];
    }
    let not_null = |one: &&Value| one["type"] != "null";
    match schema["anyOf"].as_array() {
        Some(choices) => followed(root, choices.iter().find(not_null).expect("a choice")),
        None => schema,
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

fn may_be_null(schema: &Value) -> bool {
    let mut choices = schema["anyOf"].as_array().into_iter().flatten();
    types(schema).contains(&"null") || choices.any(|one| one["type"] == "null")
}

/// Returns the values of an enum. A schema lists each value with a description as a separate
/// alternative.
fn choices(schema: &Value) -> Vec<Value> {
    let several = schema["oneOf"].as_array().into_iter().flatten();
    let one = schema["const"].clone();
    let listed = schema["enum"].as_array().cloned().unwrap_or_default();
    let own = listed.into_iter().chain((!one.is_null()).then_some(one));
    own.chain(several.flat_map(choices)).collect()
}

/// Returns values that a schema allows: each choice, or a value of each type.
fn allowed(root: &Value, schema: &Value) -> Vec<Value> {
    let null = may_be_null(schema).then_some(Value::Null);
    let schema = followed(root, schema);
    let mut values: Vec<Value> = null.into_iter().collect();
    if !choices(schema).is_empty() {
        values.extend(choices(schema));
    } else if let Some(pattern) = schema["pattern"].as_str() {
        values.extend(["1s", "60s", "5m", "9999h"].map(Value::from));
        if pattern.contains("ms") {
            values.extend(["0", "90", "1.5", "500ms", "1h30m", "5min", "3650d"].map(Value::from));
        }
    } else {
        for one in types(schema) {
            values.push(match one {
                "string" => json!("text"),
                "integer" => json!(12),
                "boolean" => json!(true),
                "array" => json!([allowed(root, &schema["items"])[0]]),
                "object" => full(root, schema),
                _ => continue,
            });
        }
    }
    values
}

/// Returns an object that has all properties.
fn full(root: &Value, schema: &Value) -> Value {
    let object: Map<_, _> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, of)| Some((name.clone(), allowed(root, of).pop()?)))
        .collect();
    Value::Object(object)
}

/// Returns values that a schema forbids.
fn forbidden(root: &Value, schema: &Value) -> Vec<Value> {
    let null = may_be_null(schema);
    let schema = followed(root, schema);
    let mut values = vec![json!([[]]), json!({ "odd": 1 }), json!(1.5)];
    if !null {
        values.push(Value::Null);
    }
    if !choices(schema).is_empty() {
        values.extend([json!("odd"), json!("Keep"), json!(1)]);
    }
    if schema["pattern"].is_string() {
        values.extend(
            [
                "",
                "s",
                "+5s",
                "-1s",
                "1.m",
                "60 s",
                "10000s",
                "5w",
                "123456789",
            ]
            .map(Value::from),
        );
    }
    let types = types(schema);
    values.extend((!types.is_empty() && !types.contains(&"string")).then_some(json!("text")));
    values.extend((!types.contains(&"integer")).then_some(json!(7)));
    values.extend((!types.contains(&"boolean")).then_some(json!(true)));
    if schema["minimum"] == 0 {
        values.push(json!(-1));
    }
    // Leave out objects with wrong properties: the test changes each of their properties
    // individually.
    values.retain(|value| !(value.is_object() && types.contains(&"object")));
    values
}

/// Calls `look` for each property that the program reads, with the property's JSON pointer, its
/// schema, and whether it is required.
fn each_property(root: &Value, look: &mut dyn FnMut(&str, &Value, bool)) {
    for (prefix, schema) in [
        ("", root),
        ("/file", &root["$defs"]["SystemFile"]),
        ("/flake", &root["$defs"]["BakedFlake"]),
        ("/flake/inputGraph/0", &root["$defs"]["InputNode"]),
        ("/modules/0", &root["$defs"]["BakedModule"]),
    ] {
        let required = schema["required"]
            .as_array()
            .expect("the required properties");
        for (name, of) in schema["properties"].as_object().expect("properties") {
            let read = of["$comment"].is_null();
            // `read_json` checks the schema number, and has its own tests.
            if read && name != "schema" {
                look(
                    &format!("{prefix}/{name}"),
                    of,
                    required.contains(&json!(name)),
                );
            }
        }
    }
}

#[test]
fn values_that_the_schema_allows_are_read() {
    let root = schema();
    let whole = full(&root, &root);
    read(&whole).expect("a document with everything");
    let mut seen = 0;
    each_property(&root, &mut |at, schema, required| {
        for value in allowed(&root, schema) {
            let mut document = whole.clone();
            *document.pointer_mut(at).expect("the property exists") = value.clone();
            read(&document).unwrap_or_else(|error| panic!("{at} = {value}: {error}"));
            seen += 1;
        }
        if !required {
            read(&without(&whole, at)).unwrap_or_else(|error| panic!("no {at}: {error}"));
        }
    });
    assert!(seen > 30, "{seen} values");
}

#[test]
fn values_that_the_schema_forbids_are_refused() {
    let root = schema();
    let whole = full(&root, &root);
    let mut seen = 0;
    each_property(&root, &mut |at, schema, required| {
        for value in forbidden(&root, schema) {
            let mut document = whole.clone();
            *document.pointer_mut(at).expect("the property exists") = value.clone();
            assert!(read(&document).is_err(), "{at} = {value} was accepted");
            seen += 1;
        }
        if required {
            assert!(read(&without(&whole, at)).is_err(), "accepted without {at}");
        }
    });
    assert!(seen > 60, "{seen} values");
}

fn without(document: &Value, at: &str) -> Value {
    let mut document = document.clone();
    let (parent, name) = at.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).expect("the property exists");
    parent
        .as_object_mut()
        .expect("the parent is an object")
        .remove(name);
    document
}

#[test]
fn defaults_match_the_schema() {
    let root = schema();
    let least = json!({ "schema": 1, "host": "box", "modules": [] });
    let baked = read(&least).expect("the smallest document");
    let default = |name: &str| root["properties"][name]["default"].clone();
    assert_eq!(json!(baked.restore_at_boot), default("restoreAtBoot"));
    assert_eq!(baked.on_failed_units, OnFailedUnits::Rollback);
    assert_eq!(default("onFailedUnits"), "rollback");
    assert_eq!(baked.confirm, None);
    assert!(default("confirm").is_null());
    assert_eq!(baked.settle, SETTLE);
    assert_eq!(default("settle"), "3s");
    assert_eq!(baked.elevation, Elevate::Auto);
    assert_eq!(default("elevation"), "auto");
}

#[test]
fn confirmation_times_are_parsed() {
    for (text, seconds) in [("60s", 60), ("5m", 300), ("2h", 7200), ("1h30m", 5400)] {
        let document = json!({ "schema": 1, "host": "box", "modules": [], "confirm": text });
        let baked = read(&document).expect("a time");
        assert_eq!(baked.confirm, Some(Duration::from_secs(seconds)));
    }
}

#[test]
fn settle_time_is_read_in_each_unit() {
    let settle = |text: &str| {
        let document = json!({ "schema": 1, "host": "box", "modules": [], "settle": text });
        read(&document).expect("it is read").settle.as_millis()
    };
    let times = ["0", "500ms", "3s", "2m", "1h"].map(settle);
    assert_eq!(times, [0, 500, 3000, 120_000, 3_600_000]);
}
