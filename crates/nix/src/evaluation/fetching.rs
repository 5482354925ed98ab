//! Sources that cannot be fetched: an unreachable input, or a lock file that is damaged or from
//! another release of Nix.
//!
//! Takes libnix's errors and the lock. Returns a failure with the input, the reason, and the inputs
//! that are or are not in the store. This module fetches nothing.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{Failed, LockError};
use crate::libnix::{NixError, libnix_version};
use crate::wordings::{self, DAMAGED_LOCK, UNFETCHED};

/// The text that libnix puts before the error of a failed download.
const ARCHIVE: &str = "(Source threw exception: error: ";

/// Returns whether a source could not be fetched.
pub(super) fn concerns(error: &NixError) -> bool {
    wordings::says(UNFETCHED, &error.message)
}

/// Returns the message for an error about a source, an input or a lock file; `None` for other
/// errors. `action` is the action that failed.
pub(super) fn failure(action: &str, error: &NixError) -> Option<Failed> {
    let input = Input::of(error);
    if concerns(error) {
        let source = input.as_ref().map(Input::shown);
        let failed = Failed::from(LockError::Unfetched {
            action: action.into(),
            source: source.unwrap_or_else(|| "the source".into()),
            reason: reason(error),
        });
        return Some(match input.and_then(|input| input.name) {
            Some(name) => failed.hint(format!(
                "use a local copy with --override-input {name} path:FOLDER"
            )),
            None => failed,
        });
    }
    if let Some(input) = input.and_then(|input| input.name)
        && error.message.contains("does not exist")
    {
        let (action, reason) = (action.into(), reason(error));
        return Some(
            LockError::NoInput {
                action,
                input,
                reason,
            }
            .into(),
        );
    }
    lock(action, error)
}

/// Returns the name of the input that the trace of an error names, such as `a` or `a/b`.
pub(super) fn input_name(error: &NixError) -> Option<String> {
    Input::of(error)?.name
}

/// Returns the error for an unusable lock file.
fn lock(action: &str, error: &NixError) -> Option<Failed> {
    let message = error.message.trim();
    let action = action.into();
    if let Some((_, version)) = message.split_once(" has unsupported version ") {
        let (version, libnix) = (version.into(), libnix_version());
        return Some(
            LockError::LockFileVersion {
                action,
                version,
                libnix,
            }
            .into(),
        );
    }
    let reason = wordings::without_json_error(message).into();
    wordings::says(DAMAGED_LOCK, message)
        .then(|| LockError::DamagedLockFile { action, reason }.into())
}

/// Returns the first line of the reason, without libnix's text around a failed download.
fn reason(error: &NixError) -> String {
    let message = error.message.trim();
    let inner = message.split_once(ARCHIVE).map_or(message, |(_, inner)| {
        inner.strip_suffix(')').unwrap_or(inner)
    });
    inner.lines().next().unwrap_or_default().trim().to_string()
}

/// The input in the trace of an error.
struct Input {
    name: Option<String>,
    reference: Option<String>,
}

impl Input {
    fn of(error: &NixError) -> Option<Self> {
        let quoted = |before: &str| {
            let hints = error.traces.iter().map(|trace| trace.hint.as_str());
            let rest = hints.rev().find_map(|hint| hint.strip_prefix(before))?;
            Some(rest.strip_suffix('\'')?.to_string())
        };
        let input = Self {
            name: quoted("while updating the flake input '"),
            reference: quoted("while fetching the input '"),
        };
        (input.name.is_some() || input.reference.is_some()).then_some(input)
    }

    fn shown(&self) -> String {
        match (&self.name, &self.reference) {
            (Some(name), Some(reference)) => format!("the input {name} ({reference})"),
            (Some(name), None) => format!("the input {name}"),
            (None, Some(reference)) => format!("the source {reference}"),
            (None, None) => "a source".into(),
        }
    }
}

/// Adds lists of the locked inputs that are in the store, and of those that are not. `source` is
/// any tree in the store.
pub(super) fn with_inputs(failed: Failed, lock: &str, source: &str) -> Failed {
    let Some(store) = Path::new(source).parent() else {
        return failed;
    };
    let lock: Value = serde_json::from_str(lock).unwrap_or_default();
    let (there, gone): (Vec<_>, Vec<_>) = nodes(&lock)
        .into_iter()
        .filter_map(|(name, hash)| Some((name, tree(store, hash)?)))
        .partition(|(_, path)| path.exists());
    let names = |found: &[(&str, PathBuf)]| {
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let failed = match gone.is_empty() {
        true => failed,
        false => failed.detail(format!(
            "inputs that are not in the store: {}",
            names(&gone)
        )),
    };
    match there.is_empty() {
        true => failed.detail("inputs that are in the store: none"),
        false => failed.detail(format!("inputs that are in the store: {}", names(&there))),
    }
}

/// Returns the node names and store paths of the inputs in a lock file. `source` is any tree in the
/// store.
pub(super) fn input_trees(source: &Path, file: &Path) -> Vec<(String, PathBuf)> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lock: Value = serde_json::from_str(&text).unwrap_or_default();
    let store = source.parent().unwrap_or(source);
    nodes(&lock)
        .into_iter()
        .filter_map(|(name, hash)| Some((name.to_string(), tree(store, hash)?)))
        .collect()
}

/// Returns the inputs of a lock that have a hash: the node name and the hash.
fn nodes(lock: &Value) -> Vec<(&str, &str)> {
    let nodes = lock.get("nodes").and_then(Value::as_object);
    nodes
        .into_iter()
        .flatten()
        .filter_map(|(name, node)| {
            Some((name.as_str(), node.pointer("/locked/narHash")?.as_str()?))
        })
        .collect()
}

/// Computes the store path of a tree with this hash (NixOS/nix, `store-dir-config.cc`:
/// makeFixedOutputPath).
fn tree(store: &Path, hash: &str) -> Option<PathBuf> {
    let sum = BASE64_STANDARD.decode(hash.strip_prefix("sha256-")?).ok()?;
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("source:sha256:{hex}:{}:source", store.display());
    let digest = Sha256::digest(text.as_bytes());
    let mut folded = [0u8; 20];
    for (at, byte) in digest.iter().enumerate() {
        folded[at % 20] ^= byte;
    }
    Some(store.join(format!("{}-source", base32(&folded))))
}

/// Encodes bytes in Nix's base 32: digits from the last to the first, without e, o, t and u.
fn base32(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"0123456789abcdfghijklmnpqrsvwxyz";
    let digits = (bytes.len() * 8).div_ceil(5);
    (0..digits)
        .rev()
        .map(|digit| {
            let (byte, shift) = (digit * 5 / 8, digit * 5 % 8);
            let low = u16::from(bytes[byte]) >> shift;
            let high = bytes
                .get(byte + 1)
                .map_or(0, |next| u16::from(*next) << (8 - shift));
            char::from(DIGITS[usize::from((low | high) & 0x1f)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_path_is_computed_from_the_hash() {
        // The output of `nix-store --print-fixed-path --recursive sha256 … source`.
        let hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let path = tree(Path::new("/nix/store"), hash).expect("a path");
        assert_eq!(
            path.to_str(),
            Some("/nix/store/f6jkrn77ysv9dhs8hh6s2faflhjc930i-source")
        );
    }

    #[test]
    fn reason_of_a_failed_download_is_unwrapped() {
        let error = NixError {
            message: "Failed to open archive (Source threw exception: error: unable to download 'x': no (7))".into(),
            ..NixError::default()
        };
        assert_eq!(reason(&error), "unable to download 'x': no (7)");
    }
}
