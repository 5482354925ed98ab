//! Evaluating many things of one flake: a template process evaluates a host once and forks children, each of which
//! evaluates one extension of it and ends.
//!
//! `work.rs` what is to be done; `template.rs` the template's role; `forking.rs` its children; `child.rs` what a child does; `alone.rs` an evaluator that
//! is no fork; `pool.rs` the client's side: which of them gets which job, and what comes of it; `rows.rs` what is told of each; `baseline.rs` comparing with an earlier run.
//! Nothing is drawn here.

mod alone;
mod baseline;
mod child;
mod forking;
mod pool;
mod rows;
mod template;
mod work;

use serde::{Deserialize, Serialize};

use crate::error::Failed;
use crate::evaluation::{Evaluated, FlakeSource, ModuleRequest};
use crate::libnix::{Position, Settings};
use crate::registry::Registered;
use crate::timings::Counters;

pub use baseline::Baseline;
pub use pool::{Pool, Standing, Told};
pub use rows::{Regression, Row, Status, Summary};
pub use template::run as template_role;
pub use work::{Combinations, Limits, Shard, Work};

/// What a template is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// To open a flake.
    Open {
        settings: Settings,
        flake: FlakeSource,
    },
    /// To evaluate a host of it. Once.
    Base {
        host: String,
        share: bool,
        /// Bytes of memory that a child which evaluates it may have of its own.
        bytes: Option<u64>,
    },
    /// To have a child evaluate the host with modules.
    Evaluate(Job),
}

/// One thing to evaluate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    id: usize,
    modules: Vec<ModuleRequest>,
    /// Seconds that it may take.
    seconds: Option<f64>,
    /// Bytes of memory that it may have of its own.
    bytes: Option<u64>,
}

/// What a template says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Say {
    /// The flake is open, and has these hosts.
    Opened { hosts: Vec<String> },
    /// The host is evaluated.
    Ready {
        registry: Vec<Registered>,
        outcome: Box<Outcome>,
    },
    /// What was asked for cannot be done.
    Failed { ended: Box<Ended> },
    /// A child has ended.
    Done { id: usize, outcome: Box<Outcome> },
}

/// How an evaluation went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    ended: Ended,
    milliseconds: f64,
    /// Bytes of memory of its own.
    bytes: u64,
    /// Of this evaluation alone, without what the template had done.
    counters: Counters,
    sharing: Sharing,
    /// The files that were evaluated, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
}

/// Whether packages were the host's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    shared: bool,
    why: Option<String>,
}

/// How it ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ended {
    /// With a result.
    Evaluated { evaluated: Box<Evaluated> },
    /// With an error.
    Failed {
        failed: Failed,
        /// Where, in whosever files, the nearest first.
        places: Vec<Position>,
        /// Whether it is known only after an evaluation that may write and build.
        again: bool,
        /// Whether evaluation wanted to build.
        builds: bool,
    },
    /// It took too long.
    TimedOut,
    /// It had too much memory.
    TooLarge,
    /// Its process died.
    Died { why: String },
}

impl Outcome {
    fn of(ended: Ended) -> Self {
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
