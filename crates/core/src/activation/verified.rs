//! Records the result of a verification. Changes nothing else.

use anyhow::Result;

use super::transaction::RunningTransaction;
use super::{Activated, Verified};
use crate::error::TransactionError;
use crate::fault::{Point, step};
use crate::record::write_effects;

/// Records a result, unless the state has changed since the verification began.
pub(super) fn record(mut work: RunningTransaction<'_>, verified: &Verified) -> Result<Activated> {
    if work.state.revision != verified.revision || work.state.pending.is_some() {
        return Err(TransactionError::VerificationOutdated.into());
    }
    work.state.verification = Some(verified.verification.clone());
    work.state.remember_verified();
    step(Point::Commit, || work.state.write(work.locations))?;
    if let Some(effects) = &verified.effects {
        let written = write_effects(work.locations, effects);
        work.note(written);
    }
    work.timed();
    Ok(work.activated)
}
