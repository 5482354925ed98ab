//! Where the time went: phases of a run, and what the evaluator counted.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The phases of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The flake and its inputs are locked and fetched.
    Lock,
    /// The extended configuration is evaluated down to its `.drv`.
    Evaluate,
    /// The store is asked what is missing.
    Query,
    /// Paths come from substituters.
    Fetch,
    /// Derivations are built.
    Build,
    /// The switch program runs.
    Activate,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Lock,
        Self::Evaluate,
        Self::Query,
        Self::Fetch,
        Self::Build,
        Self::Activate,
    ];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Evaluate => "evaluate",
            Self::Query => "query",
            Self::Fetch => "fetch",
            Self::Build => "build",
            Self::Activate => "activate",
        }
    }
}

/// How long each phase took, in milliseconds. A phase that did not happen is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phases {
    /// libnix is opened: its settings and the store. Not shown to people, who cannot do anything about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evaluate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fetch: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activate: Option<f64>,
    /// From the start of the run to the end of its last phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
}

impl Phases {
    fn slot(&mut self, phase: Phase) -> &mut Option<f64> {
        match phase {
            Phase::Lock => &mut self.lock,
            Phase::Evaluate => &mut self.evaluate,
            Phase::Query => &mut self.query,
            Phase::Fetch => &mut self.fetch,
            Phase::Build => &mut self.build,
            Phase::Activate => &mut self.activate,
        }
    }

    /// Milliseconds of a phase.
    pub fn get(&self, phase: Phase) -> Option<f64> {
        self.clone().slot(phase).to_owned()
    }

    /// Milliseconds of the whole run.
    pub fn total(&self) -> Option<f64> {
        self.total
    }

    /// libnix is open, after so long.
    pub fn opened(&mut self, time: Duration) {
        *self.open.get_or_insert(0.0) += milliseconds(time);
    }

    /// Adds to a phase.
    pub fn add(&mut self, phase: Phase, time: Duration) {
        *self.slot(phase).get_or_insert(0.0) += milliseconds(time);
    }

    /// Adds a phase that came after the end of what is counted so far.
    pub fn append(&mut self, phase: Phase, time: Duration) {
        self.add(phase, time);
        if let Some(total) = &mut self.total {
            *total += milliseconds(time);
        }
    }

    /// Ends the run.
    pub fn finish(&mut self, started: Instant) {
        self.total = Some(milliseconds(started.elapsed()));
    }
}

/// The time of a number of milliseconds that a file or a message says; of one that is no time, none at all.
pub fn time_of(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or_default()
}

/// A duration in milliseconds, to the microsecond.
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// What the evaluator counted. Counters are exact and the same from run to run; bytes and seconds are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Thunks made.
    pub thunks: u64,
    /// Function calls.
    pub function_calls: u64,
    /// Calls of built-in functions.
    pub primop_calls: u64,
    /// Attribute lookups.
    pub lookups: u64,
    /// Values allocated.
    pub values: u64,
    /// Bytes allocated over the evaluation.
    pub allocated_bytes: u64,
    /// Size of the heap at the end, bytes.
    pub heap_bytes: u64,
    /// Garbage collections.
    pub collections: u64,
    /// Processor time of the evaluator, milliseconds.
    pub cpu: f64,
    /// The evaluator's largest resident memory, bytes.
    pub peak_bytes: u64,
    /// Files evaluated.
    pub files: u64,
    /// The heap that the evaluator was given at its start, bytes; 0 for libnix's own choice.
    pub initial_heap_bytes: u64,
}

impl Counters {
    /// Reads what libnix prints (`EvalState::printStatistics`), once or several times.
    pub fn each_from_statistics(text: &str) -> Vec<Self> {
        let documents = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
        documents
            .map_while(Result::ok)
            .map(|one| Self::read(&one))
            .collect()
    }

    /// What was counted since `before`.
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

    /// Whether everything that is exact is the same.
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

    /// Reads what libnix printed once.
    pub fn from_statistics(text: &str) -> Self {
        let mut all = Self::each_from_statistics(text);
        all.drain(..).next().unwrap_or_default()
    }

    /// What a release does not print stays 0.
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
    fn phases_add_up_and_absent_ones_stay_absent() {
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
