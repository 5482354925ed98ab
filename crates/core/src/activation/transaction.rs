//! Carries out a transaction under the lock: switches, verifies, and rolls back if necessary.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::confirm::{TimerPhase, arm, disarm};
use super::external_switch;
use super::log::Log;
use super::login::Sessions;
use super::manager::UnitId;
use super::runtime_files::{self, Replacement, RunningUnits};
use super::switch::{Checks, SwitchProgram, SwitchResult, UNITS_FAILED, Verdict};
use super::verify::{BeforeSwitch, Switching, Verification};
use super::{Activated, ActivatorTask, Change, Request, causes, outcome};
use crate::choice::OnFailedUnits;
use crate::clock::now;
use crate::fault::{Point, step};
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::partial::RuntimeFiles;
use crate::record::{Outcome, State, StateEffect, Step};
use crate::store::LocalStore;
use crate::timings::{Phase, Phases, milliseconds};

/// The maximum number of failed units that are described in detail.
const SHOWN: usize = 32;

/// The data of a running transaction.
pub(super) struct RunningTransaction<'a> {
    pub(super) request: &'a Request,
    pub(super) locations: &'a Locations,
    pub(super) log: &'a mut Log,
    pub(super) state: State,
    pub(super) store: Option<LocalStore>,
    pub(super) checks: Checks,
    /// The state of the machine before the first switch. A rollback needs it to know which units
    /// had already failed.
    before: Option<BeforeSwitch>,
    /// Units that failed because of the first switch.
    broken: Vec<UnitId>,
    /// The runtime files that are in force, or may be.
    pub(super) in_force: RuntimeFiles,
    /// The result so far.
    pub(super) activated: Activated,
    begun: Instant,
}

impl<'a> RunningTransaction<'a> {
    pub(super) fn new(
        request: &'a Request,
        locations: &'a Locations,
        log: &'a mut Log,
        state: State,
    ) -> Self {
        Self {
            activated: Activated::new(log.path.clone(), state.revision),
            in_force: state.runtime.clone(),
            request,
            locations,
            log,
            state,
            store: None,
            checks: Checks::All,
            before: None,
            broken: Vec::new(),
            begun: Instant::now(),
        }
    }

