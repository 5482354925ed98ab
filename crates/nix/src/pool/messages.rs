//! Messages between the template and its client.

use serde::{Deserialize, Serialize};

use crate::error::Failed;
use crate::evaluation::{Evaluated, EvaluationSource};
use crate::libnix::{Position, Settings};
use crate::overrides::Definition;
use crate::registry::ModuleRequest;
use crate::registry::Registered;
use crate::timings::Counters;

/// A request to a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Open a flake.
    Open {
        settings: Settings,
        source: Box<EvaluationSource>,
        /// Option overrides to apply in every evaluation.
        overrides: Vec<Definition>,
    },
    /// Evaluate a host of the flake. Allowed once.
    Base {
        host: String,
        share: bool,
        /// Maximum bytes of unshared memory for a child that evaluates the host.
        bytes: Option<u64>,
    },
    /// Let a child evaluate the host with modules.
    Evaluate(EvaluationJob),
}

/// One combination to evaluate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationJob {
    pub id: usize,
    pub modules: Vec<ModuleRequest>,
    /// Time limit in seconds.
    pub seconds: Option<f64>,
    /// Maximum bytes of unshared memory.
    pub bytes: Option<u64>,
}

/// A message from a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum TemplateMessage {
    /// The flake is open and has these hosts.
    Opened {
        hosts: Vec<String>,
    },
    Ready {
        registry: Vec<Registered>,
        outcome: Box<JobOutcome>,
    },
    /// The template cannot fulfil the request.
    Failed {
        ended: Box<EvaluationEnd>,
    },
    Done {
        id: usize,
        outcome: Box<JobOutcome>,
    },
}

/// The outcome of an evaluation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobOutcome {
    pub ended: EvaluationEnd,
    pub milliseconds: f64,
    /// Bytes of unshared memory.
    pub bytes: u64,
    /// Counters of this evaluation alone, without the template's counters.
    pub counters: Counters,
    pub sharing: Sharing,
    /// The evaluated files, if they were requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// The use of the host's own packages in an evaluation, and the reason if they were not used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    pub shared: bool,
    pub why: Option<String>,
}

/// The end of an evaluation, with its result.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum EvaluationEnd {
    /// The evaluation succeeded.
    Evaluated { evaluated: Box<Evaluated> },
    /// The evaluation failed with an error.
    Failed {
        failed: Failed,
        /// Positions in any file, the closest to the error first.
        places: Vec<Position>,
        /// Whether the failure must be confirmed by an evaluator that may write and build.
        again: bool,
        /// Whether evaluation needed a build.
        builds: bool,
    },
    /// The evaluation exceeded the time limit.
    TimedOut,
    /// The evaluation exceeded the memory limit.
    TooLarge,
    /// The evaluating process exited without a result.
    Died { why: String },
}

impl JobOutcome {
    pub fn of(ended: EvaluationEnd) -> Self {
        Self {
            ended,
            milliseconds: 0.0,
            bytes: 0,
            counters: crate::timings::Counters::default(),
            sharing: Sharing::default(),
            files: Vec::new(),
        }
    }
}
