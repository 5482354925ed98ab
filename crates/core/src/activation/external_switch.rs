//! Keeps runtime files out of systems that other tools activate.
//!
//! A switch by another tool, such as nixos-rebuild, knows nothing of runtime files. If the new
//! system contains our NixOS module, its activation script removes the files before the switch
//! program makes systemd read the units again. For all other systems, a process in a transient unit
//! watches the link to the running system. After the switch, the same process restarts the units
//! that still run with the removed files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use unix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use unix::time::{ClockId, clock_gettime};

use super::log::Log;
use super::manager;
use super::runtime_files::{self, Leftover};
use super::systemd;
use super::unit::own_executable;
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::partial::RuntimeFiles;
use crate::record::{State, hold, no_foreign_switch};

/// The transient unit of the process that watches the link to the running system.
const WATCH: &str = "runtime-modules-watch.service";

/// The maximum time to wait for the end of a switch.
const WAIT_LIMIT: Duration = Duration::from_secs(600);

/// Removes the runtime files because an external switch activates the system `to`. If this is the
/// system that is already running, only puts the links in `/etc` back, which the switch has
/// replaced. The caller holds the lock.
pub(super) fn replace_runtime_files(
    locations: &Locations,
    state: &mut State,
    to: Option<&Path>,
) -> Result<()> {
    if state.runtime.is_empty() && state.verification.is_none() {
        return Ok(());
    }
    if to.is_some() && to == state.current.as_deref().map(Path::new) {
        return runtime_files::link_again(locations, &state.runtime);
    }
    state.replaced_at = Some(monotonic_microseconds());
    set_aside(locations, state)
}

/// Removes the runtime files, and records that units may still run with them.
fn set_aside(locations: &Locations, state: &mut State) -> Result<()> {
    let files = std::mem::take(&mut state.runtime);
    runtime_files::remove(locations, &files)?;
    state.replaced = files;
    state.verification = None;
    state.write(locations)
}

/// Watches the link to the running system, and ends the effects of runtime files after an external
/// switch. Returns when no runtime files are left. A path unit of systemd cannot do this: it does
/// not notice that a link is replaced by another one.
pub fn run(locations: &Locations) -> Result<()> {
    let watched = locations.current_system();
    let folder = watched
        .parent()
        .context("the link has no parent directory")?;
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).context("cannot watch files")?;
    inotify
        .add_watch(
            folder,
            AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO,
        )
        .with_context(|| format!("cannot watch {}", folder.display()))?;
    // The link may have changed before the watch began.
    while end_after_switch(locations)? {
        while !inotify
            .read_events()
            .context("cannot watch files")?
            .iter()
            .any(|event| event.name.as_deref() == watched.file_name())
        {}
    }
    Ok(())
}

/// Ends the effects of runtime files if an external switch has replaced the system. Returns whether
/// files are still in force.
fn end_after_switch(locations: &Locations) -> Result<bool> {
    let purpose = "end the effects of option overrides";
    no_foreign_switch(locations, purpose, WAIT_LIMIT)?;
    let _held = hold(locations, purpose, WAIT_LIMIT)?;
    let mut state = LocalHost::new(locations).state()?;
    let running = LocalHost::new(locations).running();
    if state.pending.is_some() || !state.foreign(running.as_deref()) {
        return Ok(!state.runtime.is_empty() || state.pending.is_some());
    }
    if !state.runtime.is_empty() {
        // The new system does not contain our NixOS module, so nothing has removed the files yet.
        state.replaced_at = None;
        set_aside(locations, &mut state)?;
        runtime_files::reload_systemd(locations).map_err(anyhow::Error::msg)?;
    }
    if let (Some(from), Some(to)) = (&state.current, running)
        && !state.replaced.is_empty()
    {
        let leftover = Leftover {
            locations,
            files: &state.replaced,
            from: PathBuf::from(from),
            to: PathBuf::from(to),
        };
        // A unit that started after the files were removed runs without them.
        let units = manager::states();
        let done = |name: &str| {
            let id = manager::UnitId::of_system(name);
            let began = units.get(&id).map(|unit| unit.changed_at);
            began
                .zip(state.replaced_at)
                .is_some_and(|(began, removed)| began > removed)
        };
        let mut log = Log::open("/dev/null".into())?;
        leftover.restart(done, &mut log)?;
    }
    state.replaced = RuntimeFiles::default();
    state.replaced_at = None;
    state.write(locations)?;
    Ok(false)
}

fn monotonic_microseconds() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |now| {
        let (seconds, nanoseconds) = (now.tv_sec() as u64, now.tv_nsec() as u64);
        seconds * 1_000_000 + nanoseconds / 1000
    })
}

/// Starts or stops the unit that watches for external switches, as the state requires.
pub(super) fn watch(locations: &Locations, state: &State) {
    if !systemd::runs(locations) {
        return;
    }
    let needed = !state.runtime.is_empty() || !state.replaced.is_empty();
    match (needed, systemd::is_up(WATCH)) {
        (true, Some(false)) => drop(start_watching()),
        (false, Some(true)) => {
            let _ = systemd::ask("systemctl", &["stop", "--", WATCH]);
        }
        _ => {}
    }
}

fn start_watching() -> Result<()> {
    let own = own_executable()?;
    let unit = format!("--unit={WATCH}");
    let arguments = [
        "--quiet",
        "--no-ask-password",
        "--collect",
        "--service-type=exec",
        "--description=Watch for switches that replace option overrides (runtime-module)",
        "--property=Restart=on-failure",
        "--property=RestartSec=10s",
        "--property=IgnoreOnIsolate=yes",
        &unit,
        "--",
        &own.to_string_lossy(),
        "__watch",
    ];
    let started = systemd::ask("systemd-run", &arguments);
    started.map(drop).map_err(anyhow::Error::msg)
}
