//! An open store that protects the paths of a system with temporary GC roots.

use std::path::PathBuf;

use anyhow::Result;
use runtime_module_core::pipeline::SystemStore;

use super::cached::CacheUse;
use crate::libnix::Libnix;

/// The store that contains the system of a plan.
pub(super) struct OpenStore {
    pub(super) libnix: Libnix,
    /// The cache entry; `None` if nothing had to be evaluated.
    pub(super) cache: Option<CacheUse>,
    /// The toplevel that was running when the system was planned.
    pub(super) running: Option<String>,
}

impl OpenStore {
    /// Makes an open store for a system that was not evaluated.
    pub(super) fn new(libnix: Libnix) -> Self {
        Self {
            libnix,
            cache: None,
            running: None,
        }
    }
}

impl SystemStore for OpenStore {
    fn is_valid(&self, path: &str) -> Result<bool> {
        Ok(self.libnix.store.is_valid(path)?)
    }

    fn real_path(&self, path: &str) -> Result<PathBuf> {
        Ok(self.libnix.store.real_path(path)?)
    }

    fn closure(&self, path: &str) -> Result<Vec<String>> {
        Ok(self.libnix.store.closure(path)?)
    }

    fn keep_in_cache(&self, toplevel: &str) {
        if let Some(cache) = &self.cache {
            cache.settle(&self.libnix, toplevel, self.running.as_deref());
        }
    }
}
