//! The history of this boot, an append-only file with one record for each transaction.
//!
//! `framing.rs` describes the format of a record.

use anyhow::{Context as _, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::framing::{RecordFile, written};
use super::{Configuration, disk};
use crate::fault::Point;
use crate::locations::Locations;
use crate::overrides::OverrideState;
use crate::partial::{RuntimeFiles, Verification};
use crate::timings::Phases;

/// A transaction that has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The revision of the state after the transaction.
    pub revision: u64,
    /// The name of the transaction.
    pub transaction: String,
    /// The name of the request that ended the transaction, if it was a separate request: a
    /// confirmation, a recovery or an automatic rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// A human-readable description of the change.
    #[serde(default)]
    pub purpose: String,
    /// The end time in seconds since 1970.
    pub time: u64,
    /// The requested modules.
    pub modules: Vec<String>,
    /// The toplevel that was running before the transaction.
    pub from: Option<String>,
    /// The toplevel that the transaction activated or was meant to activate.
    pub to: String,
    /// The toplevel without any runtime module, from the same source as `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The configuration of `to`.
    #[serde(default, rename = "pin", skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Configuration>,
    /// The option overrides after the transaction.
    #[serde(default, skip_serializing_if = "OverrideState::is_empty")]
    pub overrides: OverrideState,
    /// The unit files and etc entries that apply overrides in addition to `to`.
    #[serde(default, skip_serializing_if = "RuntimeFiles::is_empty")]
    pub runtime: RuntimeFiles,
    /// The verification that the overrides need, because they are not part of `to`; absent if they
    /// are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Whether the transaction rolled back a change. If so, `rollback` does not offer the system
    /// that was running before the transaction.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub way_back: bool,
    /// The outcome of the transaction.
    pub outcome: Outcome,
    /// The human-readable reason for the outcome; empty if the transaction succeeded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub explanation: String,
    /// Units that failed because of the transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_units: Vec<String>,
    /// The duration of each phase.
    pub phases: Phases,
}

impl Entry {
    /// Returns whether the transaction's toplevel was active afterwards, so that `rollback` can
    /// return to it.
    pub fn ran(&self) -> bool {
        matches!(self.outcome, Outcome::Activated | Outcome::UnitsFailed)
    }
}

/// The outcome of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new system is active.
    #[default]
    Activated,
    /// The new system is active, but units failed.
    UnitsFailed,
    /// The transaction was refused or interrupted before it changed anything.
    Unchanged,
    /// The change failed or was not confirmed in time, and the previous system was activated again.
    Returned,
    /// The switch failed, and the rollback failed too.
    Stranded,
    /// An external switch happened before the transaction ended or before it was confirmed.
    Superseded,
}

impl Outcome {
    /// Describes the outcome for `history` and `status`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::UnitsFailed => "activated, units failed",
            Self::Unchanged => "refused, nothing changed",
            Self::Returned => "failed, previous system active again",
            Self::Stranded => "failed, and the rollback failed too",
            Self::Superseded => "superseded by an external switch",
        }
    }
}

/// The number of records and logs to keep, not counting the records that `rollback` needs.
pub const KEPT: usize = 50;

/// Appends a record. Removes records beyond the maximum number or age, except those that `rollback`
/// needs.
pub fn append(locations: &Locations, entry: &Entry) -> Result<()> {
    let file = file(locations);
    let text = file.text()?;
    let found = file.records(&text)?;
    let new = written(&serde_json::to_string(entry).context("cannot write JSON")?);
    let entries = file.parse(&found.json)?;
    let kept = kept(&entries, entry);
    if kept.iter().all(|keep| *keep) {
        return disk::append(
            &file.path,
            found.length,
            new.as_bytes(),
            Point::WriteHistory,
        );
    }
    let old = found.json.iter().zip(kept).filter(|(_, keep)| *keep);
    let text: String = old.map(|(json, _)| written(json)).chain([new]).collect();
    disk::replace(&file.path, text.as_bytes(), 0o644, Point::WriteHistory)
}

/// Decides which records to keep when a new record is added.
fn kept(entries: &[Entry], new: &Entry) -> Vec<bool> {
    let mut all = entries.to_vec();
    all.push(new.clone());
    let reachable: Vec<&str> = reachable(&all, new.time)
        .map(|entry| entry.transaction.as_str())
        .collect();
    let (many, old) = (all.len().saturating_sub(KEPT), new.time.saturating_sub(AGE));
    let stays = |(index, entry): (usize, &Entry)| {
        let recent = index >= many && entry.time >= old;
        recent || reachable.contains(&entry.transaction.as_str())
    };
    entries.iter().enumerate().map(stays).collect()
}

