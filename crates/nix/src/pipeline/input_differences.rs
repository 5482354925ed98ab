//! Finds the inputs of a lock file that differ from those that the running system was built with.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::evaluation::lock_inputs;
use crate::record::Pin;

/// The digits of Nix's base-32 encoding.
const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// Describes each differing input on a line of its own, or the reason why the differences cannot be
/// found. `baked` contains the sources that the running system records.
pub fn describe_inputs(pin: &Pin, lock: &str, baked: Option<&[String]>) -> Vec<String> {
    let Some(baked) = baked else {
        return vec!["cannot tell which inputs differ: the running system does not record which flake it was built from".into()];
    };
    let store = pin.source.rsplit_once('/').map_or("", |(store, _)| store);
    let names = differing(lock, store, baked);
    if names.is_empty() {
        return vec![
            "cannot tell which inputs differ: the running system was built with every source in flake.lock".into(),
        ];
    }
    let revisions = lock_inputs(lock);
    let line = |name: String| {
        let revision = revisions.get(&name).map_or("?", String::as_str);
        format!(
            "input {name}: flake.lock has {revision}, but the running system was built with another revision"
        )
    };
    names.into_iter().map(line).collect()
}

/// Returns the names of the locked inputs whose trees are not among the sources.
fn differing(lock: &str, store: &str, sources: &[String]) -> Vec<String> {
    let names = lock_inputs(lock).into_keys();
    let lock: Value = serde_json::from_str(lock).unwrap_or_default();
    let is_elsewhere = |name: &String| {
        let hash = node_of(&lock, name).and_then(|node| node.pointer("/locked/narHash"));
        let path = hash
            .and_then(Value::as_str)
            .and_then(|hash| source_path(store, hash));
        path.is_some_and(|path| !sources.contains(&path))
    };
    names.filter(is_elsewhere).collect()
}

/// Finds the node that a path such as `a/b` leads to in a lock, without resolving `follows`.
fn node_of<'a>(lock: &'a Value, name: &str) -> Option<&'a Value> {
    let nodes = lock.get("nodes")?;
    let root = nodes.get(lock.get("root")?.as_str()?)?;
    name.split('/').try_fold(root, |node, name| {
        let key = node.get("inputs")?.get(name)?.as_str()?;
        nodes.get(key)
    })
}

/// Returns the store path of a source tree with this hash.
fn source_path(store: &str, nar_hash: &str) -> Option<String> {
    let digest = from_base64(nar_hash.strip_prefix("sha256-")?)?;
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let fingerprint = Sha256::digest(format!("source:sha256:{digest}:{store}:source"));
    let mut folded = [0u8; 20];
    for (index, byte) in fingerprint.iter().enumerate() {
        folded[index % 20] ^= byte;
    }
    Some(format!("{store}/{}-source", base32(&folded)))
}

/// Encodes bytes in Nix's base-32, which begins with the last bits.
fn base32(bytes: &[u8]) -> String {
    let length = (bytes.len() * 8).div_ceil(5);
    let digit = |position: usize| {
        let bit = position * 5;
        let (index, shift) = (bit / 8, bit % 8);
        let low = u16::from(bytes[index]);
        let high = bytes.get(index + 1).map_or(0, |byte| u16::from(*byte));
        let value = ((high << 8 | low) >> shift) & 31;
        char::from(DIGITS[usize::from(value)])
    };
    (0..length).rev().map(digit).collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of an empty folder, and the store path that Nix gives it under the name `source`.
    const EMPTY: (&str, &str) = (
        "sha256-pQpattmS9VmO3ZIQUFn66az8GSmB4IvYhTTCFn6SUmo=",
        "/nix/store/0ccnxa25whszw7mgbgyzdm4nqc0zwnm8-source",
    );

    fn lock(hash: &str) -> String {
        format!(
            r#"{{"root":"root","nodes":{{"root":{{"inputs":{{"a":"x","b":["a"]}}}},
            "x":{{"locked":{{"narHash":"{hash}"}},"inputs":{{"c":"y"}}}},
            "y":{{"locked":{{"narHash":"sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}}}}}}}"#
        )
    }

    #[test]
    fn source_path_follows_from_the_hash() {
        assert_eq!(source_path("/nix/store", EMPTY.0).as_deref(), Some(EMPTY.1));
        assert_eq!(source_path("/nix/store", "sha256-!"), None);
        assert_eq!(source_path("/nix/store", "md5-x"), None);
    }

    #[test]
    fn inputs_missing_from_the_system_differ() {
        let names = differing(&lock(EMPTY.0), "/nix/store", &[EMPTY.1.into()]);
        assert_eq!(names, ["a/c"]);
        assert_eq!(differing(&lock(EMPTY.0), "/nix/store", &[]), ["a", "a/c"]);
    }
}
