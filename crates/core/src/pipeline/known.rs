//! Finds systems that are known without an evaluation: the base and earlier states.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use nix_types::Missing;

use super::system::{BuildOrder, Preflight, System, SystemStore};
use crate::activation::{Findings, examine};
use crate::error::SourceError;
use crate::plan::{EarlierState, Plan};
use crate::session::Session;

/// Returns the system of an earlier state. Fails if the system is no longer in the store.
pub fn known(
    session: &Session,
    plan: &Plan,
    state: &EarlierState,
    store: Box<dyn SystemStore>,
) -> Result<System> {
    let toplevel = &state.toplevel;
    if !store.is_valid(toplevel)? {
        return Err(SourceError::SystemDeleted {
            purpose: plan.purpose.as_str().into(),
            system: toplevel.clone(),
        }
        .into());
    }
    let preflight = match plan.realises() {
        true => None,
        false => {
            let place = store.real_path(toplevel)?;
            let findings = examined(session, &plan.purpose, &place);
            Some(Preflight {
                built: findings.is_some(),
                findings: findings.unwrap_or_default(),
            })
        }
    };
    Ok(System {
        toplevel: toplevel.clone(),
        partial: state.partial,
        runtime: state.runtime.clone(),
        texts: BTreeMap::new(),
        verified: None,
        drv: None,
        base: state.base.clone(),
        configuration: state.configuration.clone(),
        warnings: Vec::new(),
        facts: None,
        counters: None,
        missing: Missing::default(),
        order: BuildOrder::default(),
        preflight,
        comparison: None,
        cache: None,
        store,
    })
}

/// Checks a built system before its activation. Returns `None` if `place` does not exist.
pub fn examined(session: &Session, purpose: &str, place: &Path) -> Option<Findings> {
    place
        .exists()
        .then(|| examine(purpose, place, &session.host().machine()))
}
