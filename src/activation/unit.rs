//! Where the activator runs: in a transient unit of systemd, or where there is none in a session of its own.
//!
//! Either way it outlives who asked: the client, its terminal, its connection, the program that gave it rights.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::elevation::clean;
use super::systemd;
use crate::locations::Locations;
use crate::record::{holder, open_log};

/// How often systemd is asked whether a unit still runs.
const PULSE: Duration = Duration::from_secs(1);

/// How often in a row it may give no answer, before only the lock tells.
const SILENCES: u32 = 3;

/// What a process of ours runs in.
pub(super) enum Vehicle {
    /// A unit of this name, when it was asked for last, and how often in a row nobody has answered.
    Unit(String, Instant, u32),
    /// A process of ours, in a session of its own.
    Session(Child),
}

impl Vehicle {
    /// Whether it still runs, as far as is known. What nobody answers for is taken to for as long as somebody has the lock:
    /// a manager that never answers again must not keep us for ever.
    pub(super) fn is_up(&mut self, locations: &Locations) -> bool {
        match self {
            Self::Unit(_, asked, _) if asked.elapsed() < PULSE => true,
            Self::Unit(name, asked, silences) => {
                let up = systemd::is_up(name);
                *asked = Instant::now();
                *silences = up.map_or(*silences + 1, |_| 0);
                up.unwrap_or_else(|| *silences < SILENCES || holder(locations).is_some())
            }
            Self::Session(child) => !matches!(child.try_wait(), Ok(Some(_))),
        }
    }
}

/// Starts the activator on the request that was left for it.
pub(super) fn start(transaction: &str, locations: &Locations) -> Result<Vehicle> {
    if systemd::runs(locations) {
        let unit = format!("runtime-module-{transaction}.service");
        let started = in_unit(&unit, &["__transact", transaction]);
        // A manager that answers late may start it all the same. Whoever takes the request is the one that runs.
        if started.is_ok() || !locations.request(transaction).exists() {
            return Ok(Vehicle::Unit(unit, Instant::now(), 0));
        }
    }
    in_session(&["__transact", transaction], transaction, locations).map(Vehicle::Session)
}

/// Has systemd run our own executable as a unit of this name, which goes when it has ended.
fn in_unit(unit: &str, arguments: &[&str]) -> Result<(), String> {
    let own = own_executable().map_err(|error| format!("{error:#}"))?;
    let own = own.to_string_lossy();
    let unit = format!("--unit={unit}");
    let mut all = vec![
        "--quiet",
        "--no-ask-password",
        "--collect",
        "--service-type=exec",
        "--description=A change of runtime modules",
        // What the kernel ends for want of memory is one process, not the switch.
        "--property=OOMPolicy=continue",
        "--property=IgnoreOnIsolate=yes",
        &unit,
        "--",
        &own,
    ];
    all.extend(arguments);
    systemd::ask("systemd-run", &all).map(drop)
}

/// Runs our own executable in a session of its own, with nothing of ours open. What it has to say goes into the log.
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
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(OwnedFd::from(log)))
        .current_dir("/")
        .spawn()
        .context("start the activator")
}

/// Our own executable.
pub(super) fn own_executable() -> Result<PathBuf> {
    std::env::current_exe().context("find our own executable")
}
