//! Refuses stores whose systems cannot be evaluated or activated on this machine.

use std::path::Path;

use anyhow::Result;

use super::making::Making;
use crate::error::PipelineError;
use crate::options::StopAfter;

impl Making<'_> {
    /// Refuses a store whose sources cannot be evaluated here. Unless this is a dry run, also
    /// refuses a store whose systems cannot be activated here. `path` is a path in the store.
    pub(super) fn check_store(&self, path: &str) -> Result<()> {
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
        match self.plan.stop_after {
            StopAfter::Evaluate => Ok(()),
            StopAfter::Realise | StopAfter::Activate => self.check_activation(&real, is_here),
        }
    }

    /// Refuses a store whose systems cannot be activated here. Its GC roots must be on this
    /// machine, because otherwise the running system could be garbage-collected. Its files must be
    /// at their store paths (`is_here`), because a system refers to these paths.
    fn check_activation(&self, real: &Path, is_here: bool) -> Result<()> {
        let store = self.session.options.store.clone().unwrap_or_default();
        if store.starts_with("ssh") {
            let purpose = self.plan.purpose.as_str().into();
            return Err(PipelineError::SystemsElsewhere { purpose, store }.into());
        }
        if is_here {
            return Ok(());
        }
        let folder = real.parent().unwrap_or(real).display().to_string();
        Err(PipelineError::OtherStoreFolder { folder }.into())
    }
}
