//! Records the result of a verification. Does not change the running system.

use anyhow::Result;

use super::transaction::RunningTransaction;
use super::{Activated, Verified};
use crate::error::TransactionError;
use crate::fault::{Point, step};
use crate::partial::VerificationResult;
use crate::record::write_effects;

impl RunningTransaction<'_> {
    /// Records that a verification could not finish or undo a partial change. Without this record,
    /// the same verification would start again.
    pub(super) fn verification_failed(&mut self, reason: String) {
        if let Some(verification) = &mut self.state.verification
            && verification.result == VerificationResult::Waiting
        {
            verification.result = VerificationResult::Failed { reason };
            let written = self.state.write(self.locations);
            self.note(written);
        }
    }
}

/// Records a result, unless the state has changed since the verification began.
pub(super) fn record(mut work: RunningTransaction<'_>, verified: &Verified) -> Result<Activated> {
    let known = work.state.verification.as_ref();
    let same = known.is_some_and(|one| one.generation == verified.verification.generation);
    if work.state.revision != verified.revision || work.state.pending.is_some() || !same {
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
