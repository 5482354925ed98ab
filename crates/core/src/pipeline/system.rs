//! The result of the stages before activation, with the data for reports.

use std::path::PathBuf;

use anyhow::Result;
use nix_types::Missing;
use serde::Serialize;

use crate::activation::Findings;
use crate::facts::Facts;
use crate::record::{ExtraModule, Pin, SystemFile};
use crate::timings::Counters;

/// A store that contains a new system. It can protect the system from the garbage collector until the activator has
/// created GC roots.
pub trait Keeper {
    fn is_valid(&self, path: &str) -> Result<bool>;

    /// Returns the location of a store path on disk.
    fn real_path(&self, path: &str) -> Result<PathBuf>;

    /// Returns all store paths that a path refers to.
    fn closure(&self, path: &str) -> Result<Vec<String>>;

    /// Keeps the system in the cache, if it was evaluated. Called after everything that the user waits for.
    fn keep_in_cache(&self, _toplevel: &str) {}
}

/// A system that can be activated, or would be in a dry run.
pub struct System {
    pub toplevel: String,
    /// Its derivation, or none if the toplevel was known without evaluation.
    pub drv: Option<String>,
    /// The toplevel without any runtime module.
    pub base: Option<String>,
    pub pin: Option<Pin>,
    /// Warnings of the configuration.
    pub warnings: Vec<String>,
    /// Facts about the system, if it was evaluated.
    pub facts: Option<Facts>,
    /// Counters of the evaluation, if there was one in this run.
    pub counters: Option<Counters>,
    /// The store paths that were or would be built and fetched.
    pub missing: Missing,
    /// The builds in display order, only in a dry run.
    pub order: BuildOrder,
    /// The checks before activation, only in a dry run.
    pub preflight: Option<Preflight>,
    /// The comparison of the base, or none if there was nothing to compare.
    pub comparison: Option<BaseReport>,
    /// How the cache was used, or none if nothing had to be evaluated.
    pub cache: Option<CacheReport>,
    pub keeper: Box<dyn Keeper>,
}

impl System {
    /// Returns the specialisation and the extra modules.
    pub fn additions(&self) -> (Option<&str>, &[ExtraModule]) {
        self.pin.as_ref().map(Pin::beside).unwrap_or_default()
    }

    /// Returns the file from which the system was evaluated, if the source is not a flake.
    pub fn file(&self) -> Option<&SystemFile> {
        self.pin.as_ref()?.file.as_ref()
    }

    /// Keeps the result in the cache. Called after everything that the user waits for.
    pub fn keep_in_cache(&self) {
        self.keeper.keep_in_cache(&self.toplevel);
    }
}

/// Derivations to build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOrder {
    /// Builds, sorted by distance from the toplevel, then by name.
    pub builds: Vec<String>,
    /// Sources and patches (fixed-output derivations), sorted by name.
    pub sources: Vec<String>,
}

/// The results of the checks before activation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Preflight {
    /// Whether the system is in the store and the checks ran on it. If not, the real run may find
    /// more.
    pub built: bool,
    /// Objections, and changes that will not take effect.
    #[serde(flatten)]
    pub findings: Findings,
}

/// The comparison in the JSON report (`docs/json.md`).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseReport {
    /// Whether the pinned source evaluates to the base.
    pub same: bool,
    /// Whether the result came from an earlier evaluation.
    pub cached: bool,
    /// The duration of the evaluation in milliseconds.
    pub milliseconds: f64,
}

/// How a run used the cache, for the report (`docs/json.md`).
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheReport {
    /// Whether the result came from the cache.
    pub hit: bool,
    /// Reason for a miss, or the time that a hit has saved.
    pub why: String,
    /// Duration of the lookup.
    pub milliseconds: f64,
}
