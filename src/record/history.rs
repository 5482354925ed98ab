//! The history of this boot: an append-only file with one record for each transaction.
//!
//! A record is a line with the length of the JSON, its CRC-32 in hexadecimal, and the JSON. A
//! truncated last line comes from an interrupted write and is ignored. Any other damage is an
//! error.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{Pin, disk};
use crate::error::{Failed, Failure};
use crate::fault::Point;
use crate::locations::Locations;
use crate::timings::Phases;

/// A transaction that has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The revision of the state after the transaction.
    pub revision: u64,
    /// Name of the transaction.
    pub transaction: String,
    /// The request that ended the transaction, if it was another one: a confirmation or a recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Human-readable description of the change.
    #[serde(default)]
    pub purpose: String,
    /// End time in seconds since 1970.
    pub time: u64,
    /// The requested modules.
    pub modules: Vec<String>,
    /// The toplevel that was active before.
    pub from: Option<String>,
    /// The toplevel to activate.
    pub to: String,
    /// The toplevel without any runtime module, from the same source as `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The source of `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// Whether the transaction rolled back a change. If so, `rollback` does not offer the system
    /// before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub way_back: bool,
    pub outcome: Outcome,
    /// Human-readable reason for the outcome; empty if the transaction succeeded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub explanation: String,
    /// Units that failed because of the transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_units: Vec<String>,
    /// Duration of each phase.
    pub phases: Phases,
}

impl Entry {
    /// Returns whether its toplevel was active afterwards, so that `rollback` can return to it.
    pub fn ran(&self) -> bool {
        matches!(self.outcome, Outcome::Activated | Outcome::UnitsFailed)
    }
}

/// The outcome of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new system is active.
    #[default]
    Activated,
    /// The new system is active, but units failed.
    UnitsFailed,
    /// The switch program refused before it changed anything.
    Unchanged,
    /// The switch failed, and the previous system was activated again.
    Returned,
    /// The switch failed, and the rollback failed too.
    Stranded,
    /// An external switch happened before the transaction ended or was confirmed.
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
            Self::Superseded => "superseded by another switch",
        }
    }
}

/// Number of records and logs to keep, in addition to those that `rollback` needs.
pub const KEPT: usize = 50;

/// Appends a record. Removes records that are too many or too old, except those that `rollback`
/// needs.
pub fn append(locations: &Locations, entry: &Entry) -> Result<()> {
    let path = locations.history();
    let text = read_text(locations)?;
    let found = records(&text);
    if let Some(line) = found.damaged {
        return Err(damaged(locations, line));
    }
    let new = written(&serde_json::to_string(entry).context("cannot write JSON")?);
    let entries = parsed(&path, &found.json)?;
    let kept = kept(&entries, entry);
    if kept.iter().all(|keep| *keep) {
        return disk::append(&path, found.length, new.as_bytes(), Point::WriteHistory);
    }
    let old = found.json.iter().zip(kept).filter(|(_, keep)| *keep);
    let text: String = old.map(|(json, _)| written(json)).chain([new]).collect();
    disk::replace(&path, text.as_bytes(), 0o644, Point::WriteHistory)
}

/// Decides for each record whether it stays when a new one is added.
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

/// Formats a record as a line.
fn written(json: &str) -> String {
    format!(
        "{} {:08x} {json}\n",
        json.len(),
        crc32fast::hash(json.as_bytes())
    )
}

/// Reads all records, the oldest first.
pub fn read(locations: &Locations) -> Result<Vec<Entry>> {
    let path = locations.history();
    let text = read_text(locations)?;
    let found = records(&text);
    if let Some(line) = found.damaged {
        return Err(damaged(locations, line));
    }
    parsed(&path, &found.json)
}

fn parsed(path: &Path, records: &[&str]) -> Result<Vec<Entry>> {
    let entry = |(index, json): (usize, &&str)| {
        serde_json::from_str(json).map_err(|error| not_ours(path, index + 1, &error).into())
    };
    records.iter().enumerate().map(entry).collect()
}

/// Makes the error for an undamaged record that this version cannot parse.
fn not_ours(path: &Path, line: usize, error: &serde_json::Error) -> Failed {
    Failure::Refused
        .error(format!(
            "cannot read the history {}: line {line} is intact, but this version cannot parse it: {error}",
            path.display()
        ))
        .hint("use the version of runtime-module that wrote it")
        .hint(format!("or else: {}", way_out(path)))
}

/// Maximum number of past states to which `rollback` can return.
const REACHABLE: usize = 10;

/// Maximum age of past states and of logs, in seconds.
pub const AGE: u64 = 14 * 24 * 3600;

/// Returns the states to which `rollback` can return, the last first: limited in number, and in age
/// at the time `now`.
pub fn reachable(history: &[Entry], now: u64) -> impl Iterator<Item = &Entry> {
    let old = now.saturating_sub(AGE);
    let ran = history.iter().rev().filter(|entry| entry.ran());
    ran.take(REACHABLE).filter(move |entry| entry.time >= old)
}

fn damaged(locations: &Locations, line: usize) -> anyhow::Error {
    let path = locations.history();
    Failure::Refused
        .error(format!(
            "cannot read the history {}: line {line} is damaged",
            path.display()
        ))
        .hint(way_out(&path))
        .into()
}

fn way_out(path: &Path) -> String {
    format!(
        "move the file away: {}; only the history is lost",
        path.display()
    )
}

fn read_text(locations: &Locations) -> Result<String> {
    let path = locations.history();
    match fs::read(&path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => {
            Err(error).with_context(|| format!("cannot read the history {}", path.display()))
        }
    }
}

struct Records<'a> {
    json: Vec<&'a str>,
    /// Number of bytes up to the end of the last intact record.
    length: u64,
    /// Number of the first damaged line, other than a truncated last line.
    damaged: Option<usize>,
}

fn records(text: &str) -> Records<'_> {
    let mut found = Records {
        json: Vec::new(),
        length: 0,
        damaged: None,
    };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (index, line) in lines.iter().enumerate() {
        match line.strip_suffix('\n').and_then(record) {
            Some(json) => {
                found.json.push(json);
                found.length += line.len() as u64;
            }
            // Only a line without a newline can be an interrupted write.
            None if index + 1 == lines.len() && !line.ends_with('\n') => {}
            None => {
                found.damaged = Some(index + 1);
                break;
            }
        }
    }
    found
}

/// Returns the JSON of an intact record.
fn record(line: &str) -> Option<&str> {
    let (length, rest) = line.split_once(' ')?;
    let (sum, json) = rest.split_once(' ')?;
    let whole = length.parse() == Ok(json.len())
        && u32::from_str_radix(sum, 16) == Ok(crc32fast::hash(json.as_bytes()));
    whole.then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // The two that were active, and the last ones.
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
