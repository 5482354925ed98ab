//! Functions for all commands that send a request to the activator.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::Session;
use crate::activation::{Activator, Errand, Request};
use crate::baked::Baked;
use crate::cli::Patience;
use crate::record::holder;

/// Waits for a running change, so that the plan is based on its result. If the change does not end
/// in time, the activator reports the holder of the lock.
pub fn patiently(session: &Session, patience: Patience) {
    let begun = Instant::now();
    let mut told = false;
    while begun.elapsed() < patience.wait
        && let Some(holder) = holder(&session.locations)
        && session.interrupts.check().is_ok()
    {
        if !told {
            session.reporter.note(format!("waiting for {holder}"));
            told = true;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Starts the activator with the privileges that it needs.
pub fn activator(session: &Session) -> Result<Activator> {
    if session.global.activator_on_stdin {
        return Activator::on_stdin();
    }
    let baked = Baked::read(&session.locations)?;
    let usual = baked.map(|baked| baked.elevation).unwrap_or_default();
    Activator::start(session.global.elevate.unwrap_or(usual), &session.locations)
}

/// Makes a request with a unique name.
pub fn request(session: &Session, purpose: &str, errand: Errand) -> Request {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    Request {
        store: session.global.store.clone(),
        root: session.locations.root().to_path_buf(),
        transaction: format!("{now}-{}", std::process::id()),
        purpose: purpose.to_string(),
        wait: 0,
        errand,
        fault: session.environment.fault.clone(),
    }
}
