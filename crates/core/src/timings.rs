//! Measured times: the phases of a run, and the counters of the evaluator.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The phases of a run, in order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Lock and fetch the flake and its inputs.
    Lock,
    /// Evaluate the extended configuration to its `.drv`.
    Evaluate,
    /// Evaluate the system without modules and compare it with the running base, perhaps at the same
    /// time as `evaluate`.
    Compare,
    /// Query which paths are missing from the store.
    Query,
    /// Download paths from substituters.
    Fetch,
    /// Build derivations.
    Build,
    /// Run the switch program.
    Activate,
}

impl Phase {
    pub const ALL: [Self; 7] = [
        Self::Lock,
        Self::Evaluate,
        Self::Compare,
        Self::Query,
        Self::Fetch,
        Self::Build,
        Self::Activate,
    ];

    /// Returns the human-readable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Evaluate => "evaluate",
            Self::Compare => "compare",
            Self::Query => "query",
            Self::Fetch => "fetch",
            Self::Build => "build",
            Self::Activate => "activate",
        }
    }
}

/// The duration of each phase in milliseconds. A phase that did not run is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Phases {
    // Shown only in JSON, because users cannot influence it.
    /// Time to open libnix, including its settings and the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<f64>,
    /// Time to lock and fetch the flake and its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<f64>,
    /// Time to evaluate the extended configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evaluate: Option<f64>,
    /// Time to evaluate the base, perhaps at the same time as `evaluate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compare: Option<f64>,
    /// Time to query which paths are missing from the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<f64>,
    /// Time to download paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fetch: Option<f64>,
    /// Time to build derivations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build: Option<f64>,
    /// Time to activate the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activate: Option<f64>,
    /// Time from the start of the run to the end of its last phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
}

impl Phases {
    fn slot(&mut self, phase: Phase) -> &mut Option<f64> {
        match phase {
            Phase::Lock => &mut self.lock,
            Phase::Evaluate => &mut self.evaluate,
            Phase::Compare => &mut self.compare,
            Phase::Query => &mut self.query,
            Phase::Fetch => &mut self.fetch,
            Phase::Build => &mut self.build,
            Phase::Activate => &mut self.activate,
        }
    }

    /// Returns the duration of a phase in milliseconds.
    pub fn get(&self, phase: Phase) -> Option<f64> {
        self.clone().slot(phase).to_owned()
    }

    /// Returns the duration of the whole run in milliseconds.
    pub fn total(&self) -> Option<f64> {
        self.total
    }

    /// Adds the time to open libnix.
    pub fn opened(&mut self, time: Duration) {
        *self.open.get_or_insert(0.0) += milliseconds(time);
    }

    /// Adds time to a phase.
    pub fn add(&mut self, phase: Phase, time: Duration) {
        *self.slot(phase).get_or_insert(0.0) += milliseconds(time);
    }

    /// Adds a phase that ran after the total was recorded.
    pub fn append(&mut self, phase: Phase, time: Duration) {
        self.add(phase, time);
        if let Some(total) = &mut self.total {
            *total += milliseconds(time);
        }
    }

    /// Records the total time of the run.
    pub fn finish(&mut self, started: Instant) {
        self.total = Some(milliseconds(started.elapsed()));
    }
}

/// Converts milliseconds from a file or message to a duration. Converts invalid values to zero.
pub fn time_of(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or_default()
}

/// Converts a duration to milliseconds, rounded to microseconds.
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Counters of the evaluator. If an evaluation is repeated, the numbers of thunks, calls, lookups
/// and values stay the same. Times, sizes and the number of garbage collections vary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// The number of created thunks.
    pub thunks: u64,
    /// The number of function calls.
    pub function_calls: u64,
    /// The number of calls of built-in functions.
    pub primop_calls: u64,
    /// The number of attribute lookups.
    pub lookups: u64,
    /// The number of allocated values.
    pub values: u64,
    /// The number of bytes that the evaluation allocated in total.
    pub allocated_bytes: u64,
    /// The size of the heap at the end of the evaluation, in bytes.
    pub heap_bytes: u64,
    /// The number of garbage collections.
    pub collections: u64,
    /// The CPU time of the evaluator in milliseconds.
    pub cpu: f64,
    /// The peak resident memory of the evaluator, in bytes.
    pub peak_bytes: u64,
    /// The number of evaluated files.
    pub files: u64,
    /// The initial size of the evaluator's heap in bytes. 0 means libnix's default size.
    pub initial_heap_bytes: u64,
}

