//! Starts the activator in a transient systemd unit. If systemd is not running or does not start
//! the unit, starts the activator in its own session.
//!
//! In both cases, the activator survives the client, its terminal, its connection and the elevation
//! program.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::environment::clean;
use super::systemd;
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::record::open_log;

/// The interval at which to check whether a unit is still running.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// After this many failed checks in a row, the activator counts as running only if the lock is
/// held.
const MAX_FAILED_CHECKS: u32 = 3;

/// The unit or child process in which the activator runs.
pub(super) enum ActivatorProcess {
    /// The name of a unit, the time of the last check, and the number of failed checks in a row.
    Unit(String, Instant, u32),
    /// A child process in its own session.
    Session(Child),
}

impl ActivatorProcess {
    /// Returns whether the activator is still running. If systemd repeatedly does not answer, the
    /// activator counts as running only while the lock is held. Otherwise, a manager that never
    /// answers would block the relay forever.
    pub(super) fn is_up(&mut self, locations: &Locations) -> bool {
        match self {
            Self::Unit(_, asked, _) if asked.elapsed() < CHECK_INTERVAL => true,
            Self::Unit(name, asked, silences) => {
                let up = systemd::is_up(name);
                *asked = Instant::now();
                *silences = up.map_or(*silences + 1, |_| 0);
                up.unwrap_or_else(|| {
                    *silences < MAX_FAILED_CHECKS
                        || LocalHost::new(locations).lock_holder().is_some()
                })
            }
            Self::Session(child) => !matches!(child.try_wait(), Ok(Some(_))),
        }
    }
}

/// Starts the activator for the request that is stored under this name.
pub(super) fn start(transaction: &str, locations: &Locations) -> Result<ActivatorProcess> {
    if systemd::runs(locations) {
        let unit = format!("runtime-module-{transaction}.service");
        let transient = TransientUnit {
            name: &unit,
            description: "Change the running system (runtime-module)",
            // If the kernel kills one process because memory ran out, systemd must not stop the
            // whole unit.
            options: &["--property=OOMPolicy=continue"],
        };
        let started = transient.run(&["__transact", transaction]);
        // A slow manager may report an error and start the unit later. If the request no longer
        // exists, an activator has already taken it, so do not start another one.
        if started.is_ok() || !locations.request(transaction).exists() {
            return Ok(ActivatorProcess::Unit(unit, Instant::now(), 0));
        }
    }
    let child = in_session(&["__transact", transaction], transaction, locations)
        .context("cannot start the activator")?;
    Ok(ActivatorProcess::Session(child))
}

/// A transient unit in which our own executable runs.
pub(super) struct TransientUnit<'a> {
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    /// More options of `systemd-run`.
    pub(super) options: &'a [&'a str],
}

impl TransientUnit<'_> {
    /// Runs our own executable with these arguments.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let own = own_executable().map_err(|error| format!("{error:#}"))?;
        let own = own.to_string_lossy();
        let unit = format!("--unit={}", self.name);
        let description = format!("--description={}", self.description);
        let mut all = vec![
            "--quiet",
            "--no-ask-password",
            "--collect",
            "--service-type=exec",
            &description,
            "--property=IgnoreOnIsolate=yes",
            &unit,
        ];
        all.extend(self.options);
        all.extend(["--", &own]);
        all.extend(arguments);
        systemd::ask("systemd-run", &all).map(drop)
    }
}

/// Runs our own executable with the log as its stderr, without inheriting our open files. The new
/// process then starts its own session.
pub(super) fn in_session(
    arguments: &[&str],
    transaction: &str,
    locations: &Locations,
) -> Result<Child> {
    let mut command = Command::new(own_executable()?);
    clean(&mut command, locations).args(arguments);
    if !locations.is_real() {
        command.arg("--root").arg(locations.root());
    }
    let log = open_log(&locations.log(transaction))?;
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(OwnedFd::from(log)))
        .current_dir("/")
        .spawn()?;
    Ok(child)
}

pub(super) fn own_executable() -> Result<PathBuf> {
    std::env::current_exe().context("cannot find our own executable")
}
