//! Watches the units that a change started, until systemd or their settle time tells that they are well.
//!
//! A service of the types `notify`, `dbus`, `forking` and `oneshot` reports that it is started; the switch program waits
//! for that. One of the types `simple`, `exec` and `idle` counts as started at once, and may end a moment later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::manager::{States, UnitId};
use super::touched::{Changes, Reached, Touched};
use super::unit_state::{Job, Problem, UnitState};
use crate::progress::duration;

/// How often watched units are looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the watch goes on after the first unwell unit, so that others that fail with it are named as well.
const GATHER: Duration = Duration::from_millis(250);

/// How many settle times a start job gets.
const JOB_SETTLES: u32 = 10;

/// Names in a remark.
const SHOWN: usize = 5;

/// What a watch needs of the machine.
pub(super) trait Machinery {
    /// The units that are not inactive.
    fn look(&mut self) -> States;
    /// The state of these units.
    fn look_at(&mut self, ids: &[UnitId]) -> States;
    /// The command of a unit that failed last, if systemd still knows.
    fn failed_command(&mut self, id: &UnitId) -> Option<FailedCommand>;
    /// Whether the journal says that a unit failed since the change began.
    fn has_failed(&mut self, id: &UnitId) -> bool;
    /// Microseconds of the monotonic clock.
    fn now(&mut self) -> u64;
    /// Waits.
    fn wait(&mut self, time: Duration);
    /// Tells the user.
    fn say(&mut self, text: &str);
}

/// A command of a unit that failed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FailedCommand {
    /// The setting that it is of: `ExecStartPre`.
    pub setting: String,
    /// The command line; empty if unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub line: String,
    /// Its exit status; none if a signal ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
}

/// A unit that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unwell {
    pub(super) problem: Problem,
    /// Its state when that was seen; none if only the switch program saw it.
    pub(super) state: Option<UnitState>,
    pub(super) command: Option<FailedCommand>,
}

/// What a watch found.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    /// Units that the change reached and that are not well.
    pub(super) unwell: BTreeMap<UnitId, Unwell>,
    /// Units that the change reached.
    pub(super) touched: Touched,
    /// All units at the end.
    pub(super) after: States,
}

/// How to watch.
pub(super) struct Watch<'a> {
    pub(super) changes: Changes<'a>,
    /// Units that were not well before.
    pub(super) unwell_before: &'a BTreeSet<UnitId>,
    /// How long units are watched that do not report themselves. Zero: a single look.
    pub(super) settle: Duration,
}

impl Watch<'_> {
    /// Watches until all units are well beyond doubt, one is not, or their time is over.
    pub(super) fn run(&self, machine: &mut impl Machinery) -> Watched {
        let begun = machine.now();
        let mut watched = Watched {
            after: machine.look(),
            ..Watched::default()
        };
        let mut waited = false;
        loop {
            watched.touched = self.changes.touched(&watched.after);
            self.find(&mut watched, begun, machine);
            let now = machine.now();
            if self.settle.is_zero() {
                return watched;
            }
            if !watched.unwell.is_empty() {
                machine.wait(GATHER);
                break;
            }
            let deadlines = self.deadlines(&watched, begun, now);
            let Some(until) = deadlines.values().max().filter(|until| **until > now) else {
                break;
            };
            if !waited {
                machine.say(&remark(&deadlines, &watched.after, self.settle));
            }
            waited = true;
            machine.wait(PAUSE.min(Duration::from_micros(until - now)));
            let ids: Vec<UnitId> = deadlines.into_keys().collect();
            // Only a look at all units shows what a timer, path or socket triggers.
            if ids.iter().any(|id| is_trigger(&watched.after, id)) {
                watched.after = machine.look();
            } else {
                watched.after.extend(machine.look_at(&ids));
            }
        }
        if waited || !watched.unwell.is_empty() {
            watched.after = machine.look();
            watched.touched = self.changes.touched(&watched.after);
            self.find(&mut watched, begun, machine);
        }
        watched
    }

    /// Adds the units that are not well. One that was found stays: it may be on its next attempt by now.
    fn find(&self, watched: &mut Watched, begun: u64, machine: &mut impl Machinery) {
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
                .or_else(|| self.stuck(unit, *reached, begun, machine.now()));
            if let Some(problem) = problem {
                let command = machine.failed_command(id);
                let state = Some(unit.clone());
                let unwell = Unwell {
                    problem,
                    state,
                    command,
                };
                watched.unwell.insert(id.clone(), unwell);
            }
        }
    }

    /// A unit that systemd restarted between two looks, after a failure.
    fn restarted(
        &self,
        id: &UnitId,
        unit: &UnitState,
        machine: &mut impl Machinery,
    ) -> Option<Problem> {
        let failed = unit.restarted_since(self.changes.before.get(id))
            && (unit.restarts_after_failure_only() || machine.has_failed(id));
        failed.then_some(Problem::Restarting)
    }

    /// A unit whose start job does not end. The service of a timer may take as long as it likes.
    fn stuck(&self, unit: &UnitState, reached: Reached, begun: u64, now: u64) -> Option<Problem> {
        let waits = unit.job.as_ref().is_some_and(Job::starts) && reached == Reached::Started;
        let over = !self.settle.is_zero() && now >= begun + micros(self.settle * JOB_SETTLES);
        (waits && over).then_some(Problem::Starting)
    }

    /// The units that have to be watched, and until when.
    fn deadlines(&self, watched: &Watched, begun: u64, now: u64) -> BTreeMap<UnitId, u64> {
        let settle = micros(self.settle);
        let deadline = |id: &UnitId, reached: Reached| {
            let unit = watched.after.get(id)?;
            if self.unwell_before.contains(id) {
                return None;
            }
            if unit.job.as_ref().is_some_and(Job::starts) && reached == Reached::Started {
                return Some(begun + micros(self.settle * JOB_SETTLES));
            }
            // What systemd says of the time is never waited for longer than from now on.
            let from_change = unit.changed_at.saturating_add(settle).min(now + settle);
            let is_under_way = reached == Reached::Triggered && unit.active == "activating";
            if unit.is_alive() && (unit.counts_as_started_at_once() || is_under_way) {
                return Some(from_change);
            }
            if unit.is_trigger() && unit.is_alive() {
                // A service that it triggered, or triggers soon, may fail.
                let soon = unit.elapses_at.filter(|at| *at <= begun + settle);
                let at = soon.unwrap_or(unit.changed_at).min(now + settle);
                return Some(match unit.sub.as_str() {
                    "running" => from_change,
                    _ => at + micros(PAUSE),
                });
            }
            None
        };
        let touched = watched.touched.iter();
        touched
            .filter_map(|(id, reached)| Some((id.clone(), deadline(id, *reached)?)))
            .collect()
    }
}

fn is_trigger(states: &States, id: &UnitId) -> bool {
    states.get(id).is_some_and(UnitState::is_trigger)
}

/// A time in microseconds, as systemd's clocks count.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros())
        .unwrap_or(u64::MAX / 4)
        .min(u64::MAX / 4)
}

/// Tells what is watched.
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
