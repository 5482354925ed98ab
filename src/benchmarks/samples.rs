//! What is kept of a benchmark: its samples, and everything that one must know to believe them.
//!
//! Data alone: this is the file that `--export-json` writes, `bench diff` reads, and `docs/bench.schema.json` describes.

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::statistics::{Difference, Summary};
use crate::timings::Counters;

/// The schema of result files.
pub const SCHEMA: u64 = 1;

/// What the field `kind` of a result file says.
pub const KIND: &str = "runtime-module-bench";

/// A whole result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// [`SCHEMA`].
    pub schema: u64,
    /// [`KIND`].
    pub kind: String,
    /// Which benchmark: `eval`, `toggle`, `options`, `overrides`, `compare`.
    pub bench: String,
    /// What was measured, for people.
    pub title: String,
    /// Whether it was interrupted: what was measured until then is here.
    pub interrupted: bool,
    /// When it began, milliseconds since 1970.
    pub started: u64,
    /// How long it took, seconds.
    pub seconds: f64,
    /// How it was measured.
    pub method: Method,
    /// What was measured.
    pub subject: SubjectRecord,
    /// On what.
    pub machine: Machine,
    /// What our own part of each measured time is, milliseconds; absent where nothing was evaluated by us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead: Option<Summary>,
    /// What was measured, one by one.
    pub series: Vec<Series>,
    /// What each module adds to the base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<Cost>,
    /// How the second of two series differs from the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
    /// What to know before believing it.
    pub warnings: Vec<String>,
}

/// How it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    /// Runs asked for; absent where a budget was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<u64>,
    /// Seconds to be spent at most; absent where runs were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Rounds before the ones that count.
    pub warmup: u64,
    /// Whether the series took turns.
    pub interleaved: bool,
    /// Whether each sample had an evaluator process of its own.
    pub own_process: bool,
    /// Whether each value was forced deeply and printed as JSON.
    pub strict: bool,
    /// `warm`: the files were read before, in the warm-up; `unknown` without one.
    pub page_cache: String,
    /// Nix's cache of evaluations; never used.
    pub evaluation_cache: String,
    /// Our own cache of results; only used where a series says so.
    pub result_cache: String,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectRecord {
    /// The flakes; one, or two that are compared.
    pub flakes: Vec<FlakeRecord>,
    /// Modules that the host was extended with, unless a series says otherwise.
    pub modules: Vec<String>,
    /// The store, as it was asked for (`auto`: the one that this machine has).
    pub store: String,
    /// Nix settings that were set by hand.
    pub options: Vec<(String, String)>,
    /// Whether evaluation could see the environment.
    pub impure: bool,
    /// This program's version, and the libnix that it is linked to.
    pub version: String,
    /// The heap that the collector began with, bytes; 0 for libnix's own choice.
    pub initial_heap_bytes: u64,
    /// Settings of the collector in the environment.
    pub collector: Vec<(String, String)>,
}

/// A flake that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlakeRecord {
    /// As it was asked for.
    pub url: String,
    /// As it was locked: the very tree.
    pub locked: String,
    /// Its revision, if it has one.
    pub rev: Option<String>,
    /// Whether the tree had changes that were not committed.
    pub dirty: bool,
    /// The host.
    pub host: String,
}

/// One thing that was measured, many times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// Its name, by which `bench diff` finds it in another file.
    pub name: String,
    /// What was forced or done, for people.
    pub about: String,
    /// The samples in sum, milliseconds.
    pub summary: Summary,
    /// The median as a multiple of the first series' median.
    pub ratio: f64,
    /// The same for somebody else's figures, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// What the evaluator counted; exact numbers of the first sample, and whether all have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// Whether every sample had the same counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_counters: Option<bool>,
    /// Milliseconds in which the evaluating thread had a processor, in sum: on a busy machine these say more than the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran: Option<Summary>,
    /// Share of its time that the evaluation waited for a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
    /// Processors that others used meanwhile: 1 is one of them, wholly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<f64>,
    /// The samples of the warm-up, milliseconds; not in the sum.
    pub warmup: Vec<f64>,
    /// The samples, in the order in which they were taken.
    pub samples: Vec<Sample>,
}

/// A figure that somebody else published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Milliseconds.
    pub milliseconds: f64,
    /// As a multiple of that table's first row.
    pub ratio: f64,
}

/// One sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The round that it was taken in, from 0.
    pub round: u64,
    /// What was measured.
    pub milliseconds: f64,
    /// From the start of the evaluator's process to its answer: its start, libnix's, locking, and the above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<f64>,
    /// Milliseconds in which the flake was locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<f64>,
    /// Milliseconds in which the evaluating thread had a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran: Option<f64>,
    /// Milliseconds in which it waited for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
    /// Milliseconds of processors that others used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<f64>,
    /// What the evaluator counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
}

/// What a module adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Its name.
    pub module: String,
    /// Milliseconds: the median with it, less the base's.
    pub milliseconds: f64,
    /// Whether that is more than chance.
    pub verdict: super::statistics::Verdict,
    /// Thunks that it adds; exact.
    pub thunks: i64,
    /// Function calls that it adds; exact.
    pub function_calls: i64,
}
