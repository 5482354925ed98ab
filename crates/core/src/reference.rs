//! Reads the parameters of flake references, and creates locked references to store paths.

use serde_json::Value;

use crate::percent;

/// Returns the value of a parameter in a reference, without decoding it.
pub fn parameter<'a>(reference: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = reference.split_once('?')?;
    let mut all = query.split('&').filter_map(|one| one.split_once('='));
    all.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Returns the folder of `flake.nix` in a reference, without decoding it. If the path is
/// percent-encoded, callers do not find the lock file in the folder. The key of a cached result is
/// still correct, because the key also contains the reference itself.
pub fn directory(reference: &str) -> &str {
    parameter(reference, "dir").unwrap_or_default()
}

/// Creates a locked reference to a tree in the store. `attributes` are the attributes of the
/// reference from which the tree was fetched.
pub fn in_store(source: &str, directory: &str, attributes: &Value, with_revision: bool) -> String {
    let text = |name: &str| match attributes.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let directory = Some(directory.to_string()).filter(|directory| !directory.is_empty());
    let revision = |name| text(name).filter(|_| with_revision);
    let query: Vec<String> = [
        ("dir", directory),
        ("lastModified", text("lastModified")),
        ("narHash", text("narHash")),
        ("rev", revision("rev")),
        ("revCount", revision("revCount")),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}={}", percent::encode(&value?))))
    .collect();
    format!("path:{}?{}", percent::encode(source), query.join("&"))
}
