//! Judges a switch by its exit status, the running system, and the state of the units that the
//! switch started.
//!
//! Two kinds of failed units cause only a warning: units that had already failed before the switch,
//! and units that failed during the switch but were not affected by it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use unix::time::{ClockId, clock_gettime};

use super::failed_command::{self, FailedCommand};
use super::journal;
use super::log::Log;
use super::manager::{self, States, UnitId};
use super::switch::{SwitchResult, Verdict};
use super::systemd;
use super::touched::Changes;
use super::unit_state::{UnitProblem, UnitState};
use super::watch::{UnhealthyUnit, Watch, WatchResult, WatchedMachine};
use crate::error::{Message as _, SwitchError};
use crate::host::LocalHost;
use crate::locations::Locations;

/// The state of the machine before the switch.
#[derive(Clone)]
pub(super) struct BeforeSwitch {
    pub(super) running: Option<String>,
    /// The units that [`manager::states`] returned.
    units: States,
    /// The units that had failed.
    unwell: BTreeSet<UnitId>,
    systemd: bool,
}

/// A switch whose program has ended.
pub(super) struct Switching<'a> {
    pub(super) switched: &'a SwitchResult,
    /// The system that should be running.
    pub(super) expected: &'a str,
    /// The expected system and the previous system, as paths on disk.
    pub(super) to: PathBuf,
    pub(super) from: Option<PathBuf>,
    /// Units that an earlier switch of the same transaction broke.
    pub(super) broken: &'a [UnitId],
    /// The start time of the switch in seconds since 1970.
    pub(super) since: u64,
    /// The time for which started units are watched.
    pub(super) settle: Duration,
}

/// The verdict on a switch, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verification {
    pub(super) verdict: Verdict,
    /// The human-readable reason for the verdict, if the switch was not successful.
    pub(super) why: String,
    /// Units that failed because of the switch.
    pub(super) failed: BTreeMap<UnitId, UnhealthyUnit>,
    /// Remarks that do not change the verdict.
    pub(super) warnings: Vec<String>,
    /// Whether another switch held the lock, so that this switch did not begin.
    pub(super) locked_out: bool,
    /// Whether the state of units was read from systemd.
    pub(super) systemd: bool,
}

impl Verification {
    fn new(verdict: Verdict, why: String) -> Self {
        Self {
            verdict,
            why,
            failed: BTreeMap::new(),
            warnings: Vec::new(),
            locked_out: false,
            systemd: false,
        }
    }

    /// Returns the verdict if an external switch activated the system `to` in the meantime.
    pub(super) fn superseded(to: &str) -> Self {
        let error = SwitchError::Superseded { system: to.into() };
        Self::new(Verdict::Superseded, error.text())
    }

    /// Returns the verdict for a running system that cannot be checked.
    pub(super) fn failed(error: &anyhow::Error) -> Self {
        Self::new(
            Verdict::Failed,
            format!("cannot check the running system: {error:#}"),
        )
    }

    /// Returns the names of the units that failed because of the switch.
    pub(super) fn names(&self) -> Vec<String> {
        self.failed.keys().map(ToString::to_string).collect()
    }
}

impl BeforeSwitch {
    /// Reads the state before the switch.
    pub(super) fn read(locations: &Locations) -> Self {
        let systemd = systemd::runs(locations);
        let units = if systemd {
            manager::states()
        } else {
            States::new()
        };
        let unwell = units.iter().filter(|(_, unit)| is_unwell(unit));
        Self {
            running: LocalHost::new(locations).running(),
            unwell: unwell.map(|(id, _)| id.clone()).collect(),
            units,
            systemd,
        }
    }

    /// Replaces the failed units with those of `earlier`, a snapshot from before the first switch
    /// of the transaction.
    pub(super) fn with_unwell(self, earlier: &Self) -> Self {
        Self {
            unwell: earlier.unwell.clone(),
            ..self
        }
    }

