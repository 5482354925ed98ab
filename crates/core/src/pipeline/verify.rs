//! Verifies overrides that were applied without a new toplevel.
//!
//! Makes the whole toplevel with all overrides, which also checks all assertions. Compares it with
//! the running toplevel and its runtime files. If they differ, activates the whole toplevel or
//! returns to the last verified state, depending on the configuration.

use anyhow::Result;

use super::activate::{VerifiedChange, activate, verified_request};
use super::elevation::{elevate, wait_for_others};
use super::{Stages, System, earlier_change_has_ended};
use crate::activation::{Activated, Activator, Verified};
use crate::choice::OnMismatch;
use crate::error::{Failed, OverrideError, describe};
use crate::host::Situation;
use crate::options::{ChangeOptions, StopAfter};
use crate::overrides::Definition;
use crate::partial::{
    Comparison, Effect, Effects, Parts, Verification, VerificationResult, compare_in_store, guess,
};
use crate::plan::{Action, Decision, EarlierState, Intent, Needs, Plan, decide};
use crate::session::Session;

/// The result of `overrides verify`.
pub enum Verdict {
    /// No partial change is in force.
    NothingToVerify,
    /// The running system is the same as the whole toplevel.
    Same { toplevel: String },
    /// The runtime files were incomplete or wrong, so the whole toplevel was activated.
    Finished {
        differences: Vec<String>,
        activated: Box<Activated>,
    },
    /// The runtime files were incomplete or wrong, or the whole toplevel could not be evaluated, so
    /// the last verified state was activated.
    Undone {
        differences: Vec<String>,
        activated: Box<Activated>,
    },
}

/// The maximum number of attempts. Each change during a verification makes a new attempt necessary.
const ATTEMPTS: usize = 20;

/// Verifies the newest overrides.
pub fn verify(session: &Session, options: &ChangeOptions, stages: &dyn Stages) -> Result<Verdict> {
    for _ in 0..ATTEMPTS {
        wait_for_others(session, options.wait);
        let situation = session.host().situation()?;
        if situation.state.verification.is_none() || situation.foreign() {
            return Ok(Verdict::NothingToVerify);
        }
        earlier_change_has_ended(&situation, &Action::Verify)?;
        let options = ChangeOptions {
            stop_after: StopAfter::Realise,
            force: true,
            ..options.clone()
        };
        let intent = Intent::new(Action::Verify, options);
        stages.prepare(&intent, &Needs::Evaluation)?;
        let activator = elevate(session)?;
        let attempt = Attempt {
            session,
            stages,
            intent: &intent,
            situation: &situation,
        };
        match attempt.run(activator)? {
            Some(verdict) => return Ok(verdict),
            None => session
                .reporter
                .note("the system has changed in the meantime; verifying again"),
        }
    }
    Err(OverrideError::NeverVerified.into())
}

/// A verification of one revision of the state.
struct Attempt<'a> {
    session: &'a Session,
    stages: &'a dyn Stages,
    intent: &'a Intent,
    situation: &'a Situation,
}

