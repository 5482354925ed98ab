//! Applies runtime files: writes unit files, replaces links in `/etc`, makes systemd read the units
//! again, and restarts or reloads the changed units.
//!
//! A unit file in `/run/systemd/system.control` takes precedence over one in `/etc/systemd/system`
//! (`man systemd.unit`). `units.rs` decides which units restart, by the rules of NixOS's switch
//! program.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use unix::fcntl::{Flock, FlockArg};

use super::log::Log;
use super::switch::{RELOAD_FAILED, SwitchResult, UNITS_FAILED};
use super::systemd;
use super::unit_files::{Folder, template_of};
use super::units::{UnitChanges, changes_of_active};
use crate::error::PreflightError;
use crate::fault::{Point, step};
use crate::locations::Locations;
use crate::partial::{RuntimeFiles, ToplevelFiles, is_below_etc, unit_path};
use crate::record::{self, write_unit};
use crate::store::replace_link;

/// The time limit for systemd to read all units again. Its generators, which run first, may take 90
/// seconds.
const RELOAD_LIMIT: Duration = Duration::from_secs(120);

/// The time limit for units to start or stop. systemd has its own, shorter limits for each unit.
const START_LIMIT: Duration = Duration::from_secs(600);

/// A replacement of runtime files.
pub(super) struct Replacement<'a> {
    pub(super) locations: &'a Locations,
    pub(super) log: &'a mut Log,
    /// The files that are in force, or may be in force after an interruption.
    pub(super) old: &'a RuntimeFiles,
    pub(super) new: &'a RuntimeFiles,
    /// The effect of the replacement on units.
    pub(super) changes: UnitChanges,
}

impl Replacement<'_> {
    /// Replaces the files and restarts the changed units. Reports the result with the exit statuses
    /// of a switch program.
    pub(super) fn run(mut self) -> SwitchResult {
        let held = hold_switch_lock(self.locations);
        let _held = match held {
            Ok(held) => held,
            Err(error) => return SwitchResult::failed(&error, false),
        };
        self.replace()
            .unwrap_or_else(|error| SwitchResult::failed(&error, true))
    }

    fn replace(&mut self) -> Result<SwitchResult> {
        let changes = &self.changes;
        let mut steps = Steps {
            log: self.log,
            result: SwitchResult::well(changes.touched()),
        };
        step(Point::StopUnits, || steps.stop(changes))?;
        step(Point::ReplaceFiles, || {
            write(self.locations, self.old, self.new)
        })?;
        if self.old.units != self.new.units {
            let reloaded = step(Point::ReloadSystemd, || {
                anyhow::Ok(reload_systemd(self.locations))
            })?;
            if let Err(reason) = reloaded {
                steps.fail(RELOAD_FAILED, reason);
                return Ok(steps.result);
            }
        }
        step(Point::StartUnits, || steps.start(changes))?;
        Ok(steps.result)
    }
}

/// The steps of a replacement that stop, reload or start units.
struct Steps<'a> {
    log: &'a mut Log,
    result: SwitchResult,
}

impl Steps<'_> {
    /// Stops the units that must stop before their files change.
    fn stop(&mut self, changes: &UnitChanges) -> Result<()> {
        let stopped: BTreeSet<String> = changes.stop.union(&changes.stop_first).cloned().collect();
        self.units("stop", "stopping", &stopped)
    }

    /// Reloads, restarts and starts units with their new files.
    fn start(&mut self, changes: &UnitChanges) -> Result<()> {
        let restarted = changes.restart.difference(&changes.stop_first);
        let started = changes.restart.intersection(&changes.stop_first);
        self.units("reload", "reloading", &changes.reload)?;
        self.units("restart", "restarting", &restarted.cloned().collect())?;
        self.units("start", "starting", &started.cloned().collect())?;
        // A transient unit disappears when it stops.
        let exists = |unit: &&String| systemd::exists(unit);
        let revive: BTreeSet<String> = changes.revive.iter().filter(exists).cloned().collect();
        for unit in &revive {
            // Otherwise, a unit that has reached its start limit cannot start.
            let _ = systemd::ask("systemctl", &["reset-failed", "--", unit]);
        }
        self.units("start", "starting", &revive)
    }

    /// Stops, starts, restarts or reloads units. `doing` is the verb for the log. The log uses the
    /// wording of NixOS's switch program.
    fn units(&mut self, verb: &str, doing: &str, units: &BTreeSet<String>) -> Result<()> {
        if units.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = units.iter().map(String::as_str).collect();
        self.log.say(&format!(
            "{doing} the following units: {}",
            names.join(", ")
        ));
        let arguments: Vec<&str> = [verb, "--"].into_iter().chain(names).collect();
        if let Err(reason) = systemd::act(&arguments, START_LIMIT) {
            self.fail(UNITS_FAILED, reason);
        }
        Ok(())
    }

    fn fail(&mut self, status: i32, reason: String) {
        self.result.status = Some(status);
        self.result.last_lines.push(reason);
    }
}

