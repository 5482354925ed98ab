//! Watches the units that a change started, until systemd reports that they have started or their
//! settle time is over.
//!
//! A service of type `notify`, `dbus`, `forking` or `oneshot` reports the end of its start, and the
//! switch program waits for this report. A service of type `simple`, `exec` or `idle` counts as
//! started immediately, and may fail soon after.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::failed_command::FailedCommand;
use super::manager::{States, UnitId};
use super::touched::{Changes, Touched, UnitEffect};
use super::unit_state::{UnitProblem, UnitState};
use crate::progress::duration;

/// The interval between two reads of the state of watched units.
const PAUSE: Duration = Duration::from_millis(200);

/// The time to keep watching after the first failed unit, so that the report also names units that
/// fail at about the same time.
const GATHER: Duration = Duration::from_millis(250);

/// The deadline of a start job, as a multiple of the settle time.
const JOB_SETTLES: u32 = 10;

/// The maximum number of unit names in each list of the log line.
const SHOWN: usize = 5;

/// The operations on a machine that a watch needs.
pub(super) trait WatchedMachine {
    /// Returns all units that have a job or have failed, and those services, sockets, timers and
    /// paths that are not inactive.
    fn states(&mut self) -> States;
    /// Returns the state of these units, including inactive ones.
    fn states_of(&mut self, ids: &[UnitId]) -> States;
    /// Returns the failed command of a unit, if systemd or the journal still has it.
    fn failed_command(&mut self, id: &UnitId) -> Option<FailedCommand>;
    /// Returns whether the journal reports a failure of the unit since the change began.
    fn has_failed(&mut self, id: &UnitId) -> bool;
    /// Returns the time of the monotonic clock in microseconds.
    fn now(&mut self) -> u64;
    fn wait(&mut self, time: Duration);
    /// Writes a line to the log.
    fn say(&mut self, text: &str);
}

/// A unit that has failed, or has not finished starting in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnhealthyUnit {
    pub(super) problem: UnitProblem,
    /// The state in which the failure was found; `None` if only the switch program reported the
    /// failure.
    pub(super) state: Option<UnitState>,
    pub(super) command: Option<FailedCommand>,
}

/// The result of a watch.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchResult {
    /// Units that the change affected and that failed.
    pub(super) unwell: BTreeMap<UnitId, UnhealthyUnit>,
    /// Units that the change affected.
    pub(super) touched: Touched,
    /// All units at the end of the watch.
    pub(super) after: States,
    /// The time at which each touched unit was first seen running. If a unit exits successfully and
    /// is restarted, the first time is kept.
    pub(super) running_since: BTreeMap<UnitId, u64>,
    /// The start time of the watch.
    pub(super) begun: u64,
}

/// The parameters of a watch.
pub(super) struct Watch<'a> {
    pub(super) changes: Changes<'a>,
    /// Units that had already failed before the change.
    pub(super) unwell_before: &'a BTreeSet<UnitId>,
    /// The time to watch units that do not report the end of their start. Zero means a single
    /// check.
    pub(super) settle: Duration,
}