    /// Returns the machine that the transaction changes.
    pub(super) fn host(&self) -> LocalHost<'a> {
        LocalHost::new(self.locations)
    }

    /// Adds a warning, which does not change the outcome.
    pub(super) fn warn(&mut self, text: String) {
        if !self.activated.warnings.contains(&text) {
            self.activated.warnings.push(text);
        }
    }

    /// Skips NixOS's pre-switch checks for this switch and for a later rollback, so that no check
    /// can block the rollback.
    pub(super) fn leave_checks_out(&mut self) {
        self.checks = Checks::None;
        if let Some(pending) = &mut self.state.pending {
            pending.unchecked = true;
        }
        self.warn("skipping NixOS's pre-switch checks (NIXOS_NO_CHECK=1)".into());
    }

    pub(super) fn note(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.warn(format!("{error:#}"));
        }
    }

    /// Returns the location of a store path on disk.
    pub(super) fn real(&self, path: &str) -> PathBuf {
        self.store
            .as_ref()
            .and_then(|store| store.real_path(path))
            .unwrap_or_else(|| PathBuf::from(path))
    }

    /// Carries out the prepared change.
    pub(super) fn change(&mut self, change: &Change) {
        self.advance(Step::Switching);
        let sessions = Sessions::read(self.locations);
        let verification = self.switch_to(&change.to, &change.runtime, Point::Switch);
        let outcome = match verification.verdict {
            Verdict::Well => Outcome::Activated,
            Verdict::Refused => Outcome::Unchanged,
            Verdict::Superseded => Outcome::Superseded,
            Verdict::UnitsFailed
                if change.on_failed_units == OnFailedUnits::Keep || change.from.is_none() =>
            {
                Outcome::UnitsFailed
            }
            Verdict::UnitsFailed | Verdict::Failed => self.go_back(change.from.as_deref()),
        };
        self.explain(outcome, &verification.why);
        self.activated
            .warnings
            .extend(sessions.compare(self.locations));
        match (outcome, change.confirm) {
            (Outcome::Activated | Outcome::UnitsFailed, Some(seconds)) => {
                self.wait_for_confirmation(seconds);
            }
            _ => self.settle(outcome::state_effect(outcome), outcome),
        }
    }

    /// Records the requested modules without a switch, because the system is already running.
    pub(super) fn same(&mut self) {
        self.settle(StateEffect::Done, Outcome::Activated);
    }

    /// Activates a system with its runtime files, and verifies the result.
    pub(super) fn switch_to(
        &mut self,
        to: &str,
        files: &RuntimeFiles,
        point: Point,
    ) -> Verification {
        let before = self.before(point);
        let since = now();
        let partial = self
            .state
            .pending
            .as_ref()
            .is_some_and(|pending| pending.partial);
        let switched = step(point, || match partial {
            true => Ok(self.replace_files(to, files)),
            false => self.run_switch_program(to, files, before.running.as_deref()),
        });
        let switched = switched.unwrap_or_else(|error| SwitchResult::failed(&error, true));
        if point == Point::Switch {
            self.advance(Step::Verifying);
        }
        let from = before.running.as_ref().map(|from| self.real(from));
        let switching = Switching {
            switched: &switched,
            expected: to,
            from,
            to: self.real(to),
            broken: &self.broken,
            since,
            settle: self.settle_time(point),
        };
        let verification = step(Point::Verify, || -> Result<Verification> {
            Ok(before.compare(&switching, self.log, self.locations))
        });
        let verification = verification.unwrap_or_else(|error| Verification::failed(&error));
        self.broken.extend(verification.failed.keys().cloned());
        // After an automatic rollback, report the failure of the first switch. It is more useful
        // than the result of the rollback.
        if point == Point::Switch || matches!(self.request.task, ActivatorTask::Recover { .. }) {
            self.activated.status = switched.status;
            self.activated.failed_units = verification.names();
            if verification.verdict != Verdict::Well {
                self.activated.last_lines.clone_from(&switched.last_lines);
            }
            self.describe(&verification, since);
        }
        self.activated
            .warnings
            .extend(verification.warnings.clone());
        verification
    }

    /// Replaces the runtime files of the running system.
    fn replace_files(&mut self, toplevel: &str, files: &RuntimeFiles) -> SwitchResult {
        let old = std::mem::replace(&mut self.in_force, files.clone());
        let place = self.real(toplevel);
        let units = RunningUnits::read(self.locations, &place);
        let mut changes = units.changes(&old, files);
        let dependents = units.dependents(&(&changes.stop | &changes.stop_first));
        let again = units.wanted_again(&old, files);
        let partial = self
            .state
            .pending
            .as_mut()
            .filter(|pending| pending.partial);
        if let Some(pending) = partial {
            // An earlier step of the transaction may have stopped or broken these units.
            changes.revive = units.inactive(&pending.affected);
            pending.affected.extend(changes.affected());
            pending.affected.extend(dependents.iter().cloned());
            let written = self.state.write(self.locations);
            self.note(written);
        }
        changes.revive.extend(dependents);
        changes.revive.extend(again);
        let replacement = Replacement {
            changes,
            locations: self.locations,
            log: self.log,
            old: &old,
            new: files,
        };
        replacement.run()
    }

    /// Runs the switch program of a system. Removes runtime files first: the switch program must
    /// see the units of the running toplevel. Puts the files of the new system into force
    /// afterwards.
    fn run_switch_program(
        &mut self,
        to: &str,
        files: &RuntimeFiles,
        from: Option<&str>,
    ) -> Result<SwitchResult> {
        let old = std::mem::take(&mut self.in_force);
        if !old.is_empty() {
            self.log.say("removing the files of option overrides");
            runtime_files::remove(self.locations, &old)?;
            if let Err(reason) = runtime_files::reload_systemd(self.locations) {
                self.warn(reason);
            }
        }
        let switch = SwitchProgram::prepare(&self.real(to), self.checks, self.log, self.locations);
        let switched = switch.and_then(SwitchProgram::run);
        let mut switched = switched.unwrap_or_else(|error| SwitchResult::failed(&error, false));
        if !matches!(switched.status, Some(0 | UNITS_FAILED)) {
            let changed = self.host().running().as_deref() != from;
            if switched.changed_nothing(changed) && !old.is_empty() {
                // Nothing was switched, so the old files are still needed.
                runtime_files::put_back(self.locations, &old)?;
                self.in_force = old;
            }
            return Ok(switched);
        }
        if let (false, Some(from)) = (old.is_empty(), from) {
            let leftover = runtime_files::Leftover {
                locations: self.locations,
                files: &old,
                new: &RuntimeFiles::default(),
                from: self.real(from),
                to: self.real(to),
            };
            let touched = switched.touched.clone();
            let done = |name: &str| touched.iter().any(|one| one == name);
            switched.add(leftover.restart(done, self.log)?);
        }
        if !files.is_empty() {
            switched.add(self.replace_files(to, files));
        }
        Ok(switched)
    }

    /// Returns how long to watch units after a switch. A rollback does not wait, because its units
    /// were running before.
    fn settle_time(&self, point: Point) -> Duration {
        match point {
            Point::Return => Duration::ZERO,
            _ => Duration::from_millis(self.request.settle),
        }
    }

    /// Reads the state before a switch. In a rollback, units that the first switch broke do not
    /// count as units that had failed before.
    fn before(&mut self, point: Point) -> BeforeSwitch {
        let now = BeforeSwitch::read(self.locations);
        match &self.before {
            Some(first) if point == Point::Return => now.with_unwell(first),
            _ => self.before.insert(now).clone(),
        }
    }

    /// Describes the failed units. Adds nothing if their state was not read from systemd, because
    /// their causes are then unknown.
    fn describe(&mut self, verification: &Verification, since: u64) {
        let known = verification.failed.iter().filter(|_| verification.systemd);
        let logs = known
            .take(SHOWN)
            .map(|(id, unwell)| causes::describe(id, unwell, since));
        self.activated.unit_logs.extend(logs);
    }

    /// Activates the previous system again.
    fn go_back(&mut self, from: Option<&str>) -> Outcome {
        let Some(from) = from else {
            return Outcome::Stranded;
        };
        self.advance(Step::Returning);
        self.log.say("activating the previous system again");
        let files = self.state.runtime.clone();
        let verification = self.switch_to(from, &files, Point::Return);
        if verification.verdict != Verdict::Well {
            self.warn(outcome::rollback_warning(&verification));
        }
        outcome::of_rollback(verification.verdict)
    }

    /// Sets the outcome and its explanation.
    pub(super) fn explain(&mut self, outcome: Outcome, why: &str) {
        self.activated.outcome = outcome;
        self.activated.explanation = outcome::explanation(outcome, &self.request.purpose, why);
    }

    /// Saves the progress. If saving fails, only adds a warning, because stopping would leave the
    /// machine with a partly switched system.
    pub(super) fn advance(&mut self, to: Step) {
        self.state.step(to);
        let written = self.state.write(self.locations);
        self.note(written);
    }

    /// Leaves the change active until it is confirmed or the deadline has passed.
    fn wait_for_confirmation(&mut self, seconds: u64) {
        let name = &self.request.transaction;
        let until = now() + seconds;
        let armed = step(Point::Arm, || {
            arm(name, TimerPhase::After, seconds, self.locations)
        });
        let armed_again = armed.is_ok();
        self.note(armed);
        let phases = self.phases_to_now();
        if let Some(pending) = &mut self.state.pending {
            if armed_again {
                pending.confirm_until = Some(until);
            }
            // If arming failed, the timer from before the switch applies. It expires earlier,
            // because it was armed before the switch.
            pending.armed_again = armed_again;
            pending.phases = phases;
            pending.explanation.clone_from(&self.activated.explanation);
            pending
                .failed_units
                .clone_from(&self.activated.failed_units);
            self.activated.confirm_until = pending.confirm_until;
        }
        self.state.step(Step::Confirming);
        external_switch::watch(self.locations, &self.state);
        let written = step(Point::Commit, || self.state.write(self.locations));
        // Disarm the first timer only after the state is saved, because the saved state determines
        // which timer applies.
        if armed_again && written.is_ok() {
            disarm(name, &[TimerPhase::Before], self.locations);
        }
        self.note(written);
        self.timed();
    }

    /// Records the duration of the activation.
    pub(super) fn timed(&mut self) {
        self.activated.milliseconds = milliseconds(self.begun.elapsed());
    }

    pub(super) fn phases_to_now(&self) -> Phases {
        let pending = self.state.pending.as_ref();
        let mut phases = pending
            .map(|pending| pending.phases.clone())
            .unwrap_or_default();
        phases.append(Phase::Activate, self.begun.elapsed());
        phases
    }
}
