//! `confirm`: keeps a change that is waiting for confirmation.

use anyhow::Result;

use crate::activation::Errand;
use crate::pipeline::{Waits, end_transaction};
use crate::plan::Situation;
use crate::report::EndReport;
use crate::session::Session;

/// Confirms the change.
pub fn run(session: &Session, waits: Waits) -> Result<()> {
    let activation = end_transaction(session, "confirm", Errand::Confirm, waits)?;
    let situation = Situation::read(&session.locations)?;
    EndReport::new("confirm", situation.active().to_vec(), activation).print(session)
}
