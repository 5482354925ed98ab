//! Computes the overrides after an earlier generation from the history.

use super::{Edit, Generation, OverrideState};
use crate::error::{Failed, OverrideError};

/// Returns the overrides after the generation with this number.
pub fn state_at(generations: &[Generation], number: u64) -> Result<OverrideState, Failed> {
    let Some(last) = generations.iter().position(|one| one.number == number) else {
        return Err(unknown(generations, number).into());
    };
    // The results of a rollback and of a reset do not depend on earlier generations.
    let complete = |one: &Generation| matches!(one.edit, Edit::Rollback { .. } | Edit::Reset);
    let first = generations[..=last].iter().rposition(complete);
    let mut state = OverrideState::default();
    for one in &generations[first.unwrap_or(0)..=last] {
        let next = state.generation + 1;
        if one.number != next && !complete(one) {
            return Err(OverrideError::EarlierGenerationMissing {
                number,
                missing: next,
            }
            .into());
        }
        state.advance(&one.edit, one.number)?;
    }
    Ok(state)
}

fn unknown(generations: &[Generation], number: u64) -> OverrideError {
    match (generations.first(), generations.last()) {
        (Some(first), Some(last)) => OverrideError::UnknownGeneration {
            number,
            first: first.number,
            last: last.number,
        },
        _ => OverrideError::NoGeneration { number },
    }
}