impl Counters {
    /// Parses the statistics that libnix printed (`EvalState::printStatistics`) one or more times.
    pub fn each_from_statistics(text: &str) -> Vec<Self> {
        let documents = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
        documents
            .map_while(Result::ok)
            .map(|one| Self::read(&one))
            .collect()
    }

    /// Returns the difference between these counters and the earlier counters `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            thunks: self.thunks.saturating_sub(before.thunks),
            function_calls: self.function_calls.saturating_sub(before.function_calls),
            primop_calls: self.primop_calls.saturating_sub(before.primop_calls),
            lookups: self.lookups.saturating_sub(before.lookups),
            values: self.values.saturating_sub(before.values),
            allocated_bytes: self.allocated_bytes.saturating_sub(before.allocated_bytes),
            collections: self.collections.saturating_sub(before.collections),
            cpu: ((self.cpu - before.cpu) * 1e3).round() / 1e3,
            ..self.clone()
        }
    }

    /// Returns whether all counters that do not vary between runs are equal.
    pub fn agree(&self, other: &Self) -> bool {
        let exact = |c: &Self| {
            (
                c.thunks,
                c.function_calls,
                c.primop_calls,
                c.lookups,
                c.values,
            )
        };
        exact(self) == exact(other)
    }

    /// Parses the statistics that libnix printed once.
    pub fn from_statistics(text: &str) -> Self {
        let mut all = Self::each_from_statistics(text);
        all.drain(..).next().unwrap_or_default()
    }

    /// Parses one JSON document of statistics. Counters that a release of libnix does not print
    /// become 0.
    fn read(statistics: &serde_json::Value) -> Self {
        let number = |pointer: &str| {
            statistics
                .pointer(pointer)
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0)
        };
        Self {
            thunks: number("/nrThunks"),
            function_calls: number("/nrFunctionCalls"),
            primop_calls: number("/nrPrimOpCalls"),
            lookups: number("/nrLookups"),
            values: number("/values/number"),
            allocated_bytes: number("/gc/totalBytes"),
            heap_bytes: number("/gc/heapSize"),
            collections: number("/gc/cycles"),
            cpu: statistics
                .pointer("/cpuTime")
                .and_then(serde_json::Value::as_f64)
                .map_or(0.0, |seconds| (seconds * 1e6).round() / 1e3),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_add_up_and_missing_ones_stay_absent() {
        let mut phases = Phases::default();
        phases.add(Phase::Evaluate, Duration::from_millis(2));
        phases.add(Phase::Evaluate, Duration::from_micros(500));
        assert_eq!(phases.get(Phase::Evaluate), Some(2.5));
        assert_eq!(
            serde_json::to_value(&phases).expect("JSON"),
            serde_json::json!({"evaluate": 2.5})
        );
    }

    #[test]
    fn statistics_of_2_26_are_read() {
        let printed = r#"{"cpuTime":0.5,"nrThunks":3,"nrFunctionCalls":4,"nrPrimOpCalls":5,"nrLookups":6,
            "values":{"number":7},"gc":{"totalBytes":8,"heapSize":9,"cycles":1}}"#;
        let all = Counters::each_from_statistics(&format!("{printed}\n{printed}\n"));
        assert_eq!(all.len(), 2);
        let counters = &all[1];
        assert_eq!(
            (counters.thunks, counters.values, counters.collections),
            (3, 7, 1)
        );
        assert_eq!(
            (counters.allocated_bytes, counters.heap_bytes, counters.cpu),
            (8, 9, 500.0)
        );
    }
}