/// Units that may still run with runtime files that were removed for a switch.
pub(super) struct Leftover<'a> {
    pub(super) locations: &'a Locations,
    /// The files that were in force before the switch.
    pub(super) files: &'a RuntimeFiles,
    /// The files that are in force after the switch.
    pub(super) new: &'a RuntimeFiles,
    /// The previous and the new toplevel on disk.
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
}

impl Leftover<'_> {
    /// Restarts, reloads or stops the units, except those that `done` accepts. The switch program
    /// does not restart a unit whose file is the same in both toplevels.
    pub(super) fn restart(
        &self,
        done: impl Fn(&str) -> bool,
        log: &mut Log,
    ) -> Result<SwitchResult> {
        let old = unit_folder(&self.from, self.files);
        let new = unit_folder(&self.to, self.new);
        let up = systemd::active_units(self.locations).unwrap_or_default();
        let mut changes = changes_of_active(&old, &new, &up);
        let of_files = |name: &str| {
            let template = template_of(name);
            let names = [Some(name), template.as_deref()];
            names
                .into_iter()
                .flatten()
                .any(|name| self.files.units.contains_key(name))
        };
        changes.retain(|name| of_files(name) && !done(name));
        let mut steps = Steps {
            log,
            result: SwitchResult::well(changes.touched()),
        };
        steps.stop(&changes)?;
        steps.start(&changes)?;
        Ok(steps.result)
    }
}

/// Takes the lock of NixOS's switch program, so that no switch begins during a replacement.
fn hold_switch_lock(locations: &Locations) -> Result<Flock<File>> {
    let path = locations.switch_lock();
    let file = record::open_lock(&path)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, error)| error)
        .with_context(|| format!("another switch holds {}", path.display()))
}

/// Writes the new files, and removes the old files that are no longer needed.
fn write(locations: &Locations, old: &RuntimeFiles, new: &RuntimeFiles) -> Result<()> {
    let folder = locations.runtime_units();
    for (path, text) in new.unit_paths() {
        write_unit(&folder.join(path), text)?;
    }
    let kept: BTreeSet<String> = new.unit_paths().map(|(path, _)| path).collect();
    for (path, _) in old.unit_paths().filter(|(path, _)| !kept.contains(path)) {
        remove_unit(&folder, &path)?;
    }
    for (name, target) in &new.etc {
        link(locations, name, Path::new(target))?;
    }
    for name in old.etc.keys().filter(|name| !new.etc.contains_key(*name)) {
        link(locations, name, &locations.etc("static").join(name))?;
    }
    Ok(())
}

/// Removes runtime files before a switch, or during or after an external switch. Does not change a
/// link in `/etc` that a switch has already replaced.
pub(super) fn remove(locations: &Locations, files: &RuntimeFiles) -> Result<()> {
    for (path, _) in files.unit_paths() {
        remove_unit(&locations.runtime_units(), &path)?;
    }
    for (name, target) in &files.etc {
        let place = locations.etc(name);
        if fs::read_link(&place).is_ok_and(|present| present == Path::new(target)) {
            let entry = locations.etc("static").join(name);
            match entry.is_symlink() || entry.exists() {
                true => link(locations, name, &entry)?,
                false => record::absent(&place)
                    .with_context(|| format!("cannot remove {}", place.display()))?,
            }
        }
    }
    Ok(())
}

/// Writes removed files again, after a switch that changed nothing.
pub(super) fn put_back(locations: &Locations, files: &RuntimeFiles) -> Result<()> {
    write(locations, &RuntimeFiles::default(), files)?;
    reload_systemd(locations).map_err(anyhow::Error::msg)
}

/// Restores the links in `/etc` after a switch to the running toplevel has replaced them.
pub(super) fn link_again(locations: &Locations, files: &RuntimeFiles) -> Result<()> {
    let mut entries = files.etc.iter();
    entries.try_for_each(|(name, target)| link(locations, name, Path::new(target)))
}

fn link(locations: &Locations, name: &str, target: &Path) -> Result<()> {
    let place = locations.etc(name);
    replace_link(&place, target).with_context(|| format!("cannot replace {}", place.display()))
}

fn remove_unit(folder: &Path, path: &str) -> Result<()> {
    let place = folder.join(path);
    record::absent(&place).with_context(|| format!("cannot remove {}", place.display()))?;
    if let Some(parent) = place.parent().filter(|parent| *parent != folder) {
        record::remove_if_empty(parent);
    }
    Ok(())
}

/// Makes systemd read all units again. Does nothing on a machine without systemd.
pub(super) fn reload_systemd(locations: &Locations) -> Result<(), String> {
    match systemd::runs(locations) {
        true => systemd::act(&["daemon-reload"], RELOAD_LIMIT),
        false => Ok(()),
    }
}

