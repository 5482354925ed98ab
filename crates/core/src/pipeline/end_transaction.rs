//! Ends an unfinished transaction without an evaluation: for `confirm`, for `recover`, and for a
//! `rollback` of an unconfirmed change.

use std::time::Duration;

use anyhow::Result;

use super::elevation::{elevate, request, settle, wait_for_others, whole_milliseconds};
use crate::activation::{Activated, ActivatorTask};
use crate::session::Session;

/// The waiting times of a command that ends a transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// The maximum time to wait for another change to end.
    pub others: Duration,
    /// The time to watch started services; `None` for the configured time.
    pub settle: Option<Duration>,
}

/// Asks the activator to end the transaction. The lock and the log show `purpose` as the
/// description of the request.
pub fn end_transaction(
    session: &Session,
    purpose: &str,
    task: ActivatorTask,
    waits: Waits,
) -> Result<Activated> {
    wait_for_others(session, waits.others);
    let activator = elevate(session)?;
    let mut request = request(session, purpose, task);
    request.wait = whole_milliseconds(waits.others);
    let baked = session.host().baked()?;
    request.settle = settle(waits.settle, baked.as_ref());
    session.interrupts.detach()?;
    activator.activate(&request, &session.reporter)
}
