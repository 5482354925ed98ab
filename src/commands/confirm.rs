//! `confirm`: keeps a change that is waiting for confirmation.

use anyhow::Result;

use super::end;
use crate::activation::Errand;
use crate::pipeline::Waits;
use crate::session::Session;

/// Confirms the change.
pub fn run(session: &Session, waits: Waits) -> Result<()> {
    end(session, "confirm", "confirm", Errand::Confirm, waits)
}