/// Refuses a change whose files would replace files of other programs, or would take precedence
/// over the mask of a unit.
pub(super) fn check(
    purpose: &str,
    locations: &Locations,
    old: &RuntimeFiles,
    new: &RuntimeFiles,
    toplevel: &Path,
) -> Result<(), PreflightError> {
    let running = ToplevelFiles::of(toplevel);
    let units = new.units.keys().filter(|name| !systemd::is_name(name));
    let entries = new.etc.keys().filter(|name| !is_below_etc(name));
    if let Some(name) = units.chain(entries).next() {
        return Err(PreflightError::UnsafeName {
            purpose: purpose.into(),
            name: name.clone(),
        });
    }
    for (name, unit) in &new.units {
        let place = locations
            .runtime_units()
            .join(unit_path(name, unit.drop_in));
        if place.is_symlink() || (place.exists() && !old.units.contains_key(name)) {
            return Err(PreflightError::RuntimeUnitExists {
                purpose: purpose.into(),
                file: place.display().to_string(),
                unit: name.clone(),
            });
        }
        if let Some(mask) = mask(locations, name) {
            return Err(PreflightError::UnitMasked {
                purpose: purpose.into(),
                unit: name.clone(),
                file: mask.display().to_string(),
            });
        }
    }
    for name in new.etc.keys().filter(|name| !old.etc.contains_key(*name)) {
        let place = locations.etc(name);
        let expected = locations.etc("static").join(name);
        let linked = fs::read_link(&place).is_ok_and(|target| target == expected);
        // A file that the running toplevel does not have appears only with the switch.
        if running.entry(name).is_some() && !linked && place.symlink_metadata().is_ok() {
            return Err(PreflightError::EntryReplaced {
                purpose: purpose.into(),
                file: place.display().to_string(),
            });
        }
    }
    Ok(())
}

/// Returns the units of these files that are masked.
pub fn masked_units(locations: &Locations, files: &RuntimeFiles) -> Vec<String> {
    let units = files.units.keys();
    let masked = units.filter(|name| mask(locations, name).is_some());
    masked.cloned().collect()
}

/// Predicts the effect on active units when `new` files replace the `old` files of a toplevel.
pub fn unit_changes_of_files(
    locations: &Locations,
    toplevel: &Path,
    old: &RuntimeFiles,
    new: &RuntimeFiles,
) -> UnitChanges {
    RunningUnits::read(locations, toplevel).changes(old, new)
}

/// The unit files of the running toplevel, and the active units; no unit counts as active on a
/// machine without systemd. Both are read only once, because each query takes milliseconds.
pub(super) struct RunningUnits {
    folder: Folder,
    up: BTreeSet<String>,
}

impl RunningUnits {
    pub(super) fn read(locations: &Locations, toplevel: &Path) -> Self {
        Self {
            folder: unit_folder(toplevel, &RuntimeFiles::default()),
            up: systemd::active_units(locations).unwrap_or_default(),
        }
    }

    /// Predicts the effect on active units when `new` files replace the `old` ones.
    pub(super) fn changes(&self, old: &RuntimeFiles, new: &RuntimeFiles) -> UnitChanges {
        let with = |files: &RuntimeFiles| {
            let mut folder = self.folder.clone();
            folder.replace(files);
            folder
        };
        changes_of_active(&with(old), &with(new), &self.up)
    }

    /// Returns the active units that stop together with these units, because they require them.
    pub(super) fn dependents(&self, units: &BTreeSet<String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut left: Vec<String> = units.iter().cloned().collect();
        while !left.is_empty() {
            let mut arguments = vec![
                "show",
                "--value",
                "--property=RequiredBy,BoundBy,ConsistsOf",
                "--",
            ];
            arguments.extend(left.iter().map(String::as_str));
            let text = systemd::ask("systemctl", &arguments).unwrap_or_default();
            let names = text.split_whitespace().map(String::from);
            left = names
                .filter(|name| self.up.contains(name) && !units.contains(name))
                .filter(|name| found.insert(name.clone()))
                .collect();
        }
        found
    }

    /// Returns the changed units that are not active, although an active target wants them.
    pub(super) fn wanted_again(&self, old: &RuntimeFiles, new: &RuntimeFiles) -> BTreeSet<String> {
        let targets = self.up.iter().filter(|name| name.ends_with(".target"));
        let wanted = self.folder.wanted(&targets.cloned().collect(), &self.up);
        let changed = |name: &String| old.units.get(name) != new.units.get(name);
        wanted.into_iter().filter(changed).collect()
    }

    /// Returns those of `units` that are neither active nor about to become active.
    pub(super) fn inactive(&self, units: &BTreeSet<String>) -> BTreeSet<String> {
        units - &self.up
    }
}

/// Reads the unit files of a toplevel. Runtime files replace some of them.
fn unit_folder(toplevel: &Path, files: &RuntimeFiles) -> Folder {
    let mut folder = Folder::read(&toplevel.join("etc/systemd/system"));
    folder.replace(files);
    folder
}

/// Returns the link that masks a unit, if there is one.
fn mask(locations: &Locations, unit: &str) -> Option<PathBuf> {
    let folders = [
        locations.runtime_units(),
        locations.etc("systemd/system.control"),
        locations.etc("systemd/system"),
        locations.runtime_mask_folder(),
    ];
    let mut masks = folders.into_iter().map(|folder| folder.join(unit));
    masks.find(|file| fs::read_link(file).is_ok_and(|target| target == Path::new("/dev/null")))
}
