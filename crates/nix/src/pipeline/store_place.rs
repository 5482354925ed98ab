//! Refuses stores whose systems cannot be evaluated or activated on this machine.

use std::path::Path;

use anyhow::Result;

use super::Making;
use crate::error::{Failure, cannot};
use crate::evaluation::REMOTE_BUILDERS;
use crate::options::StopAfter;

impl Making<'_> {
    /// Refuses a store whose sources cannot be evaluated here. Unless this is a dry run, also
    /// refuses a store whose systems cannot be activated here. `path` is a path in the store.
    pub(super) fn check_store(&self, path: &str) -> Result<()> {
        let store = self.session.options.store.as_deref().unwrap_or_default();
        // This fails if the path is not below the folder of this store.
        let Ok(real) = self.libnix.store.real_path(path) else {
            return self.refuse(
                format!("the pinned source {path} is not in the store {store}"),
                "omit --store to use the store of the running system, or run `runtime-module rebuild --flake REF --store URL` to pin REF in the other store",
            );
        };
        let is_here = Path::new(path).exists() || !self.libnix.store.is_valid(path)?;
        if !is_here && !real.exists() {
            return self.refuse(
                format!(
                    "the store {store} is on another machine, so its sources cannot be evaluated here"
                ),
                REMOTE_BUILDERS,
            );
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
        let store = self.session.options.store.as_deref().unwrap_or_default();
        if store.starts_with("ssh") {
            return self.refuse(
                format!(
                    "the store {store} is on another machine, so its systems cannot be activated here"
                ),
                &format!("use --dry-run; {REMOTE_BUILDERS}"),
            );
        }
        if is_here {
            return Ok(());
        }
        let folder = real.parent().unwrap_or(real).display();
        Err(Failure::Refused
            .error(format!(
                "cannot activate a system in the store at {folder}: its paths refer to this machine's store"
            ))
            .hint("use --dry-run, or omit --store to use this machine's store")
            .into())
    }

    fn refuse(&self, why: String, hint: &str) -> Result<()> {
        let failed = Failure::Refused.error(format!("{}: {why}", cannot(&self.plan.purpose)));
        Err(failed.hint(hint).into())
    }
}
