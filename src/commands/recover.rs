//! `recover`: ends an interrupted change.

use anyhow::Result;

use super::end;
use crate::activation::Errand;
use crate::pipeline::Waits;
use crate::session::Session;

/// Rolls the change back, or finishes it.
pub fn run(session: &Session, finish: bool, waits: Waits) -> Result<()> {
    let purpose = match finish {
        true => "recover --finish",
        false => "recover",
    };
    end(
        session,
        "recover",
        purpose,
        Errand::Recover { finish },
        waits,
    )
}
