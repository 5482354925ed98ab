//! The messages between the relay and the activator: a request and an outcome. Each message is a
//! file that only root can read.
//!
//! The messages are files instead of pipes, so that a writer never waits for a reader that has
//! died.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::disk;
use crate::error::TransactionError;
use crate::fault::Point;
use crate::locations::Locations;

/// Returns whether a string is a valid transaction name. The name becomes part of file paths and of
/// a unit name.
pub fn is_transaction(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !name.is_empty() && name.len() <= 64 && !name.starts_with('-') && name.chars().all(plain)
}

/// Returns the time at which a transaction was requested, in milliseconds since 1970. The name of a
/// transaction begins with this time.
pub fn requested_at(name: &str) -> Option<u64> {
    name.split('-').next()?.parse().ok()
}

/// Writes a request for the activator.
pub fn hand_over<T: Serialize>(locations: &Locations, name: &str, request: &T) -> Result<()> {
    let text = serde_json::to_vec(request).context("cannot write JSON")?;
    disk::replace(&locations.request(name), &text, 0o600, Point::WriteRequest)
}

/// Reads and removes the request. A second call with the same name fails.
pub fn take_over<T: DeserializeOwned>(locations: &Locations, name: &str) -> Result<T> {
    if !is_transaction(name) {
        return Err(TransactionError::InvalidName { name: name.into() }.into());
    }
    let path = locations.request(name);
    let taken = path.with_extension("taken");
    fs::rename(&path, &taken)
        .with_context(|| format!("cannot take the request {}", path.display()))?;
    let text =
        fs::read(&taken).with_context(|| format!("cannot read the request {}", taken.display()));
    disk::absent(&taken).with_context(|| format!("cannot remove {}", taken.display()))?;
    serde_json::from_slice(&text?)
        .with_context(|| format!("cannot read the request {}", path.display()))
}

/// Removes a request that has not been taken yet. Returns false if the activator has already taken
/// it.
pub fn withdraw(locations: &Locations, name: &str) -> bool {
    let path = locations.request(name);
    // The activator renames the file before it reads the file, so only one of the two processes can
    // succeed.
    fs::remove_file(&path).is_ok()
}

/// Writes the outcome for the relay.
pub fn leave_outcome<T: Serialize>(locations: &Locations, name: &str, outcome: &T) -> Result<()> {
    let text = serde_json::to_vec(outcome).context("cannot write JSON")?;
    disk::replace(&locations.outcome(name), &text, 0o600, Point::WriteOutcome)
}

/// Reads the outcome, if it exists.
pub fn outcome<T: DeserializeOwned>(locations: &Locations, name: &str) -> Result<Option<T>> {
    let path = locations.outcome(name);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("cannot read the outcome {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("cannot read the outcome {}", path.display()))
        }
    }
}

/// Removes an outcome's file after the outcome was reported.
pub fn forget_outcome(locations: &Locations, name: &str) {
    // If this fails, a later transaction removes the file together with the log.
    let _ = disk::absent(&locations.outcome(name));
}

/// Removes the log of a transaction that did not begin, if this log is empty.
pub fn forget_log(locations: &Locations, name: &str) {
    let path = locations.log(name);
    if fs::metadata(&path).is_ok_and(|found| found.len() == 0) {
        let _ = disk::absent(&path);
    }
}

/// Removes the logs of old transactions, and other files that these transactions left behind.
pub fn prune_logs(locations: &Locations, keep: impl Fn(&str) -> bool) -> Result<()> {
    for path in disk::entries(&locations.logs())? {
        if !keep(transaction_of(&path)) {
            disk::absent(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Returns the transaction to which a file in the log directory belongs.
fn transaction_of(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.split('.').next())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_can_be_taken_only_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path().join("cache"));
        hand_over(&locations, "1-2", &7).expect("handed over");
        assert_eq!(take_over::<u8>(&locations, "1-2").expect("taken"), 7);
        assert!(take_over::<u8>(&locations, "1-2").is_err());
        assert_eq!(fs::read_dir(locations.logs()).expect("listed").count(), 0);
    }

    #[test]
    fn path_is_not_a_transaction_name() {
        for wrong in ["", "../x", "a/b", "-x", "a b", "a.b"] {
            assert!(!is_transaction(wrong), "{wrong}");
        }
    }
}
