//! The combinations to check, and the limits.

use crate::evaluation::{EvaluationSource, Memory};
use crate::libnix::Settings;
use crate::overrides::Definition;

/// The combinations of modules to check, in addition to each module alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combinations {
    /// All modules together.
    Together,
    /// All modules together, and each pair.
    Pairs,
}

/// One part of the work, if several machines share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The index of this shard, starting at 0.
    pub index: usize,
    /// Number of shards.
    pub count: usize,
}

/// Limits for one evaluation, and the number of parallel evaluations.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of parallel evaluations.
    pub workers: usize,
    /// Time limit for one evaluation.
    pub seconds: Option<f64>,
    /// Maximum bytes of unshared memory for one evaluation.
    pub bytes: Option<u64>,
    /// Maximum bytes of unshared memory for the evaluation of the host itself.
    pub host_bytes: Option<u64>,
}

/// The work of a check.
#[derive(Clone, Debug)]
pub struct CheckWork {
    /// Settings for libnix.
    pub settings: Settings,
    pub source: EvaluationSource,
    /// The store path of the flake's tree, or the folder of the file.
    pub tree: String,
    /// The host; `None` for all hosts.
    pub host: Option<String>,
    /// The modules; empty for all modules.
    pub names: Vec<String>,
    /// Option overrides that are in force during all evaluations of the check.
    pub overrides: Vec<Definition>,
    pub combinations: Combinations,
    pub shard: Option<Shard>,
    pub limits: Limits,
    /// Whether evaluations may reuse the `pkgs` of the evaluated host if theirs would provably be
    /// the same.
    pub share: bool,
    /// Initial heap of the garbage collector.
    pub memory: Memory,
}
