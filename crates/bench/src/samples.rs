//! The data of a benchmark result: its samples, and everything needed to judge them.
//!
//! `--export-json` writes this format, `bench diff` reads it, and `docs/bench.schema.json`
//! describes it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::machine::MachineRecord;
use super::statistics::{SampleSummary, SeriesDifference, median, outliers};
use runtime_module_core::timings::Counters;

/// Schema version of result files.
pub const SCHEMA: u64 = 1;

/// Value of the field `kind` in result files.
pub const KIND: &str = "runtime-module-bench";

/// A complete result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BenchResult {
    /// Always 1.
    pub schema: u64,
    /// The kind of the document.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// The subcommand of `bench`, such as `eval`.
    #[schemars(extend("enum" = ["eval", "toggle", "options", "overrides", "compare"]))]
    pub bench: String,
    /// Human-readable title.
    pub title: String,
    /// Whether the run was interrupted. If so, the result has the samples taken until then.
    pub interrupted: bool,
    /// Start time in milliseconds since 1970.
    pub started: u64,
    /// Duration in seconds.
    pub seconds: f64,
    /// How the samples were taken: number of runs, warm-up, interleaving and caches.
    pub method: Method,
    /// The configuration that was measured.
    pub subject: SubjectRecord,
    /// The machine on which the benchmark ran.
    pub machine: MachineRecord,
    /// CPU time of our own expression in milliseconds, which is part of each measured time. Absent
    /// for `toggle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead: Option<SampleSummary>,
    /// The samples of each measured value or command.
    pub series: Vec<Series>,
    /// Cost of each module compared with the base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<Cost>,
    /// The second of two series compared with the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<SeriesDifference>,
    /// Reasons to doubt the result.
    pub warnings: Vec<String>,
}

impl BenchResult {
    /// Returns the number of runs of the longest series.
    pub fn runs(&self) -> usize {
        let runs = self.series.iter().map(|one| one.summary.samples);
        runs.max().unwrap_or(0)
    }
}

/// The method by which a benchmark was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    /// Requested number of runs. Absent if a budget was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<u64>,
    /// Maximum duration in seconds. Absent if a number of runs was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Number of warm-up rounds, which do not count.
    pub warmup: u64,
    /// Whether the series were interleaved.
    pub interleaved: bool,
    /// Whether each sample had its own evaluator process.
    pub own_process: bool,
    /// Whether each value was forced deeply and printed as JSON.
    pub strict: bool,
    /// Whether the kernel had cached the files: `warm` after a warm-up, otherwise `unknown`.
    #[schemars(extend("enum" = ["warm", "unknown"]))]
    pub page_cache: String,
    /// The state of Nix's own evaluation cache: always `off`.
    #[schemars(extend("const" = "off"))]
    pub evaluation_cache: String,
    /// The state of this program's result cache during the benchmark. With `cached-series-only`, only
    /// the series whose names end with `, cached` used the cache.
    #[schemars(extend("enum" = ["off", "on", "cached-series-only"]))]
    pub result_cache: String,
}

/// The configuration that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubjectRecord {
    /// One flake, or two if they are compared.
    pub flakes: Vec<FlakeRecord>,
    /// Modules that the host was extended with, unless a series says otherwise.
    pub modules: Vec<String>,
    /// The requested store; `auto` for the default store of this machine.
    pub store: String,
    /// Nix settings from the command line.
    pub options: Vec<(String, String)>,
    /// Whether evaluation was impure, with access to the environment.
    pub impure: bool,
    /// Version of this program and of the libnix that it is linked to.
    pub version: String,
    /// Initial heap size of the garbage collector in bytes; 0 for the default of libnix.
    pub initial_heap_bytes: u64,
    /// Environment variables that configure the garbage collector.
    pub collector: Vec<(String, String)>,
}

/// A flake that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlakeRecord {
    /// The requested flake reference.
    pub url: String,
    /// The locked flake reference, which identifies the exact tree.
    pub locked: String,
    /// Commit hash, if there is one.
    pub rev: Option<String>,
    /// Whether the tree had uncommitted changes.
    pub dirty: bool,
    /// The name of the host.
    pub host: String,
}

/// All samples of one measured value or command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// Name by which `bench diff` finds the series in another file.
    pub name: String,
    /// Human-readable description of the value or the command.
    pub about: String,
    /// Summary of the samples in milliseconds.
    pub summary: SampleSummary,
    /// The median as a multiple of the first series' median.
    pub ratio: f64,
    /// A figure that someone else published for this value, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// Counters of the first sample, which are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// Whether every sample had the same counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_counters: Option<bool>,
    /// CPU time of the evaluating thread in milliseconds. On a busy machine it is more reliable
    /// than the elapsed time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran: Option<SampleSummary>,
    /// Share of its time that the evaluation spent waiting for a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
    /// Average number of processors that other processes used during the samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<f64>,
    /// Samples of the warm-up in milliseconds, which are not in the summary.
    pub warmup: Vec<f64>,
    /// The samples, in the order in which they were taken.
    #[schemars(length(min = 1))]
    pub samples: Vec<Sample>,
}

/// A figure that someone else published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The published time.
    pub milliseconds: f64,
    /// Ratio to the first row of its table.
    pub ratio: f64,
}

/// A single measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Number of the round, counted from 0.
    pub round: u64,
    /// The measured time.
    pub milliseconds: f64,
    /// Milliseconds from the start of the evaluator process to its answer: starting the process and
    /// libnix, locking, and the measured time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<f64>,
    /// Milliseconds that locking the flake took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<f64>,
    /// CPU time of the evaluating thread in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran: Option<f64>,
    /// Milliseconds during which the evaluating thread waited for a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
    /// CPU time of other processes in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<f64>,
    /// The counters of the sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
}

/// The cost of a module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// The name of the module.
    pub module: String,
    /// Median with the module minus the median of the base.
    #[schemars(schema_with = "signed")]
    pub milliseconds: f64,
    /// Whether the difference is significant.
    pub verdict: super::statistics::DifferenceVerdict,
    /// Number of additional thunks, which is exact.
    pub thunks: i64,
    /// Number of additional function calls, which is exact.
    pub function_calls: i64,
}

/// Returns the schema of a number that may be negative.
fn signed(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "number" })
}

/// Returns the times of a series in milliseconds.
pub fn times(series: &Series) -> Vec<f64> {
    series
        .samples
        .iter()
        .map(|sample| sample.milliseconds)
        .collect()
}

/// Returns whether the first sample is far above the others, which a warm-up run would avoid.
pub fn first_is_slow(times: &[f64]) -> bool {
    times.len() > 2 && outliers(times).contains(&0) && times[0] > median(times)
}
