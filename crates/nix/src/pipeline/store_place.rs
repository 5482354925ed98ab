//! Refuses stores whose systems cannot be evaluated or activated on this machine.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::system_build::SystemBuild;
use crate::error::PipelineError;

/// Where the files of a store path are.
pub(super) struct StorePlace {
    real: PathBuf,
    /// Whether the files are at the store path itself.
    is_here: bool,
}

impl SystemBuild<'_> {
    /// Refuses a store whose sources cannot be evaluated here. Returns where the store has this
    /// path.
    pub(super) fn check_sources(&self, path: &str) -> Result<StorePlace> {
        let purpose = self.plan.purpose.as_str().into();
        let store = self.session.options.store.clone().unwrap_or_default();
        // This fails if the path is not below the folder of this store.
        let Ok(real) = self.libnix.store.real_path(path) else {
            let path = path.into();
            return Err(PipelineError::SourceNotInStore {
                purpose,
                path,
                store,
            }
            .into());
        };
        let is_here = Path::new(path).exists() || !self.libnix.store.is_valid(path)?;
        if !is_here && !real.exists() {
            return Err(PipelineError::SourcesElsewhere { purpose, store }.into());
        }
        Ok(StorePlace { real, is_here })
    }

    /// Refuses a store whose systems cannot be activated here. Its GC roots must be on this
    /// machine, because otherwise the running system could be garbage-collected. Its files must be
    /// at their store paths, because a system refers to these paths.
    pub(super) fn check_activation(&self, place: &StorePlace) -> Result<()> {
        let store = self.session.options.store.clone().unwrap_or_default();
        if store.starts_with("ssh") {
            let purpose = self.plan.purpose.as_str().into();
            return Err(PipelineError::SystemsElsewhere { purpose, store }.into());
        }
        if place.is_here {
            return Ok(());
        }
        let folder = place
            .real
            .parent()
            .unwrap_or(&place.real)
            .display()
            .to_string();
        Err(PipelineError::OtherStoreFolder { folder }.into())
    }
}
