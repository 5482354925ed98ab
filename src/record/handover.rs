//! What passes between the relay and the activator: a request in, an outcome out, each a file that only root may read.
//!
//! Files and not a pipe: whoever reads may die, and whoever writes must not wait.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::disk;
use crate::error::Failure;
use crate::fault::Point;
use crate::locations::Locations;

/// Whether a text can be the name of a transaction: it becomes a part of paths and of a unit's name.
pub fn is_transaction(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !name.is_empty() && name.len() <= 64 && !name.starts_with('-') && name.chars().all(plain)
}

/// Leaves a request for the activator.
pub fn hand_over<T: Serialize>(locations: &Locations, name: &str, request: &T) -> Result<()> {
    let text = serde_json::to_vec(request).context("write JSON")?;
    disk::replace(&locations.request(name), &text, 0o600, Point::WriteRequest)
}

/// Takes the request: whoever comes second finds none.
pub fn take_over<T: DeserializeOwned>(locations: &Locations, name: &str) -> Result<T> {
    if !is_transaction(name) {
        return Err(Failure::Usage
            .error(format!("no transaction is called '{name}'"))
            .into());
    }
    let path = locations.request(name);
    let taken = path.with_extension("taken");
    fs::rename(&path, &taken).with_context(|| format!("take the request {}", path.display()))?;
    let text = fs::read(&taken).with_context(|| format!("read the request {}", taken.display()));
    disk::absent(&taken).with_context(|| format!("remove {}", taken.display()))?;
    serde_json::from_slice(&text?).with_context(|| format!("read the request {}", path.display()))
}

/// Takes a request back that was left, or was to be. False: somebody else has taken it.
pub fn withdraw(locations: &Locations, name: &str) -> bool {
    let path = locations.request(name);
    // The one that takes it moves it away first: only one of us finds it.
    fs::remove_file(&path).is_ok()
}

/// Leaves the outcome for whoever follows.
pub fn leave_outcome<T: Serialize>(locations: &Locations, name: &str, outcome: &T) -> Result<()> {
    let text = serde_json::to_vec(outcome).context("write JSON")?;
    disk::replace(&locations.outcome(name), &text, 0o600, Point::WriteOutcome)
}

/// The outcome, once it is there.
pub fn outcome<T: DeserializeOwned>(locations: &Locations, name: &str) -> Result<Option<T>> {
    let path = locations.outcome(name);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("read the outcome {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read the outcome {}", path.display())),
    }
}

/// Removes an outcome that was told.
pub fn forget_outcome(locations: &Locations, name: &str) {
    // What stays goes with the log.
    let _ = disk::absent(&locations.outcome(name));
}

/// Removes the log of what was never begun, where nothing was written into it.
pub fn forget_log(locations: &Locations, name: &str) {
    let path = locations.log(name);
    if fs::metadata(&path).is_ok_and(|found| found.len() == 0) {
        let _ = disk::absent(&path);
    }
}

/// Lets go of the logs of old transactions, and of what they left on their way.
pub fn prune_logs(locations: &Locations, keep: impl Fn(&str) -> bool) -> Result<()> {
    let folder = locations.logs();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("read the folder {}", folder.display()));
        }
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("read the folder {}", folder.display()))?
            .path();
        if !keep(transaction_of(&path)) {
            disk::absent(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The transaction that a file in the folder of logs is of.
fn transaction_of(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.split('.').next())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path().join("cache"));
        hand_over(&locations, "1-2", &7).expect("handed over");
        assert_eq!(take_over::<u8>(&locations, "1-2").expect("taken"), 7);
        assert!(take_over::<u8>(&locations, "1-2").is_err());
        assert_eq!(fs::read_dir(locations.logs()).expect("listed").count(), 0);
    }

    #[test]
    fn a_name_that_is_a_path_is_none() {
        for wrong in ["", "../x", "a/b", "-x", "a b", "a.b"] {
            assert!(!is_transaction(wrong), "{wrong}");
        }
    }
}
