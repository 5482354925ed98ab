//! Saves the result of a transaction: the state, the history, the requested modules and the option
//! overrides. Then disarms the timers of the transaction and removes unneeded GC roots.

use anyhow::Result;

use super::ActivatorTask;
use super::confirm::{TimerPhase, disarm};
use super::external_switch;
use super::rooting::release;
use super::transaction::RunningTransaction;
use crate::clock::now;
use crate::fault::{Point, step};
use crate::locations::Locations;
use crate::overrides::Generation;
use crate::record::{
    Entry, KeptOverrides, Outcome, Pending, SCHEMA, State, StateEffect, Wanted, append_history,
    append_override, write_effects,
};

impl RunningTransaction<'_> {
    /// Ends the transaction and saves the result. Writes the state first, because it is
    /// authoritative.
    pub(super) fn settle(&mut self, effect: StateEffect, outcome: Outcome) {
        let phases = self.phases_to_now();
        if outcome == Outcome::Superseded {
            self.end_replaced();
        }
        if let Some(pending) = self.state.pending.clone() {
            self.state.end(effect);
            let entry = Entry {
                phases,
                failed_units: self.activated.failed_units.clone(),
                ended_by: Some(self.request.transaction.clone())
                    .filter(|name| *name != pending.transaction),
                ..entry(
                    &pending,
                    outcome,
                    &self.activated.explanation,
                    self.state.revision,
                )
            };
            self.write_down(&pending, &entry, effect);
        }
        if let ActivatorTask::Change(change) = &self.request.task
            && change.verifies
            && effect != StateEffect::Done
        {
            self.verification_failed(self.activated.explanation.clone());
        }
        self.activated.outcome = outcome;
        self.activated.revision = self.state.revision;
        self.timed();
    }

    /// Saves the state, the history, the requested modules and the option overrides after the end
    /// of a transaction. Also disarms its timers and removes unneeded GC roots. If a step fails,
    /// only adds a warning, because the system is already running.
    pub(super) fn write_down(&mut self, ended: &Pending, entry: &Entry, effect: StateEffect) {
        let locations = self.locations;
        match step(Point::Commit, || self.state.write(locations)) {
            // Disarm the timer only now. Before the end is saved, the timer must still be able to
            // end the transaction.
            Ok(()) => disarm(
                &ended.transaction,
                &[TimerPhase::Before, TimerPhase::After],
                locations,
            ),
            Err(error) => {
                let finish = match effect {
                    StateEffect::Done => " --finish",
                    StateEffect::AsBefore | StateEffect::Stranded => "",
                };
                self.warn(format!(
                    "cannot save the state of the running system: {error:#}; fix this problem, then run `runtime-module recover{finish}`"
                ));
            }
        }
        let added = step(Point::History, || append_history(locations, entry));
        self.note(added);
        if effect == StateEffect::Done {
            let wanted = Wanted {
                schema: SCHEMA,
                modules: self.state.wanted.clone(),
            };
            let written = step(Point::Wanted, || wanted.write(locations));
            self.note(written);
            let recorded = step(Point::Overrides, || {
                record_overrides(locations, &self.state, ended.generation.as_ref())
            });
            self.note(recorded);
            self.learn();
        }
        external_switch::watch(locations, &self.state);
        let released = step(Point::Release, || release(locations, &self.state));
        self.note(released);
    }
}

impl RunningTransaction<'_> {
    /// Removes runtime files because an external switch has replaced the system.
    pub(super) fn end_replaced(&mut self) {
        let ended = external_switch::end_replaced(self.locations, &mut self.state);
        self.note(ended);
    }

    /// Saves the effects of options that a verification has observed.
    fn learn(&mut self) {
        if let ActivatorTask::Change(change) = &self.request.task
            && let Some(effects) = &change.effects
        {
            let written = write_effects(self.locations, effects);
            self.note(written);
        }
    }
}

/// Appends a new generation to the history of option overrides, and saves the overrides that
/// survive reboots. The state already contains all overrides.
fn record_overrides(
    locations: &Locations,
    state: &State,
    generation: Option<&Generation>,
) -> Result<()> {
    let Some(generation) = generation else {
        return Ok(());
    };
    append_override(locations, generation)?;
    KeptOverrides::of(&state.overrides).write(locations)
}

/// Returns the history record of a transaction.
pub(super) fn entry(
    pending: &Pending,
    outcome: Outcome,
    explanation: &str,
    revision: u64,
) -> Entry {
    Entry {
        revision,
        transaction: pending.transaction.clone(),
        purpose: pending.purpose.clone(),
        time: now(),
        modules: pending.wanted.clone(),
        overrides: pending.overrides.clone(),
        runtime: pending.runtime.clone(),
        verification: pending.verification.clone(),
        from: pending.from.clone(),
        to: pending.to.clone(),
        base: pending.base.clone(),
        configuration: pending.configuration.clone(),
        outcome,
        explanation: explanation.to_string(),
        phases: pending.phases.clone(),
        ..Entry::default()
    }
}
