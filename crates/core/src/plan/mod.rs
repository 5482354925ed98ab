//! Plans a command completely before the command does anything.
//!
//! Takes the user's [`Intent`] and the [`Situation`] of the machine. Returns a [`Plan`], or the
//! reason why there is nothing to do. Reads files, but does not open libnix and does not change
//! anything.

mod action;
mod additions;
mod configuration;
mod earlier_state;
mod file;
mod intent;
mod modules;
mod notes;
mod nothing;
mod overrides;
mod partial;
mod source;

use std::path::Path;

use anyhow::Result;

use crate::choice::{Allow, Verify};
use crate::clock::now;
use crate::error::SourceError;
use crate::host::Situation;
use crate::options::{SourceOptions, StopAfter};
use crate::overrides::Edit;
use crate::partial::Parts;
use crate::registry::ModuleRequest;

pub use action::{Action, VERIFY_PURPOSE};
pub use additions::Additions;
pub use configuration::current_configuration;
pub use earlier_state::EarlierState;
pub use file::{agree, is_another_file, is_elsewhere, is_file};
pub use intent::Intent;
pub use modules::modules;
pub use overrides::PlannedOverrides;
pub use source::{Host, PlannedSource, source_to_list};

use configuration::specialisation;
use modules::wanted;
use notes::notes;
use nothing::nothing;
use source::source;

/// The system to activate.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// A system from an earlier evaluation, with its own base and source.
    Known(EarlierState),
    /// A system to evaluate: the host in this source, extended with these modules in this order.
    Evaluate {
        source: PlannedSource,
        modules: Vec<ModuleRequest>,
        /// The extra modules and the specialisation.
        additions: Additions,
    },
}

/// A plan for a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The description of the request.
    pub purpose: String,
    /// The system to activate.
    pub goal: Goal,
    /// The last stage to run.
    pub stop_after: StopAfter,
    /// The modules that are requested after the change.
    pub wanted: Vec<String>,
    /// The option overrides after the change.
    pub overrides: PlannedOverrides,
    /// The units and etc entries that the change probably affects. If there are any, they are
    /// evaluated first, and a whole toplevel is made only if they are not enough.
    pub parts: Option<Parts>,
    /// Whether to compare these parts with a whole toplevel before anything is applied.
    pub verify_first: bool,
    /// The toplevel of the running system.
    pub from: Option<String>,
    /// The toplevel without any runtime module; `None` if it must be evaluated.
    pub base: Option<String>,
    /// The toplevel to which the source should evaluate without any runtime module; `None` if it is
    /// unknown, or if the source may have changed.
    pub expected: Option<String>,
    /// Whether to activate a system that is already running.
    pub force: bool,
    /// Whether the system is for a guest, so that it is not compared with this machine.
    pub for_guest: bool,
    /// The safety checks to override.
    pub allow: Vec<Allow>,
    /// Whether the evaluation may build derivations.
    pub allow_import_from_derivation: bool,
    /// The notes to print for the user before the change.
    pub notes: Vec<String>,
}

/// The needs of a request, as far as they are known before the plan is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// There is nothing to do, for this reason.
    Nothing(String),
    /// A system from an earlier evaluation.
    KnownSystem,
    /// An evaluation.
    Evaluation,
}

/// The decision about a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// There is nothing to do, for this reason.
    Nothing(String),
    /// There is something to do.
    Do(Box<Plan>),
}

impl Plan {
    /// Returns whether the toplevel without any runtime module must be built too, so that a later
    /// `reset` can activate it.
    pub fn builds_base(&self) -> bool {
        self.base.is_none() && self.realises()
    }

    /// Returns whether the plan builds and fetches its system.
    pub fn realises(&self) -> bool {
        self.stop_after >= StopAfter::Realise
    }
}

/// The results of the checks that do not need the source of the request.
struct CheckedRequest {
    additions: Additions,
    wanted: Vec<String>,
    overrides: PlannedOverrides,
    /// Whether the source is different, or may have changed since the running system was evaluated.
    /// A file is never pinned, so it may have changed.
    moves_source: bool,
    /// Whether the change selects a different specialisation.
    moves_specialisation: bool,
    /// The reason why there is nothing to do; `None` if there is something to do.
    nothing: Option<String>,
}

impl CheckedRequest {
    fn of(intent: &Intent, situation: &Situation, options: &SourceOptions) -> Result<Self> {
        let Intent {
            action,
            options: change,
            expressions: _,
        } = intent;
        let additions = Additions::decide(action, situation, change)?;
        let in_file = is_file(situation, options);
        let wanted = wanted(action, situation, in_file || options.is_named())?;
        let overrides = PlannedOverrides::decide(action, situation)?;
        let nothing = match change.force {
            true => None,
            false => nothing(action, situation, options, &wanted, &additions),
        };
        Ok(Self {
            moves_source: *action == Action::Rebuild || options.is_named() || in_file,
            moves_specialisation: additions.specialisation != specialisation(situation),
            additions,
            wanted,
            overrides,
            nothing,
        })
    }

    /// Returns whether the change may also change the system without any runtime module.
    fn moves_base(&self) -> bool {
        self.moves_source || self.moves_specialisation
    }

