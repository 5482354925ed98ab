//! `__boot`, run by the boot service: forgets what an earlier boot left, and where the configuration says so, applies what
//! is wanted again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::{Session, change};
use crate::activation::{forget_earlier_boot, wait_for_boot};
use crate::cli::Run;
use crate::plan::{Situation, Wish};
use crate::record::{hold, prune_logs};

/// How long the rest of the boot is waited for: one that hangs must not keep anybody from what was on.
const BOOT: Duration = Duration::from_secs(5 * 60);

/// Does it.
pub fn run(session: &Session) -> Result<()> {
    let begun = SystemTime::now();
    if session.locations.run().exists() {
        let _held = hold(
            &session.locations,
            "prune what an earlier boot left",
            Duration::from_secs(60),
        )?;
        forget_earlier_boot(&session.locations)?;
        // Nothing has ended in this boot: what has a log is of an earlier one, or has come after us and waits for the lock.
        if !session.locations.state().exists() {
            prune_logs(&session.locations, |name| is_younger(name, begun))?;
        }
    }
    let situation = Situation::read(&session.locations)?;
    let restore = situation
        .baked
        .as_ref()
        .is_some_and(|baked| baked.restore_at_boot);
    if !restore || situation.state.wanted.is_empty() {
        return Ok(());
    }
    // What the boot itself still starts, and fails to, would be taken for the failure of what is turned on.
    let go_on = || session.interrupts.check().is_ok();
    if !wait_for_boot(&session.locations, BOOT, go_on) {
        session.interrupts.check()?;
        let waited = BOOT.as_secs() / 60;
        session.reporter.note(format!(
            "the boot has not ended after {waited} minutes; what was on is turned on all the same"
        ));
    }
    // Nobody is there to confirm.
    let run = Run {
        confirm: Some(Duration::ZERO),
        ..Run::default()
    };
    change::run(session, &Wish::Apply, &run)
}

/// Whether a transaction was asked for after this time: its name begins with that, in milliseconds.
fn is_younger(transaction: &str, time: SystemTime) -> bool {
    let asked = transaction.split('-').next().unwrap_or_default().parse();
    let time = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    asked.is_ok_and(|asked: u128| asked >= time)
}