impl Watch<'_> {
    /// Watches until a unit has failed, or until each unit has started or reached its deadline.
    pub(super) fn run(&self, machine: &mut impl WatchedMachine) -> WatchResult {
        let mut watched = WatchResult {
            begun: machine.now(),
            after: machine.states(),
            ..WatchResult::default()
        };
        let mut waited = false;
        loop {
            watched.touched = self.changes.touched(&watched.after);
            self.find(&mut watched, machine);
            let now = machine.now();
            if self.settle.is_zero() {
                return watched;
            }
            if !watched.unwell.is_empty() {
                machine.wait(GATHER);
                break;
            }
            note_running(&mut watched, now);
            let deadlines = self.deadlines(&watched);
            let Some(until) = deadlines.values().max().filter(|until| **until > now) else {
                break;
            };
            if !waited {
                machine.say(&remark(&deadlines, &watched.after, self.settle));
            }
            waited = true;
            machine.wait(PAUSE.min(Duration::from_micros(until - now)));
            let ids: Vec<UnitId> = deadlines.into_keys().collect();
            // Read all units, because a timer, path or socket may trigger units that are not in the
            // list yet.
            if ids.iter().any(|id| is_trigger(&watched.after, id)) {
                watched.after = machine.states();
            } else {
                watched.after.extend(machine.states_of(&ids));
            }
        }
        if waited || !watched.unwell.is_empty() {
            watched.after = machine.states();
            watched.touched = self.changes.touched(&watched.after);
            self.find(&mut watched, machine);
        }
        watched
    }

    /// Adds failed units to `watched`. Never removes a unit, because systemd may already be
    /// retrying a failed unit.
    fn find(&self, watched: &mut WatchResult, machine: &mut impl WatchedMachine) {
        for (id, reached) in &watched.touched {
            let Some(unit) = watched.after.get(id) else {
                continue;
            };
            if self.unwell_before.contains(id) || watched.unwell.contains_key(id) {
                continue;
            }
            let problem = unit
                .problem()
                .or_else(|| self.restarted(id, unit, machine))
                .or_else(|| {
                    let is_stuck = waits_to_start(id, unit, *reached, watched)
                        && self.start_is_overdue(watched.begun, machine.now());
                    is_stuck.then_some(UnitProblem::Starting)
                });
            if let Some(problem) = problem {
                let command = machine.failed_command(id);
                let state = Some(unit.clone());
                let unwell = UnhealthyUnit {
                    problem,
                    state,
                    command,
                };
                watched.unwell.insert(id.clone(), unwell);
            }
        }
    }

    /// Detects a unit that failed and that systemd restarted between two checks.
    fn restarted(
        &self,
        id: &UnitId,
        unit: &UnitState,
        machine: &mut impl WatchedMachine,
    ) -> Option<UnitProblem> {
        let failed = unit.restarted_since(self.changes.before.get(id))
            && (unit.restarts_after_failure_only() || machine.has_failed(id));
        failed.then_some(UnitProblem::Restarting)
    }

    /// Returns whether a start job that began before the watch should have ended by now.
    fn start_is_overdue(&self, begun: u64, now: u64) -> bool {
        !self.settle.is_zero() && now >= begun + micros(self.settle * JOB_SETTLES)
    }

    /// Returns the units to watch, each with its deadline.
    fn deadlines(&self, watched: &WatchResult) -> BTreeMap<UnitId, u64> {
        let touched = watched.touched.iter();
        touched
            .filter_map(|(id, reached)| Some((id.clone(), self.deadline(id, *reached, watched)?)))
            .collect()
    }

    /// Returns the deadline for watching a unit. It is at most eleven settle times after the start
    /// of the watch, even if the unit restarts repeatedly.
    fn deadline(&self, id: &UnitId, reached: UnitEffect, watched: &WatchResult) -> Option<u64> {
        let unit = watched.after.get(id)?;
        if self.unwell_before.contains(id) {
            return None;
        }
        if waits_to_start(id, unit, reached, watched) {
            return Some(watched.begun + micros(self.settle * JOB_SETTLES));
        }
        if !unit.is_alive() {
            return None;
        }
        let settle = micros(self.settle);
        let latest = watched.begun + settle;
        if unit.is_trigger() && unit.sub != "running" {
            // Watch until this unit has had time to trigger other units, because those may fail.
            let soon = unit.elapses_at.filter(|at| *at <= latest);
            return Some(soon.unwrap_or(unit.changed_at).min(latest) + micros(PAUSE));
        }
        let is_triggered = reached == UnitEffect::Triggered && unit.active == "activating";
        if !unit.is_trigger() && !unit.counts_as_started_at_once() && !is_triggered {
            return None;
        }
        let since = watched.running_since.get(id).filter(|_| !unit.is_trigger());
        let since = since.copied().unwrap_or(unit.changed_at.min(latest));
        Some(since + settle)
    }
}

/// Records the time at which each touched unit was first seen running.
fn note_running(watched: &mut WatchResult, now: u64) {
    for id in watched.touched.keys() {
        if let Some(unit) = watched.after.get(id)
            && unit.active == "active"
            && !unit.has_start_job()
        {
            let since = unit.changed_at.min(now);
            watched.running_since.entry(id.clone()).or_insert(since);
        }
    }
}

/// Returns whether the start job of a unit is pending and the unit has not been seen running yet.
/// Excludes triggered units, because a timer's service may run for any length of time. Also
/// excludes units that have already run, because a restart creates a start job too.
fn waits_to_start(
    id: &UnitId,
    unit: &UnitState,
    reached: UnitEffect,
    watched: &WatchResult,
) -> bool {
    reached == UnitEffect::Started
        && unit.has_start_job()
        && !watched.running_since.contains_key(id)
}

fn is_trigger(states: &States, id: &UnitId) -> bool {
    states.get(id).is_some_and(UnitState::is_trigger)
}

/// Converts a duration to microseconds, the unit of systemd's clocks.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros())
        .unwrap_or(u64::MAX / 4)
        .min(u64::MAX / 4)
}

/// Returns the log line with the names of the watched units.
fn remark(deadlines: &BTreeMap<UnitId, u64>, after: &States, settle: Duration) -> String {
    let waits = |id: &&UnitId| after.get(*id).is_some_and(|unit| unit.job.is_some());
    let starting: Vec<&UnitId> = deadlines.keys().filter(waits).collect();
    let running: Vec<&UnitId> = deadlines.keys().filter(|id| !waits(id)).collect();
    let mut parts = Vec::new();
    if !running.is_empty() {
        parts.push(format!("{} for {}", names(&running), duration(settle)));
    }
    if !starting.is_empty() {
        let longest = duration(settle * JOB_SETTLES);
        parts.push(format!(
            "the start of {} for up to {longest}",
            names(&starting)
        ));
    }
    format!("{}{}", crate::progress::WATCHING, parts.join(", "))
}

fn names(ids: &[&UnitId]) -> String {
    let shown: Vec<String> = ids.iter().take(SHOWN).map(ToString::to_string).collect();
    match ids.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
