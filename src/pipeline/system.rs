//! The result of the stages before activation.

use super::base_check::BaseReport;
use super::cached::{CacheReport, CacheUse};
use super::preflight::Preflight;
use crate::evaluation::Evaluated;
use crate::libnix::{Libnix, Missing, Store};
use crate::realise::BuildOrder;
use crate::record::{ExtraModule, Pin, SystemFile};

/// A system that can be activated, or would be in a dry run.
pub struct System {
    pub toplevel: String,
    /// Its derivation, or none if the toplevel was known without evaluation.
    pub drv: Option<String>,
    /// The toplevel without any runtime module.
    pub base: Option<String>,
    pub pin: Option<Pin>,
    /// The result of the evaluation, if there was one.
    pub evaluated: Option<Evaluated>,
    /// The store paths that were or would be built and fetched.
    pub missing: Missing,
    /// The builds in display order, only in a dry run.
    pub order: BuildOrder,
    /// The checks before activation, only in a dry run.
    pub preflight: Option<Preflight>,
    /// The comparison of the base, or none if there was nothing to compare.
    pub comparison: Option<BaseReport>,
    /// The cache entry, or none if nothing had to be evaluated.
    pub(super) cache: Option<CacheUse>,
    /// The toplevel that was running when the system was planned.
    pub(super) running: Option<String>,
    /// Keeps all paths from the garbage collector until the activator has created GC roots.
    pub(super) keeper: Libnix,
}

impl System {
    /// Returns the store that contains the system.
    pub fn store(&self) -> &Store {
        &self.keeper.store
    }

    /// Returns the specialisation and the extra modules.
    pub fn additions(&self) -> (Option<&str>, &[ExtraModule]) {
        self.pin.as_ref().map(Pin::beside).unwrap_or_default()
    }

    /// Returns the file from which the system was evaluated, if the source is not a flake.
    pub fn file(&self) -> Option<&SystemFile> {
        self.pin.as_ref()?.file.as_ref()
    }

    /// Returns how the cache was used.
    pub fn cache_report(&self) -> Option<CacheReport> {
        self.cache.as_ref().map(CacheUse::report)
    }

    /// Keeps the result in the cache. Called after everything that the user waits for.
    pub fn keep_in_cache(&self) {
        if let Some(cache) = &self.cache {
            cache.settle(&self.keeper, &self.toplevel, self.running.as_deref());
        }
    }
}
