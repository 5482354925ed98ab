//! Decides whether a change to option overrides can be a partial change, and which units and etc
//! entries it probably changes.

use super::{Action, PlannedOverrides, current_configuration};
use crate::host::Situation;
use crate::options::Apply;
use crate::overrides::{Definition, Edit};
use crate::partial::{Parts, guess};
use crate::record::BaseStatus;

/// Returns the units and etc entries that a change to overrides probably affects, together with
/// those that earlier changes have replaced. Fails if a whole toplevel is necessary. The error is
/// the reason to print, or `None` if the user expects a whole toplevel anyway.
pub(super) fn parts(
    overrides: &PlannedOverrides,
    action: &Action,
    situation: &Situation,
    apply: &Apply,
) -> Result<Parts, Option<String>> {
    let Action::Override(edit) = action else {
        return Err(None);
    };
    if apply.full {
        return Err(None);
    }
    ready(situation)?;
    let mut parts = Parts {
        units: situation.state.runtime.units.keys().cloned().collect(),
        etc: situation.state.runtime.etc.keys().cloned().collect(),
    };
    if apply.units.is_empty() {
        for path in changed(
            edit,
            situation.overrides().definitions.as_slice(),
            overrides,
        ) {
            parts.extend(guess(&path, &situation.effects).map_err(Some)?);
        }
    }
    parts.units.extend(apply.units.iter().cloned());
    match parts.is_empty() {
        true => Err(None),
        false => Ok(parts),
    }
}

/// Fails if the running system may differ from its configuration, so that the evaluated parts could
/// contain unrelated changes.
fn ready(situation: &Situation) -> Result<(), Option<String>> {
    let state = &situation.state;
    let base = situation.base();
    let configuration = current_configuration(situation).ok_or(None)?;
    if configuration.source.pin().is_none() {
        return Err(None);
    }
    let why = match configuration.base_status(base.as_deref()) {
        Some(BaseStatus::Same) if state.pending.is_some() => return Err(None),
        Some(BaseStatus::Same) if state.current.is_none() => "this is the first change of the boot",
        Some(BaseStatus::Same) if state.current != situation.running => {
            "the running system is not the one that this program activated last"
        }
        Some(BaseStatus::Same) if state.overrides_ended => {
            "an external switch has ended the overrides"
        }
        Some(BaseStatus::Same) if state.wanted != state.active => {
            "some enabled modules are not active"
        }
        Some(BaseStatus::Same) => return Ok(()),
        Some(BaseStatus::Differs) => "the base differs from its source",
        _ => "the base has not been compared with its source yet",
    };
    Err(Some(why.into()))
}

/// Returns the paths of the overrides that an edit changes.
fn changed(edit: &Edit, before: &[Definition], overrides: &PlannedOverrides) -> Vec<Vec<String>> {
    let after = overrides.after.definitions.as_slice();
    match edit {
        Edit::Set { definitions } => definitions.iter().map(|one| one.path.clone()).collect(),
        Edit::Unset { paths } => paths.clone(),
        Edit::Rollback { .. } | Edit::Reset => {
            let same = |one: &Definition, other: &Definition| {
                (&one.path, &one.value, one.mode) == (&other.path, &other.value, other.mode)
            };
            let lacks =
                |all: &[Definition], one: &Definition| !all.iter().any(|other| same(one, other));
            let gone = before.iter().filter(|one| lacks(after, one));
            let new = after.iter().filter(|one| lacks(before, one));
            gone.chain(new).map(|one| one.path.clone()).collect()
        }
    }
}
