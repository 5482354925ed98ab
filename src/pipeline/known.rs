//! A system that is known without evaluation: the base, or an earlier state.

use anyhow::Result;

use super::Making;
use super::preflight::{Preflight, examined};
use super::system::System;
use crate::error::Failure;
use crate::libnix::Missing;
use crate::options::StopAfter;
use crate::plan::EarlierState;
use crate::realise::BuildOrder;

impl Making<'_> {
    /// Finds the system in the store.
    pub(super) fn known(self, state: &EarlierState) -> Result<System> {
        let toplevel = &state.toplevel;
        if !self.libnix.store.is_valid(toplevel)? {
            return Err(Failure::Refused
                .error(format!(
                    "{}: the system {toplevel} is no longer in the store",
                    self.plan.purpose
                ))
                .hint(
                    "run `runtime-module apply` to evaluate and build the requested modules again",
                )
                .into());
        }
        let preflight = match self.plan.stop_after {
            StopAfter::Evaluate => Some(self.preflight_known(toplevel)),
            StopAfter::Realise | StopAfter::Activate => None,
        };
        Ok(System {
            toplevel: toplevel.clone(),
            drv: None,
            base: state.base.clone(),
            pin: state.pin.clone(),
            evaluated: None,
            missing: Missing::default(),
            order: BuildOrder::default(),
            preflight,
            comparison: None,
            cache: None,
            running: self.situation.running.clone(),
            keeper: self.libnix,
        })
    }

    fn preflight_known(&self, toplevel: &str) -> Preflight {
        let findings = examined(self, toplevel);
        Preflight {
            built: findings.is_some(),
            findings: findings.unwrap_or_default(),
        }
    }
}
