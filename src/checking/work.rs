//! What is to be checked, and within which limits.

use crate::evaluation::{FlakeSource, Memory};
use crate::libnix::Settings;

/// Which sets of modules are checked beside each alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combinations {
    /// All together.
    Together,
    /// All together, and each two.
    Pairs,
}

/// A part of the work, for many machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

/// What one evaluation may have, and how many there are at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Processes that evaluate at once.
    pub workers: usize,
    /// Seconds for one.
    pub seconds: Option<f64>,
    /// Bytes of memory of its own for one.
    pub bytes: Option<u64>,
    /// For the evaluation of a host itself.
    pub host_bytes: Option<u64>,
}

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Work {
    /// How libnix is opened.
    pub settings: Settings,
    /// The flake.
    pub flake: FlakeSource,
    /// Store path of its tree.
    pub source: String,
    /// The host; none for all of them.
    pub host: Option<String>,
    /// The modules; none for all of them.
    pub names: Vec<String>,
    /// Which sets of them.
    pub combinations: Combinations,
    /// Which part.
    pub shard: Option<Shard>,
    /// What one may have.
    pub limits: Limits,
    /// Whether packages are shared where that is proved to be right.
    pub share: bool,
    /// The collector's heap.
    pub memory: Memory,
}
