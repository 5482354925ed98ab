//! Determines the option overrides after a change.

use super::{Action, EarlierState};
use crate::error::Failed;
use crate::host::Situation;
use crate::overrides::{Definition, Edit, OverrideState};

/// The option overrides after a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannedOverrides {
    pub after: OverrideState,
    /// The edit to record, if there is one. After a reboot, the first change records the overrides
    /// that survived, even if it does not change them.
    pub edit: Option<Edit>,
    /// The definitions that `set` adds.
    pub added: Vec<Definition>,
}

impl PlannedOverrides {
    /// Determines the overrides for a request.
    pub fn decide(action: &Action, situation: &Situation) -> Result<Self, Failed> {
        let now = situation.overrides();
        let edit = match action {
            Action::Override(edit) => Some(edit.clone()),
            Action::ResetAll if !now.holds_nothing() => Some(Edit::Reset),
            Action::Rollback(state) => return_to(state, now),
            _ => None,
        };
        let number = now.generation + 1;
        let mut after = match &edit {
            Some(edit) => now.apply(edit, number)?,
            None => now.clone(),
        };
        let added = match &edit {
            Some(Edit::Set { definitions }) => definitions.clone(),
            _ => Vec::new(),
        };
        // The first record of this boot starts with the overrides that survived the reboot.
        let survived = now.generation == 0 && !now.is_empty();
        let edit = match survived {
            true => {
                after.generation = number;
                Some(Edit::Rollback {
                    to: 0,
                    definitions: after.definitions.clone(),
                    kept: after.kept.clone(),
                    survived: now.definitions.clone(),
                })
            }
            false => edit,
        };
        Ok(Self { after, edit, added })
    }
}

/// Returns the edit that a rollback records. Returns `None` if the overrides stay the same.
fn return_to(state: &EarlierState, now: &OverrideState) -> Option<Edit> {
    let then = &state.overrides;
    let same = then.definitions == now.definitions && then.kept() == now.kept();
    (!same).then(|| Edit::Rollback {
        to: then.generation,
        definitions: then.definitions.clone(),
        kept: then.kept(),
        survived: Vec::new(),
    })
}
