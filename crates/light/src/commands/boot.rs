//! `__boot`, for the boot service: removes the records of an earlier boot. If the configuration
//! sets `restoreAtBoot`, activates the requested modules again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::run::Run;
use runtime_module_core::activation::{forget_earlier_boot, wait_for_boot};
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::plan::Action;
use runtime_module_core::record::{hold, prune_logs, requested_at};

/// The time limit for the rest of the boot. A boot that hangs must not prevent the modules from
/// being restored.
const BOOT: Duration = Duration::from_secs(5 * 60);

pub fn run(run: Run<'_>) -> Result<()> {
    let session = run.session;
    let begun = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    if session.locations.run().exists() {
        let _held = hold(
            &session.locations,
            "clean up after an earlier boot",
            Duration::from_secs(60),
        )?;
        forget_earlier_boot(&session.locations)?;
        // Without a state file, no transaction has ended in this boot. A log then belongs to an
        // earlier boot, or to a transaction that was requested after this command began and that is
        // waiting for the lock.
        if !session.host().has_state() {
            prune_logs(&session.locations, |name| {
                requested_at(name).is_some_and(|time| u128::from(time) >= begun)
            })?;
        }
    }
    let situation = session.host().situation()?;
    let restore = situation
        .baked
        .as_ref()
        .is_some_and(|baked| baked.restore_at_boot);
    if !restore || situation.state.wanted.is_empty() && situation.overrides().is_empty() {
        return Ok(());
    }
    // A unit that the boot itself is still starting could fail, which would look like a failure of
    // the modules.
    let go_on = || session.interrupts.check().is_ok();
    if !wait_for_boot(&session.locations, BOOT, go_on) {
        session.interrupts.check()?;
        let waited = BOOT.as_secs() / 60;
        session.reporter.note(format!(
            "the boot has not finished after {waited} minutes; restoring the modules anyway"
        ));
    }
    // Nobody can confirm the change.
    let options = ChangeOptions {
        confirm: Some(Duration::ZERO),
        ..ChangeOptions::default()
    };
    run.change(Action::Apply, options)
}