    /// Returns the toplevel to which the source should evaluate without any runtime module.
    fn expected_base(&self, situation: &Situation) -> Option<String> {
        match &self.additions.specialisation {
            _ if self.moves_source => None,
            Some(name) if self.moves_specialisation => situation.base_variant(name),
            None if self.moves_specialisation => None,
            _ => situation.base(),
        }
    }

    /// Returns the system to activate if it is known without an evaluation.
    fn known_goal(&self, action: &Action, situation: &Situation) -> Result<Option<Goal>> {
        let is_base = self.overrides.after.is_empty()
            && (action.is_reset()
                || (self.wanted.is_empty() && !self.moves_base() && !self.additions.has_modules()));
        match (situation.base(), action) {
            (_, Action::Rollback(state)) => Ok(Some(Goal::Known((**state).clone()))),
            (_, Action::Override(edit)) if !matches!(edit, Edit::Set { .. }) && !is_base => {
                Ok(self.earlier_generation(situation).map(Goal::Known))
            }
            (Some(base), _) if is_base => {
                Ok(Some(Goal::Known(EarlierState::base(&base, situation))))
            }
            (None, Action::Reset | Action::ResetAll) if is_base => {
                Err(SourceError::UnknownBase.into())
            }
            _ => Ok(None),
        }
    }

    /// Returns an earlier state of the running toplevel with the same modules and overrides as
    /// after the change.
    fn earlier_generation(&self, situation: &Situation) -> Option<EarlierState> {
        if self.moves_base() || self.additions.has_modules() || situation.foreign() {
            return None;
        }
        let states = EarlierState::all(&situation.history, now());
        states.into_iter().find(|state| {
            Some(&state.toplevel) == situation.running.as_ref()
                && state.wanted == self.wanted
                && state.base == situation.base()
                && self.overrides.after.has_same_definitions(&state.overrides)
        })
    }

    /// Returns the notes to print for the user before the change.
    fn notes(&self, action: &Action, situation: &Situation) -> Vec<String> {
        let mut notes = notes(situation, &self.wanted);
        notes.extend(overrides_stay(action, &self.overrides));
        notes.extend(self.additions.removal_note(action, situation));
        notes
    }
}

/// Checks the arguments, the module names and the source of a request before a password prompt.
pub fn check(
    intent: &Intent,
    situation: &Situation,
    options: &SourceOptions,
    here: &Path,
) -> Result<Needs> {
    let request = CheckedRequest::of(intent, situation, options)?;
    if let Some(why) = request.nothing {
        return Ok(Needs::Nothing(why));
    }
    if intent.action.evaluates() {
        source(&intent.action, situation, options, here)?;
    }
    Ok(match request.known_goal(&intent.action, situation)? {
        Some(_) => Needs::KnownSystem,
        None => Needs::Evaluation,
    })
}

/// Makes the plan for a request.
pub fn decide(
    intent: &Intent,
    situation: &Situation,
    options: &SourceOptions,
    here: &Path,
) -> Result<Decision> {
    let Intent {
        action,
        options: change,
        expressions: _,
    } = intent;
    let request = CheckedRequest::of(intent, situation, options)?;
    if let Some(why) = request.nothing {
        return Ok(Decision::Nothing(why));
    }
    let mut notes = request.notes(action, situation);
    let expected = request.expected_base(situation);
    let moves_base = request.moves_base() || request.additions.has_modules();
    // If the source or the specialisation changes, the base may change too.
    let base = situation.base().filter(|_| !request.moves_base());
    let goal = match request.known_goal(action, situation)? {
        Some(goal) => goal,
        None => {
            let source = source(action, situation, options, here)?;
            Goal::Evaluate {
                modules: modules(&request.wanted, situation, &source)?,
                source,
                additions: request.additions,
            }
        }
    };
    let parts = match (
        &goal,
        partial::parts(&request.overrides, action, situation, &change.apply),
    ) {
        (Goal::Evaluate { .. }, Ok(parts)) if !moves_base => Some(parts),
        (Goal::Evaluate { .. }, Err(Some(why))) => {
            notes.push(whole_system(&why));
            None
        }
        _ => None,
    };
    Ok(Decision::Do(Box::new(Plan {
        purpose: action.words(),
        notes,
        goal,
        stop_after: change.stop_after,
        wanted: request.wanted,
        overrides: request.overrides,
        parts,
        verify_first: change.apply.verify == Verify::Wait,
        from: situation.running.clone(),
        base,
        expected,
        force: change.force,
        for_guest: false,
        allow: change.allow.clone(),
        allow_import_from_derivation: change.may_build_in_evaluation(),
    })))
}

/// Returns the note about an override that needs the whole system.
pub fn whole_system(why: &str) -> String {
    format!("evaluating the whole system: {why}")
}

/// Returns a note if a reset keeps option overrides.
fn overrides_stay(action: &Action, overrides: &PlannedOverrides) -> Option<String> {
    let stay = *action == Action::Reset && !overrides.after.is_empty();
    stay.then(|| {
        format!(
            "option overrides are kept: {}; run `runtime-module reset --all` to remove them too",
            overrides.after.words()
        )
    })
}

#[cfg(test)]
mod tests;