/// Reads all records, oldest first.
pub fn read(locations: &Locations) -> Result<Vec<Entry>> {
    let file = file(locations);
    let text = file.text()?;
    file.parse(&file.records(&text)?.json)
}

fn file(locations: &Locations) -> RecordFile {
    RecordFile {
        path: locations.history(),
        name: "history",
    }
}

/// The maximum number of past states to which `rollback` can return.
const REACHABLE: usize = 10;

/// The maximum age of past states and of logs, in seconds.
pub const AGE: u64 = 14 * 24 * 3600;

/// Returns the states to which `rollback` can return at the time `now`, latest first. Their number
/// and age are limited.
pub fn reachable(history: &[Entry], now: u64) -> impl Iterator<Item = &Entry> {
    let old = now.saturating_sub(AGE);
    let ran = history.iter().rev().filter(|entry| entry.ran());
    ran.take(REACHABLE).filter(move |entry| entry.time >= old)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::error::Failure;

    fn entry(revision: u64) -> Entry {
        Entry {
            revision,
            transaction: format!("t{revision}"),
            time: 1,
            modules: vec!["hello".into()],
            to: "/nix/store/x".into(),
            ..Entry::default()
        }
    }

    fn place() -> (tempfile::TempDir, Locations) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path().join("cache"));
        append(&locations, &entry(1)).expect("added");
        append(&locations, &entry(2)).expect("added");
        (dir, locations)
    }

    #[test]
    fn records_are_read_in_order() {
        let (_dir, locations) = place();
        assert_eq!(read(&locations).expect("read"), [entry(1), entry(2)]);
    }

    #[test]
    fn truncated_last_record_is_ignored() {
        let (_dir, locations) = place();
        let whole = fs::read(locations.history()).expect("read");
        let first = whole.iter().position(|b| *b == b'\n').expect("a line") + 1;
        for length in first..whole.len() {
            fs::write(locations.history(), &whole[..length]).expect("cut");
            assert_eq!(
                read(&locations).expect("read"),
                [entry(1)],
                "cut at {length}"
            );
            append(&locations, &entry(3)).expect("added");
            assert_eq!(
                read(&locations).expect("read"),
                [entry(1), entry(3)],
                "cut at {length}"
            );
        }
    }

    #[test]
    fn history_is_bounded_but_keeps_rollback_targets() {
        let (_dir, locations) = place();
        let refused = |revision| Entry {
            outcome: Outcome::Unchanged,
            ..entry(revision)
        };
        let last = 3 * KEPT as u64;
        for revision in 3..=last {
            append(&locations, &refused(revision)).expect("added");
        }
        let kept = read(&locations).expect("read");
        // The records of the two systems that were active stay, and so do the last records.
        assert_eq!(kept.len(), KEPT + 2);
        assert_eq!(kept[..2], [entry(1), entry(2)]);
        assert_eq!(kept.last(), Some(&refused(last)));
    }

    #[test]
    fn old_records_are_removed_except_the_last() {
        let (_dir, locations) = place();
        let late = Entry {
            time: 2 + AGE,
            ..entry(3)
        };
        append(&locations, &late).expect("added");
        assert_eq!(read(&locations).expect("read"), [late]);
    }

    #[test]
    fn record_of_another_version_is_refused() {
        let (_dir, locations) = place();
        let mut json = serde_json::to_value(entry(3)).expect("JSON");
        json["outcome"] = "postponed".into();
        let text = fs::read_to_string(locations.history()).expect("read");
        let text = text + &written(&json.to_string());
        fs::write(locations.history(), text).expect("written");
        let error = read(&locations).expect_err("an error");
        let failed = crate::error::describe(&error);
        assert_eq!(failed.failure, Failure::Refused);
        let said = format!("{error:#}");
        assert!(
            said.contains(": line 3 is intact, but this version cannot parse it: unknown variant"),
            "{said}"
        );
    }

    #[test]
    fn damage_before_the_last_record_is_an_error() {
        let (_dir, locations) = place();
        let mut bytes = fs::read(locations.history()).expect("read");
        bytes[20] ^= 1;
        fs::write(locations.history(), bytes).expect("damaged");
        let error = read(&locations).expect_err("an error");
        assert!(
            format!("{error:#}").ends_with("line 1 is damaged"),
            "{error:#}"
        );
    }
}
