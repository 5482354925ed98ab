//! The measurement that a benchmark requests, and its result.

use serde::{Deserialize, Serialize};

use crate::attributes::written;
use crate::timings::Counters;

/// A measurement to take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measure {
    /// The value to force; `None` for everything that enabling modules evaluates.
    pub forced: Option<Forced>,
    /// Whether to measure again in the same process, in which the files are already parsed.
    pub again: bool,
}

/// A value to force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forced {
    /// The attribute of the flake in which `path` starts; `None` for the host.
    pub root: Option<Vec<String>>,
    /// Attribute path of the option or other value.
    pub path: Vec<String>,
    /// Whether to force the value deeply, as JSON, instead of only to weak head normal form.
    pub strict: bool,
    /// Attributes of the value that are left out.
    pub without: Vec<Vec<String>>,
    /// Overrides to add to the host before the value is forced.
    pub overrides: Option<RepeatedOverrides>,
}

impl Forced {
    /// Describes the value.
    pub fn name(&self, host: &str) -> String {
        let of = match &self.root {
            Some(root) => written(root),
            None => format!("host '{host}'"),
        };
        if self.path.is_empty() {
            of
        } else {
            format!("{} of {of}", written(&self.path))
        }
    }
}

/// Definitions of one option, each of which overrides all earlier ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepeatedOverrides {
    /// Attribute path of the option.
    pub path: Vec<String>,
    /// Value of each definition.
    pub value: serde_json::Value,
    /// Number of definitions.
    pub count: u64,
}

/// The result of a measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Milliseconds that locking the flake took.
    pub lock: f64,
    /// The first pass, and the second one if it was requested.
    pub passes: Vec<Pass>,
    /// Milliseconds that our own expression takes for an empty request.
    pub overhead: f64,
    /// Type of the value: `set`, `string`, `derivation`, …
    pub what: String,
}

/// One measured pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// Duration of the pass.
    pub milliseconds: f64,
    /// CPU time of the evaluating thread in milliseconds.
    pub ran: f64,
    /// Milliseconds for which the thread waited for a processor; `None` if the kernel does not
    /// report it.
    pub waited: Option<f64>,
    /// CPU time of other processes in milliseconds.
    pub others: Option<f64>,
    /// Peak resident memory of the process so far.
    pub peak_bytes: u64,
    /// Counters of this pass.
    #[serde(skip)]
    pub counters: Counters,
}

impl Measured {
    /// Adds the counters that the evaluator printed after each pass. They are sums since the start
    /// of the evaluator.
    pub(super) fn count(&mut self, printed: &[Counters], initial_heap: u64) {
        let mut before = Counters::default();
        for (pass, sum) in self.passes.iter_mut().zip(printed) {
            pass.counters = Counters {
                peak_bytes: pass.peak_bytes,
                initial_heap_bytes: initial_heap,
                ..sum.since(&before)
            };
            before = sum.clone();
        }
    }
}
