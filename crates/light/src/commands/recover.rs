//! `recover`: ends an interrupted change.

use anyhow::Result;

use crate::run::end;
use runtime_module_core::activation::ActivatorTask;
use runtime_module_core::pipeline::Waits;
use runtime_module_core::session::Session;

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
        ActivatorTask::Recover { finish },
        waits,
    )
}
