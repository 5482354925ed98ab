//! `confirm`: keeps a change that is waiting for confirmation.

use anyhow::Result;

use crate::run::end;
use runtime_module_core::activation::ActivatorTask;
use runtime_module_core::pipeline::Waits;
use runtime_module_core::session::Session;

pub fn run(session: &Session, waits: Waits) -> Result<()> {
    end(session, "confirm", "confirm", ActivatorTask::Confirm, waits)
}
