//! The result of the stages before activation, with the data that reports need.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use nix_types::Missing;
use schemars::JsonSchema;
use serde::Serialize;

use crate::activation::Findings;
use crate::facts::Facts;
use crate::partial::RuntimeFiles;
use crate::record::{Configuration, ExtraModule, SystemFile};
use crate::timings::Counters;

/// A store that contains a new system. Some implementations also protect this system from the
/// garbage collector until the activator has created the GC roots.
pub trait SystemStore {
    fn is_valid(&self, path: &str) -> Result<bool>;

    /// Returns the location of a store path on disk.
    fn real_path(&self, path: &str) -> Result<PathBuf>;

    /// Returns the closure of a path: all store paths that it refers to, directly or indirectly.
    fn closure(&self, path: &str) -> Result<Vec<String>>;

    /// Keeps the evaluation result of the system in the cache. This is called last, after
    /// everything that the user waits for.
    fn keep_in_cache(&self, _toplevel: &str) {}
}

/// A system that can be activated, or that a dry run has evaluated.
pub struct System {
    pub toplevel: String,
    /// Whether the toplevel itself does not contain the overrides.
    pub partial: bool,
    /// The unit files and etc entries that apply overrides in addition to the toplevel.
    pub runtime: RuntimeFiles,
    /// The content of etc entries in `runtime` that may not be built yet, by their path below `/etc`.
    pub texts: BTreeMap<String, String>,
    /// The toplevel with which the files were compared; `None` if they must be verified later.
    pub verified: Option<String>,
    /// The derivation of the system; `None` if the toplevel was known without an evaluation.
    pub drv: Option<String>,
    /// The toplevel without any runtime module.
    pub base: Option<String>,
    pub configuration: Option<Configuration>,
    /// The warnings of the configuration.
    pub warnings: Vec<String>,
    /// The facts about the system, if it was evaluated.
    pub facts: Option<Facts>,
    /// The counters of the evaluation, if this run evaluated.
    pub counters: Option<Counters>,
    /// The store paths that were built and fetched. In a dry run, those that a real run would build
    /// and fetch.
    pub missing: Missing,
    /// The order in which a dry run shows the builds.
    pub order: BuildOrder,
    /// The result of the checks before activation; `None` except in a dry run.
    pub preflight: Option<Preflight>,
    /// The comparison of the base; `None` if there was nothing to compare.
    pub comparison: Option<BaseReport>,
    /// The report about the cache lookup; `None` if nothing had to be evaluated.
    pub cache: Option<CacheReport>,
    pub store: Box<dyn SystemStore>,
}

impl System {
    /// Returns the specialisation and the extra modules.
    pub fn additions(&self) -> (Option<&str>, &[ExtraModule]) {
        let configuration = self.configuration.as_ref();
        configuration
            .map(Configuration::additions)
            .unwrap_or_default()
    }

    /// Returns the file that defines the system, if the source is not a flake.
    pub fn file(&self) -> Option<&SystemFile> {
        self.configuration.as_ref()?.source.file()
    }

    /// Keeps the evaluation result in the cache. This is called last, after everything that the
    /// user waits for.
    pub fn keep_in_cache(&self) {
        self.store.keep_in_cache(&self.toplevel);
    }
}

/// The derivations to build, in the order in which a dry run shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOrder {
    /// The builds, sorted by distance from the toplevel, then by name.
    pub builds: Vec<String>,
    /// The sources and patches (fixed-output derivations), sorted by name.
    pub sources: Vec<String>,
}

/// The result of the checks before activation.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Preflight {
    /// Whether the system is in the store, so that the checks ran on the built system. If not, a
    /// real run may find more objections.
    pub built: bool,
    /// The objections, and the warnings about changes that need a reboot.
    #[serde(flatten)]
    pub findings: Findings,
}

/// The comparison of the base with the result of the pinned source.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaseReport {
    /// Whether the pinned source evaluates to the base.
    pub same: bool,
    /// Whether the result comes from an earlier evaluation.
    pub cached: bool,
    /// The duration of the evaluation in milliseconds.
    pub milliseconds: f64,
}

/// The result of a lookup in the result cache.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheReport {
    /// Whether the result came from the cache.
    pub hit: bool,
    /// The reason for a miss, or the time that a hit saved.
    pub why: String,
    /// The duration of the lookup in milliseconds.
    pub milliseconds: f64,
}