impl Attempt<'_> {
    /// Returns `None` if the state changed during the verification.
    fn run(&self, activator: Activator) -> Result<Option<Verdict>> {
        let made = self.make();
        self.session.interrupts.check()?;
        let state = self.session.host().state()?;
        if state.revision != self.situation.state.revision || state.verification.is_none() {
            return Ok(None);
        }
        match made {
            Ok((plan, system)) => {
                let running = self.situation.running.as_deref().unwrap_or_default();
                let comparison = compare_in_store(
                    |path| system.store.real_path(path),
                    running,
                    &self.situation.state.runtime,
                    &system.toplevel,
                )?;
                self.conclude(activator, &plan, &system, comparison)
                    .map(Some)
            }
            Err(error) => self.not_made(activator, error).map(Some),
        }
    }

    fn make(&self) -> Result<(Box<Plan>, System)> {
        let source = &self.session.options.source;
        match decide(self.intent, self.situation, source, &self.session.here)? {
            Decision::Do(plan) => self.stages.make(self.intent, self.situation, plan),
            // `force` is set, so there is always something to do.
            Decision::Nothing(why) => Err(anyhow::Error::msg(why)),
        }
    }

    fn conclude(
        &self,
        activator: Activator,
        plan: &Plan,
        system: &System,
        comparison: Comparison,
    ) -> Result<Verdict> {
        let Comparison {
            effect,
            differences,
        } = comparison;
        let effects = self.learned(effect);
        if differences.is_empty() {
            let toplevel = system.toplevel.clone();
            let result = VerificationResult::Same {
                toplevel: toplevel.clone(),
            };
            self.record(activator, result, Some(effects))?;
            return Ok(Verdict::Same { toplevel });
        }
        match self.on_mismatch() {
            OnMismatch::Undo => self.undo(activator, differences, Some(effects)),
            OnMismatch::Finish => {
                let options = self.activation_options();
                let activated = activate(
                    self.session,
                    activator,
                    self.situation,
                    plan,
                    system,
                    &options,
                    Some(VerifiedChange {
                        effects: Some(effects),
                    }),
                )?;
                Ok(Verdict::Finished {
                    differences,
                    activated: Box::new(activated),
                })
            }
        }
    }

    /// Handles a toplevel that could not be made. After an evaluation error, returns to the last
    /// verified state. Only records other failures, such as a failed build, because the overrides
    /// may not be their cause.
    fn not_made(&self, activator: Activator, error: anyhow::Error) -> Result<Verdict> {
        let failed: Failed = describe(&error);
        if failed.by_configuration {
            return self.undo(activator, vec![failed.message], None);
        }
        let reason = failed.message.clone();
        self.record(activator, VerificationResult::Failed { reason }, None)?;
        Err(error)
    }

    /// Returns to the last verified state.
    fn undo(
        &self,
        activator: Activator,
        differences: Vec<String>,
        effects: Option<Effects>,
    ) -> Result<Verdict> {
        let situation = self.situation;
        let last = self.verification().verified_state;
        let mut states = situation.history.iter();
        let Some(state) = states.find(|entry| entry.ran() && entry.revision == last) else {
            let reason = "the last verified state is no longer in the history".into();
            self.record(activator, VerificationResult::Failed { reason }, effects)?;
            return Err(OverrideError::VerifiedStateLost.into());
        };
        let state = EarlierState::from(state);
        let intent = Intent::new(Action::Rollback(Box::new(state)), self.activation_options());
        let source = &self.session.options.source;
        let decision = decide(&intent, situation, source, &self.session.here)?;
        let Decision::Do(plan) = decision else {
            return Ok(Verdict::NothingToVerify);
        };
        let (plan, system) = self.stages.make(&intent, situation, plan)?;
        let activated = activate(
            self.session,
            activator,
            situation,
            &plan,
            &system,
            &intent.options,
            Some(VerifiedChange { effects }),
        )?;
        Ok(Verdict::Undone {
            differences,
            activated: Box::new(activated),
        })
    }

    fn record(
        &self,
        activator: Activator,
        result: VerificationResult,
        effects: Option<Effects>,
    ) -> Result<()> {
        let verified = Verified {
            revision: self.situation.state.revision,
            verification: Verification {
                result,
                ..self.verification()
            },
            effects,
        };
        let request = verified_request(self.session, verified, self.intent.options.wait);
        self.session.interrupts.detach()?;
        activator.activate(&request, &self.session.reporter)?;
        Ok(())
    }

    fn verification(&self) -> Verification {
        let known = self.situation.state.verification.clone();
        known.unwrap_or_else(|| Verification {
            generation: self.situation.overrides().generation,
            result: VerificationResult::Waiting,
            verified_state: self.situation.state.revision,
        })
    }

    fn on_mismatch(&self) -> OnMismatch {
        let baked = self.situation.baked.as_ref();
        baked.map(|baked| baked.on_mismatch).unwrap_or_default()
    }

    /// Returns the options for an activation. Disables the confirmation, because a verification in
    /// the background has no user who could confirm.
    fn activation_options(&self) -> ChangeOptions {
        ChangeOptions {
            confirm: Some(std::time::Duration::ZERO),
            wait: self.intent.options.wait,
            ..ChangeOptions::default()
        }
    }

    /// Adds an observed effect to the known effects. If several options have changed since the
    /// running toplevel was made, their separate effects are unknown. In this case, adds the effect
    /// to all of them, unless their guesses already contain it.
    fn learned(&self, effect: Effect) -> Effects {
        let mut effects = self.situation.effects.clone();
        let paths = self.changed_options();
        let guessed = paths.iter().filter_map(|path| guess(path, &effects).ok());
        let mut expected = Parts::default();
        guessed.for_each(|parts| expected.extend(parts));
        let exact = paths.len() == 1;
        if exact || effect.whole || !expected.contains(&effect.parts) {
            for path in &paths {
                effects.learn(path, effect.clone());
            }
        }
        effects
    }

    /// Returns the options whose overrides the running toplevel does not contain.
    fn changed_options(&self) -> Vec<Vec<String>> {
        let made = self.situation.history.iter().rev();
        let mut made = made.filter(|entry| {
            entry.ran()
                && entry.verification.is_none()
                && Some(&entry.to) == self.situation.running.as_ref()
        });
        let known = made.next().map_or(0, |entry| entry.overrides.generation);
        let definitions = self.situation.overrides().definitions.iter();
        let new = definitions.filter(|one: &&Definition| one.generation > known);
        new.map(|one| one.path.clone()).collect()
    }
}
