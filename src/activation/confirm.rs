//! The timer that returns to the previous system unless somebody confirms the new one.
//!
//! It is systemd's, and needs none of our processes to live; where systemd does not run it is a process in a session of
//! its own. It is armed before the switch and once more at its end: whoever dies in between is returned from, too.

use anyhow::Result;

use super::systemd;
use super::unit::{in_session, own_executable};
use crate::error::Failure;
use crate::locations::Locations;

/// When it is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armed {
    /// Before the switch.
    Before,
    /// At its end.
    After,
}

impl Armed {
    /// What tells the process that it starts which timer it was.
    fn argument(self) -> Option<&'static str> {
        (self == Self::After).then_some("--after")
    }
}

fn timer(transaction: &str, armed: Armed) -> String {
    let which = match armed {
        Armed::Before => "before",
        Armed::After => "after",
    };
    format!("runtime-module-confirm-{transaction}-{which}")
}

/// Arms it: after so many seconds the transaction is undone.
pub(super) fn arm(
    transaction: &str,
    armed: Armed,
    seconds: u64,
    locations: &Locations,
) -> Result<()> {
    if !systemd::runs(locations) {
        let seconds = seconds.to_string();
        let arguments = ["__expire", transaction, &seconds];
        let arguments: Vec<&str> = arguments.into_iter().chain(armed.argument()).collect();
        in_session(&arguments, transaction, locations)?;
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
        "--description=Returns to the previous system unless the new one is confirmed",
        "--timer-property=AccuracySec=100ms",
        "--property=OOMPolicy=continue",
        // Who undoes it and is killed, or finds no room, tries again: for an hour.
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
    let said = systemd::ask("systemd-run", &arguments);
    said.map(drop).map_err(|why| {
        Failure::Refused
            .error(format!(
                "arm the timer that returns unless confirmed: {why}"
            ))
            .hint("without --confirm it can be done, and is not undone by itself")
            .into()
    })
}

/// Disarms it. The one that is not armed is no error.
pub(super) fn disarm(transaction: &str, which: &[Armed], locations: &Locations) {
    if !systemd::runs(locations) {
        // The process finds nothing to be undone, and ends.
        return;
    }
    for armed in which {
        let unit = format!("{}.timer", timer(transaction, *armed));
        let _ = systemd::ask("systemctl", &["stop", "--", &unit]);
    }
}
