//! Evaluates many configurations of one flake. A template process evaluates a host once and forks
//! children, and each child evaluates one extension of the host.
//!
//! - `work.rs`: what to check, and the limits
//! - `template.rs`: the template process
//! - `forking.rs`: the children of a template
//! - `child.rs`: what a child does
//! - `alone.rs`: an evaluator that is not a fork
//! - `pool.rs`: the client, which assigns jobs to processes and collects the outcomes
//! - `rows.rs`: the report about each combination
//! - `baseline.rs`: comparison with an earlier run
//!
//! Nothing here writes to the terminal.

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

/// A request to a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Open a flake.
    Open {
        settings: Settings,
        flake: Box<FlakeSource>,
    },
    /// Evaluate a host of the flake. Allowed once.
    Base {
        host: String,
        share: bool,
        /// Maximum bytes of unshared memory for a child that evaluates the host.
        bytes: Option<u64>,
    },
    /// Let a child evaluate the host with modules.
    Evaluate(Job),
}

/// One combination to evaluate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    id: usize,
    modules: Vec<ModuleRequest>,
    /// Time limit in seconds.
    seconds: Option<f64>,
    /// Maximum bytes of unshared memory.
    bytes: Option<u64>,
}

/// A message from a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Say {
    /// The flake is open and has these hosts.
    Opened {
        hosts: Vec<String>,
    },
    Ready {
        registry: Vec<Registered>,
        outcome: Box<Outcome>,
    },
    /// The template cannot do what was asked.
    Failed {
        ended: Box<Ended>,
    },
    Done {
        id: usize,
        outcome: Box<Outcome>,
    },
}

/// The outcome of an evaluation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    ended: Ended,
    milliseconds: f64,
    /// Bytes of unshared memory.
    bytes: u64,
    /// Counters of this evaluation alone, without those of the template.
    counters: Counters,
    sharing: Sharing,
    /// The evaluated files, if they were requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
}

/// Whether the evaluation used the host's own packages, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    shared: bool,
    why: Option<String>,
}

/// How an evaluation ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ended {
    /// It gave a result.
    Evaluated { evaluated: Box<Evaluated> },
    /// It failed with an error.
    Failed {
        failed: Failed,
        /// Positions in any file, the closest first.
        places: Vec<Position>,
        /// Whether only an evaluator that may write and build can tell whether this is a real
        /// failure.
        again: bool,
        /// Whether evaluation needed a build.
        builds: bool,
    },
    /// It exceeded the time limit.
    TimedOut,
    /// It exceeded the memory limit.
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
