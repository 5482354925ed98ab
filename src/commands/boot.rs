//! `__boot`, run by the boot service: forgets what an earlier boot left, and where the configuration says so, applies what
//! is wanted again.

use std::time::Duration;

use anyhow::Result;

use super::{Session, change};
use crate::activation::forget_earlier_boot;
use crate::cli::Run;
use crate::plan::{Situation, Wish};
use crate::record::hold;

/// Does it.
pub fn run(session: &Session) -> Result<()> {
    if session.locations.run().exists() {
        let _held = hold(
            &session.locations,
            "prune what an earlier boot left",
            Duration::from_secs(60),
        )?;
        forget_earlier_boot(&session.locations)?;
    }
    let situation = Situation::read(&session.locations)?;
    let restore = situation
        .baked
        .as_ref()
        .is_some_and(|baked| baked.restore_at_boot);
    if !restore || situation.state.wanted.is_empty() {
        return Ok(());
    }
    // Nobody is there to confirm.
    let run = Run {
        confirm: Some(Duration::ZERO),
        ..Run::default()
    };
    change::run(session, &Wish::Apply, &run)
}
