//! Removes runtime files when another tool activates a system.
//!
//! Other tools, such as nixos-rebuild, do not know about runtime files. If the new system contains
//! our NixOS module, its activation script removes the files before the switch program makes
//! systemd read the units again. A process in a transient unit watches the link to the running
//! system. After a switch to a system without the module, this process removes the files. After
//! every external switch, it restarts the units that still run with the removed files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use unix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use unix::time::{ClockId, clock_gettime};

use super::log::Log;
use super::manager;
use super::runtime_files::{self, Leftover};
use super::systemd;
use super::unit::TransientUnit;
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::partial::RuntimeFiles;
use crate::record::{State, hold, no_foreign_switch};

/// The transient unit of the process that watches the link to the running system.
const WATCH: &str = "runtime-modules-watch.service";

/// The maximum time to wait for the end of a switch.
const WAIT_LIMIT: Duration = Duration::from_secs(600);

/// Returns all runtime files that may be in force, including those of an unfinished transaction.
fn in_force(state: &State) -> RuntimeFiles {
    let mut files = state.runtime.clone();
    if let Some(pending) = &state.pending {
        files.add_missing(&pending.runtime);
    }
    files
}

/// Removes the runtime files because an external switch activates the system `to`. If `to` is
/// already running, the switch only replaced the links in `/etc`, so this creates them again. The
/// caller holds the lock.
pub(super) fn end_partial_changes(
    locations: &Locations,
    state: &mut State,
    to: Option<&Path>,
) -> Result<()> {
    if in_force(state).is_empty() && state.verification.is_none() {
        return Ok(());
    }
    if state.pending.is_none() && to.is_some() && to == state.current.as_deref().map(Path::new) {
        return runtime_files::link_again(locations, &state.runtime);
    }
    state.replaced_at = Some(monotonic_microseconds());
    set_aside(locations, state)
}

/// Ends partial changes that an earlier external switch has replaced, if nothing has done so yet.
pub(super) fn end_replaced(locations: &Locations, state: &mut State) -> Result<()> {
    let running = LocalHost::new(locations).running();
    let ours = match &state.pending {
        Some(_) => !state.foreign(running.as_deref()),
        None => running == state.current,
    };
    if ours || in_force(state).is_empty() {
        return Ok(());
    }
    state.replaced_at = None;
    set_aside(locations, state)?;
    runtime_files::reload_systemd(locations).map_err(anyhow::Error::msg)
}

/// Removes the runtime files, and records that units may still run with them.
fn set_aside(locations: &Locations, state: &mut State) -> Result<()> {
    let files = in_force(state);
    runtime_files::remove(locations, &files)?;
    state.replaced.add_missing(&files);
    state.runtime = RuntimeFiles::default();
    if let Some(pending) = &mut state.pending {
        pending.runtime = RuntimeFiles::default();
    }
    state.verification = None;
    state.overrides_ended = true;
    state.write(locations)
}

/// Watches the link to the running system, and ends the effects of runtime files after an external
/// switch. Returns when no runtime files are left. A path unit of systemd cannot replace this
/// process, because systemd does not notice when a link is replaced.
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
    // The link may have changed before the watch began, so check it first.
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
/// the watch must continue.
fn end_after_switch(locations: &Locations) -> Result<bool> {
    let purpose = "end the effects of option overrides";
    no_foreign_switch(locations, purpose, WAIT_LIMIT)?;
    let _held = hold(locations, purpose, WAIT_LIMIT)?;
    let mut state = LocalHost::new(locations).state()?;
    let running = LocalHost::new(locations).running();
    if state.pending.is_some() && !state.foreign(running.as_deref()) {
        return Ok(true);
    }
    if state.pending.is_none() && running == state.current {
        runtime_files::link_again(locations, &state.runtime)?;
        if state.replaced.is_empty() {
            return Ok(!state.runtime.is_empty());
        }
    }
    // A system without our NixOS module has not removed the files.
    end_replaced(locations, &mut state)?;
    if let (Some(from), Some(to)) = (&state.current, running)
        && !state.replaced.is_empty()
    {
        let leftover = Leftover {
            locations,
            files: &state.replaced,
            new: &state.runtime,
            from: PathBuf::from(from),
            to: PathBuf::from(to),
        };
        // A unit that started after the files were removed does not use them.
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
    Ok(!state.runtime.is_empty())
}

fn monotonic_microseconds() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |now| {
        let (seconds, nanoseconds) = (now.tv_sec() as u64, now.tv_nsec() as u64);
        seconds * 1_000_000 + nanoseconds / 1000
    })
}

/// Starts the unit that watches for external switches if runtime files are in force, or if units
/// may still run with removed ones. Otherwise, stops it.
pub(super) fn watch(locations: &Locations, state: &State) {
    if !systemd::runs(locations) {
        return;
    }
    let needed = !in_force(state).is_empty() || !state.replaced.is_empty();
    match (needed, systemd::is_up(WATCH)) {
        (true, Some(false)) => {
            let unit = TransientUnit {
                name: WATCH,
                description: "Watch for switches that replace option overrides (runtime-module)",
                options: &["--property=Restart=on-failure", "--property=RestartSec=10s"],
            };
            let _ = unit.run(&["__watch"]);
        }
        (false, Some(true)) => {
            let _ = systemd::ask("systemctl", &["stop", "--", WATCH]);
        }
        _ => {}
    }
}