    /// Checks after the switch whether the expected system is running and the units that the switch
    /// started are healthy.
    pub(super) fn compare(
        &self,
        switching: &Switching<'_>,
        log: &mut Log,
        locations: &Locations,
    ) -> Verification {
        let runs = LocalHost::new(locations).running();
        let early = self.judge_system(switching.switched, switching.expected, runs.as_deref());
        if !self.systemd || !matches!(early.verdict, Verdict::Well | Verdict::UnitsFailed) {
            return self.judge(switching, runs, &WatchResult::default());
        }
        let watched = self.watch(switching, log);
        // Read the running system again: an external switch may have happened while the units were
        // watched.
        let verification = self.judge(switching, LocalHost::new(locations).running(), &watched);
        Verification {
            systemd: true,
            ..verification
        }
    }

    fn watch(&self, switching: &Switching<'_>, log: &mut Log) -> WatchResult {
        let named = switching.switched.touched.iter();
        let redefined = |unit: &UnitState| is_redefined(unit, switching);
        let watch = Watch {
            changes: Changes {
                before: &self.units,
                named: named
                    .map(|name| UnitId::of_system(name))
                    .chain(switching.broken.iter().cloned())
                    .collect(),
                redefined: &redefined,
            },
            unwell_before: &self.unwell,
            settle: switching.settle,
        };
        watch.run(&mut LocalMachine {
            log,
            since: switching.since,
        })
    }

    /// Judges a switch by its exit status and by the system that is running afterwards.
    fn judge_system(
        &self,
        switched: &SwitchResult,
        expected: &str,
        runs: Option<&str>,
    ) -> Verification {
        let changed = runs != self.running.as_deref();
        let mut verification = Verification {
            locked_out: switched.locked && !switched.begun,
            ..Verification::new(switched.verdict(changed), switched.explanation(changed))
        };
        if let Some(third) = runs.filter(|runs| changed && *runs != expected)
            && verification.verdict != Verdict::Refused
        {
            return Verification::superseded(third);
        }
        if matches!(verification.verdict, Verdict::Well | Verdict::UnitsFailed)
            && runs != Some(expected)
        {
            let system = runs.map(String::from);
            let error = system.map_or(SwitchError::NothingRunning, |system| {
                SwitchError::StillRunning { system }
            });
            verification.why = error.text();
            // If nothing shows that the switch began, do not roll back.
            verification.verdict = match switched.changed_nothing(changed) {
                true => Verdict::Refused,
                false => Verdict::Failed,
            };
        }
        verification
    }

    fn judge(
        &self,
        switching: &Switching<'_>,
        runs: Option<String>,
        watched: &WatchResult,
    ) -> Verification {
        let switched = switching.switched;
        let mut verification = self.judge_system(switched, switching.expected, runs.as_deref());
        if matches!(verification.verdict, Verdict::Well | Verdict::UnitsFailed) {
            self.judge_units(switched, watched, &mut verification);
        }
        verification
    }

    fn judge_units(
        &self,
        switched: &SwitchResult,
        watched: &WatchResult,
        verification: &mut Verification,
    ) {
        verification.failed.clone_from(&watched.unwell);
        for name in &switched.failed_units {
            let id = UnitId::of_system(name);
            // NixOS's switch programs list all failed units, even if they are unrelated to the
            // switch.
            let unrelated = watched.after.contains_key(&id) && !watched.touched.contains_key(&id);
            if !self.unwell.contains(&id) && !unrelated {
                let state = watched.after.get(&id).cloned();
                let unwell = || UnhealthyUnit {
                    problem: UnitProblem::Failed,
                    state,
                    command: None,
                };
                verification.failed.entry(id).or_insert_with(unwell);
            }
        }
        let as_before = self.still_unwell(switched, watched);
        let untouched = self.failed_meanwhile(watched, verification);
        // Exit status 4 without unit names means that some unit failed, unless a unit that had
        // failed before explains the status.
        let explained = !switched.failed_units.is_empty()
            || as_before.iter().any(|id| watched.touched.contains_key(id));
        let nameless = verification.verdict == Verdict::UnitsFailed && !explained;
        warn(
            verification,
            "these units had already failed before the change",
            &as_before,
        );
        warn(
            verification,
            "these units failed during the change, but not because of it",
            &untouched,
        );
        (verification.verdict, verification.why) = match verification.failed.len() {
            0 if !nameless => (Verdict::Well, String::new()),
            failed => (
                Verdict::UnitsFailed,
                SwitchError::failed_units(failed).text(),
            ),
        };
    }

