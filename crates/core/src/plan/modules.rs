//! Determines the modules after a change: their names, and the order in which they are evaluated.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Action, PlannedSource, current_configuration};
use crate::host::Situation;
use crate::record::Source;
use crate::registry::{ModuleRequest, unknown_modules};

/// Returns the modules that are requested after the change.
pub(super) fn wanted(
    action: &Action,
    situation: &Situation,
    elsewhere: bool,
) -> Result<Vec<String>> {
    let mut wanted = situation.state.wanted.clone();
    match action {
        Action::Enable(names) => {
            if !elsewhere {
                known(names, situation)?;
            }
            for name in names {
                if !wanted.contains(name) {
                    wanted.push(name.clone());
                }
            }
        }
        Action::Disable(names) => {
            let others: Vec<String> = names
                .iter()
                .filter(|name| !wanted.contains(name) && !is_extra(situation, name))
                .cloned()
                .collect();
            if !elsewhere {
                known(&others, situation)?;
            }
            wanted.retain(|name| !names.contains(name));
        }
        Action::Reset | Action::ResetAll => wanted.clear(),
        Action::Rollback(past) => wanted.clone_from(&past.wanted),
        Action::Apply | Action::Rebuild | Action::Override(_) | Action::Verify => {}
    }
    Ok(wanted)
}

/// Returns whether an extra module is enabled under this name.
pub(super) fn is_extra(situation: &Situation, name: &str) -> bool {
    current_configuration(situation)
        .is_some_and(|current| current.extras.iter().any(|extra| extra.name == name))
}

/// Refuses unknown module names. Accepts all names if the list of modules is not known.
fn known(names: &[String], situation: &Situation) -> Result<()> {
    let Some(baked) = &situation.baked else {
        return Ok(());
    };
    let known: Vec<String> = baked
        .modules
        .iter()
        .map(|module| module.name.clone())
        .collect();
    let unknown: Vec<String> = names
        .iter()
        .filter(|name| !known.contains(name))
        .cloned()
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(unknown_modules(&unknown, &known).into())
}

/// Returns the modules in the order of evaluation. If this order is unknown, returns them in the
/// order of `wanted`.
pub fn modules(
    wanted: &[String],
    situation: &Situation,
    source: &PlannedSource,
) -> Result<Vec<ModuleRequest>> {
    // The baked list of modules applies only to the baked source.
    let baked = match source {
        PlannedSource::Known(Source::Flake(pin)) if pin.inputs.is_empty() => {
            situation.baked.as_ref().filter(|baked| baked.is_of(pin))
        }
        _ => None,
    };
    let Some(baked) = baked else {
        return Ok(wanted
            .iter()
            .map(|name| ModuleRequest::named(name))
            .collect());
    };
    known(wanted, situation)?;
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    Ok(baked
        .modules
        .iter()
        .filter(|module| wanted.contains(module.name.as_str()))
        .map(|module| ModuleRequest {
            name: module.name.clone(),
            file: module.file.clone(),
            origin: Some(module.origin),
        })
        .collect())
}
