//! The timer that rolls back to the previous system unless the new one is confirmed in time.
//!
//! The timer is a systemd timer, so that none of our processes has to keep running. On a machine
//! without systemd, the timer is a process in its own session. The timer is armed before the
//! switch, so that the change is rolled back even if the activator dies. It is armed again at the
//! end of the switch, so that the user has the full time to confirm.

use anyhow::{Context as _, Result};

use super::systemd;
use super::unit::{in_session, own_executable};
use crate::error::TransactionError;
use crate::locations::Locations;

/// The point at which the timer is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimerPhase {
    /// Before the switch.
    Before,
    /// At the end of the switch.
    After,
}

impl TimerPhase {
    /// Returns the argument that tells the timer's process when the timer was armed.
    fn argument(self) -> Option<&'static str> {
        (self == Self::After).then_some("--after")
    }
}

fn timer(transaction: &str, armed: TimerPhase) -> String {
    let which = match armed {
        TimerPhase::Before => "before",
        TimerPhase::After => "after",
    };
    format!("runtime-module-confirm-{transaction}-{which}")
}

/// Arms the timer, which rolls back the transaction after `seconds`.
pub(super) fn arm(
    transaction: &str,
    armed: TimerPhase,
    seconds: u64,
    locations: &Locations,
) -> Result<()> {
    if !systemd::runs(locations) {
        let seconds = seconds.to_string();
        let arguments = ["__expire", transaction, &seconds];
        let arguments: Vec<&str> = arguments.into_iter().chain(armed.argument()).collect();
        in_session(&arguments, transaction, locations)
            .context("cannot start the timer of the automatic rollback")?;
        return Ok(());
    }
    let own = own_executable()?;
    let unit = format!("--unit={}", timer(transaction, armed));
    let after = format!("--on-active={seconds}s");
    let own = own.to_string_lossy();
    let arguments = [
        "--quiet",
        "--no-ask-password",
        "--collect",
        "--description=Roll back to the previous system unless the new one is confirmed",
        "--timer-property=AccuracySec=100ms",
        "--property=OOMPolicy=continue",
        // If the rollback is killed or has no space for its files, systemd starts it again after
        // ten seconds, at most 360 times in an hour.
        "--property=Restart=on-failure",
        "--property=RestartSec=10s",
        "--property=StartLimitIntervalSec=1h",
        "--property=StartLimitBurst=360",
        &unit,
        &after,
        "--",
        &own,
        "__expire",
        transaction,
    ];
    let arguments: Vec<&str> = arguments.into_iter().chain(armed.argument()).collect();
    let output = systemd::ask("systemd-run", &arguments);
    output
        .map(drop)
        .map_err(|reason| TransactionError::TimerNotArmed { reason }.into())
}

/// Disarms these timers. A timer that is not armed is not an error.
pub(super) fn disarm(transaction: &str, which: &[TimerPhase], locations: &Locations) {
    if !systemd::runs(locations) {
        // Without systemd, the timer is a process, which keeps running. When its time is over, it
        // finds nothing to roll back and exits.
        return;
    }
    for armed in which {
        let unit = format!("{}.timer", timer(transaction, *armed));
        let _ = systemd::ask("systemctl", &["stop", "--", &unit]);
    }
}
