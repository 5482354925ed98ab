//! `recover`: ends an interrupted change.

use anyhow::Result;

use crate::activation::Errand;
use crate::pipeline::{Waits, end_transaction};
use crate::plan::Situation;
use crate::report::EndReport;
use crate::session::Session;

/// Rolls the change back, or finishes it.
pub fn run(session: &Session, finish: bool, waits: Waits) -> Result<()> {
    let purpose = match finish {
        true => "recover --finish",
        false => "recover",
    };
    let activation = end_transaction(session, purpose, Errand::Recover { finish }, waits)?;
    let situation = Situation::read(&session.locations)?;
    EndReport::new("recover", situation.active().to_vec(), activation).print(session)
}
