//! Waits for other changes, becomes root, and creates requests for the activator.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::activation::{Activator, ActivatorTask, Request};
use crate::baked::Baked;
use crate::choice::SETTLE;
use crate::fault::{self, Point};
use crate::plan::VERIFY_PURPOSE;
use crate::session::Session;

/// How long a command waits for the end of a verification.
const VERIFICATION_END: Duration = Duration::from_secs(120);

/// Waits for a running change, so that the plan is based on the result of that change. If the
/// change does not end in time, the activator will fail and name the holder of the lock.
pub fn wait_for_others(session: &Session, wait: Duration) {
    let begun = Instant::now();
    let mut reported = false;
    while let Some(holder) = session.host().lock_holder()
        && begun.elapsed() < wait.max(patience(&holder))
        && session.interrupts.check().is_ok()
    {
        if !reported {
            session
                .reporter
                .note(format!("waiting for the running change: {holder}"));
            reported = true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns how long to wait for a holder of the lock even without `--wait`. Nobody starts the end of
/// a verification in the background, so it must not make a command fail.
fn patience(holder: &str) -> Duration {
    match holder.starts_with(VERIFY_PURPOSE) {
        true => VERIFICATION_END,
        false => Duration::ZERO,
    }
}

/// Starts the activator with root privileges. The elevation program may ask for a password.
pub fn elevate(session: &Session) -> Result<Activator> {
    let activator = fault::step(Point::Elevate, || activator(session));
    // Ctrl-C at the password prompt also ends the elevation program. Report the interrupt in this
    // case, not that program's error.
    session.interrupts.check()?;
    activator
}

fn activator(session: &Session) -> Result<Activator> {
    if session.options.activator_on_stdin {
        return Activator::on_stdin();
    }
    let baked = session.host().baked()?;
    let usual = baked.map(|baked| baked.elevation).unwrap_or_default();
    Activator::start(session.options.elevate.unwrap_or(usual), &session.locations)
}

/// Creates a request with a unique transaction name.
pub fn request(session: &Session, purpose: &str, task: ActivatorTask) -> Request {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    Request {
        store: session.options.store.clone(),
        root: session.locations.root().to_path_buf(),
        transaction: format!("{now}-{}", std::process::id()),
        purpose: purpose.to_string(),
        wait: 0,
        settle: whole_milliseconds(SETTLE),
        verify_options: verify_options(session),
        task,
        fault: session.environment.fault.clone(),
    }
}

/// Returns the options with which a verification in the background evaluates as this command does.
fn verify_options(session: &Session) -> Vec<String> {
    let options = &session.options;
    let mut all = Vec::new();
    for (name, value) in &options.nix_settings {
        all.extend(["--option".to_string(), name.clone(), value.clone()]);
    }
    if let Some(store) = &options.store {
        all.extend(["--store".to_string(), store.clone()]);
    }
    if options.accept_flake_config {
        all.push("--accept-flake-config".into());
    }
    all
}

/// Returns the settle time in milliseconds. Prefers the time from the command line to the
/// configured time.
pub fn settle(typed: Option<Duration>, baked: Option<&Baked>) -> u64 {
    let time = typed.or(baked.map(|baked| baked.settle));
    whole_milliseconds(time.unwrap_or(SETTLE))
}

/// Converts a duration to milliseconds. Returns `u64::MAX` if the number does not fit.
pub fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
