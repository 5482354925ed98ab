//! The report of `history`: the transactions of this boot, and whether `rollback` can return to
//! each of them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::now;
use crate::error::neutral;
use crate::plan::EarlierState;
use crate::progress::duration;
use crate::record::Entry;
use crate::timings::{Phase, Phases, time_of};

/// The document of `history`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    schema: u64,
    /// The transactions, oldest first.
    transactions: Vec<HistoryRow>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HistoryRow {
    #[serde(flatten)]
    entry: Entry,
    /// Whether this is the last transaction that activated the running system.
    running: bool,
    /// Whether `rollback` can return to this transaction's system.
    reachable: bool,
}

/// Formats a history as `runtime-module history -v` prints it.
pub fn in_words(entries: Vec<Entry>, running: Option<&str>) -> String {
    let (history, now) = report(entries, running, now());
    human(&history, now, Detail::Phases)
}

/// Returns the report on a history as of the time `now`, together with `now`.
pub fn report(entries: Vec<Entry>, running: Option<&str>, now: u64) -> (History, u64) {
    let reachable: Vec<u64> = EarlierState::all(&entries, now)
        .iter()
        .map(|past| past.number)
        .collect();
    let last = entries
        .iter()
        .rposition(|entry| entry.ran() && Some(entry.to.as_str()) == running);
    let rows = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| HistoryRow {
            running: last == Some(index),
            reachable: entry.ran() && reachable.contains(&entry.revision),
            entry,
        });
    let history = History {
        schema: 1,
        transactions: rows.collect(),
    };
    (history, now)
}

/// The level of detail for durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Total,
    /// Also the duration of each phase, with `-v`.
    Phases,
}

/// Formats a history as human-readable text.
pub fn human(history: &History, now: u64, detail: Detail) -> String {
    if history.transactions.is_empty() {
        return "nothing has changed since boot\n".into();
    }
    let width = |text: fn(&HistoryRow) -> &str| {
        let lengths = history
            .transactions
            .iter()
            .map(|row| text(row).chars().count());
        lengths.max().unwrap_or(0).min(40)
    };
    let purposes = width(|row| &row.entry.purpose);
    let outcomes = width(|row| row.entry.outcome.words());
    let mut text = String::new();
    for row in &history.transactions {
        let entry = &row.entry;
        let mark = match (row.running, row.reachable) {
            (true, _) => '*',
            (false, true) => ' ',
            (false, false) => '-',
        };
        let took = entry.phases.total().unwrap_or(0.0);
        let extras = entry
            .configuration
            .iter()
            .flat_map(|configuration| &configuration.extras);
        let names = entry.modules.iter().chain(extras.map(|extra| &extra.name));
        let modules = match names.cloned().collect::<Vec<_>>().as_slice() {
            [] => "no module".to_string(),
            modules => modules.join(", "),
        };
        let line = format!(
            "{mark}{:>4}  {:purposes$}  {:outcomes$}  {:>7} ago, took {:>7}  {modules}",
            entry.revision,
            entry.purpose,
            entry.outcome.words(),
            duration(Duration::from_secs(now.saturating_sub(entry.time))),
            duration(time_of(took)),
        );
        text += &neutral(line.trim_end());
        // All systems of a host have the same name, so print the hash too.
        let system = entry.to.rsplit('/').next().unwrap_or_default();
        text += &format!("\n{:7}{}\n", "", neutral(system));
        let phases = phases(&entry.phases);
        if detail == Detail::Phases && !phases.is_empty() {
            text += &format!("{:7}{phases}\n", "");
        }
    }
    text + "(*: running now, -: system no longer kept)\n"
}

/// Formats the duration of each phase.
fn phases(phases: &Phases) -> String {
    let spoken = Phase::ALL.into_iter().filter_map(|phase| {
        let time = time_of(phases.get(phase)?);
        Some(format!("{} {}", phase.name(), duration(time)))
    });
    spoken.collect::<Vec<_>>().join(", ")
}