    /// Returns the units that had failed before the switch and are still in a failed state. A unit
    /// whose last reload failed is still running, so it is included only if the switch touched it.
    fn still_unwell(&self, switched: &SwitchResult, watched: &WatchResult) -> BTreeSet<UnitId> {
        let reported = |id: &UnitId| switched.failed_units.contains(&id.name);
        let still = |id: &UnitId| {
            let unit = watched.after.get(id);
            match unit.and_then(UnitState::problem) {
                Some(UnitProblem::ReloadFailed) => watched.touched.contains_key(id),
                _ => unit.is_some_and(is_unwell) || reported(id),
            }
        };
        self.unwell.iter().filter(|id| still(id)).cloned().collect()
    }

    /// Returns the units that failed during the switch although the switch did not touch them.
    fn failed_meanwhile(
        &self,
        watched: &WatchResult,
        verification: &Verification,
    ) -> BTreeSet<UnitId> {
        let failed = watched.after.iter().filter(|(id, unit)| {
            matches!(
                unit.problem(),
                Some(UnitProblem::Failed | UnitProblem::Restarting)
            ) && unit.load != "not-found"
                && !self.unwell.contains(*id)
                && !watched.touched.contains_key(*id)
                && !verification.failed.contains_key(*id)
        });
        failed.map(|(id, _)| id.clone()).collect()
    }
}

/// Returns whether a unit has failed. In a restart loop, a unit may look healthy at the moment of
/// the check, so a unit that systemd is restarting counts too.
fn is_unwell(unit: &UnitState) -> bool {
    unit.is_restarting() || unit.problem().is_some()
}

fn warn(verification: &mut Verification, what: &str, units: &BTreeSet<UnitId>) {
    if !units.is_empty() {
        let names: Vec<String> = units.iter().map(ToString::to_string).collect();
        verification
            .warnings
            .push(format!("{what}: {}", names.join(", ")));
    }
}

/// Returns whether the file of a unit is new or differs from the file before the switch.
fn is_redefined(unit: &UnitState, switching: &Switching<'_>) -> bool {
    let fragment = Path::new(&unit.fragment);
    if let (true, Ok(inside)) = (manager::is_of_system(fragment), fragment.strip_prefix("/")) {
        let of = |system: &Path| system.join(inside).canonicalize().ok();
        return switching.from.as_deref().and_then(of) != of(&switching.to);
    }
    // Ignore transient units. They are not part of a system: any process can create them.
    if fragment.starts_with("/run") {
        return false;
    }
    // All other unit files are outside both systems, for example a link that a service of the new
    // system created in a home directory. Check whether the file changed after the switch began.
    let changed = fragment.symlink_metadata();
    changed.is_ok_and(|found| {
        let at = std::os::unix::fs::MetadataExt::ctime(&found);
        u64::try_from(at).is_ok_and(|at| at >= switching.since)
    })
}

/// The machine on which this process runs.
struct LocalMachine<'a> {
    log: &'a mut Log,
    since: u64,
}

impl WatchedMachine for LocalMachine<'_> {
    fn states(&mut self) -> States {
        manager::states()
    }

    fn states_of(&mut self, ids: &[UnitId]) -> States {
        manager::states_of(ids)
    }

    fn failed_command(&mut self, id: &UnitId) -> Option<FailedCommand> {
        failed_command::find(id, self.since)
    }

    fn has_failed(&mut self, id: &UnitId) -> bool {
        journal::has_failed(id, self.since)
    }

    fn now(&mut self) -> u64 {
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
            let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
            seconds * 1_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0) / 1000
        })
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn say(&mut self, text: &str) {
        self.log.say(text);
    }
}

#[cfg(test)]
mod tests;
