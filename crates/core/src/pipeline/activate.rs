//! The last stage: asks the activator to activate a system and to record the result.

use std::time::Duration;

use anyhow::Result;
use unix::unistd::{User, getuid};

use super::elevation::{request, settle, whole_milliseconds};
use super::system::System;
use crate::activation::{Activated, Activator, ActivatorTask, Change, Request, Verified};
use crate::clock::now;
use crate::host::Situation;
use crate::options::ChangeOptions;
use crate::overrides::Generation;
use crate::partial::{Effects, Verification, VerificationResult};
use crate::plan::{Goal, Plan, VERIFY_PURPOSE};
use crate::record::Configuration;
use crate::session::Session;

/// How long a change waits for a verification that records its result.
const RECORDING: Duration = Duration::from_secs(5);

/// Returns whether the system is already running and there is nothing new to record. With
/// `--force`, returns false.
pub fn is_running(system: &System, plan: &Plan, situation: &Situation) -> bool {
    let recorded = situation.state.configuration.as_ref();
    !plan.force
        && plan.from.as_ref() == Some(&system.toplevel)
        && plan.wanted == situation.state.wanted
        && plan.overrides.edit.is_none()
        && !situation.foreign()
        && system.additions() == recorded.map(Configuration::additions).unwrap_or_default()
        && system.file() == recorded.and_then(|recorded| recorded.source.file())
}

/// The part of a change that only a verification has.
pub struct VerifiedChange {
    /// The known effects of options; `None` if nothing was learned.
    pub effects: Option<Effects>,
}

/// Activates the system.
pub fn activate(
    session: &Session,
    activator: Activator,
    situation: &Situation,
    plan: &Plan,
    system: &System,
    options: &ChangeOptions,
    verified: Option<VerifiedChange>,
) -> Result<Activated> {
    let verifies = verified.is_some();
    let change = Change {
        effects: verified.and_then(|one| one.effects),
        verifies,
        ..transaction(session, situation, plan, system, options)
    };
    let mut request = request(
        session,
        &plan.purpose,
        ActivatorTask::Change(Box::new(change)),
    );
    if let ActivatorTask::Change(change) = &mut request.task {
        change.generation = generation(plan, options, &request.transaction);
    }
    // A verification in the background may hold the lock for a moment.
    let verifies = situation.state.verification.is_some();
    let wait = options.wait.max(match verifies {
        true => RECORDING,
        false => Duration::ZERO,
    });
    request.wait = whole_milliseconds(wait);
    request.settle = settle(options.settle, situation.baked.as_ref());
    session.interrupts.detach()?;
    activator.activate(&request, &session.reporter)
}

/// Creates the request to record the result of a verification.
pub fn verified_request(session: &Session, verified: Verified, wait: Duration) -> Request {
    let task = ActivatorTask::Verified(Box::new(verified));
    let mut request = request(session, VERIFY_PURPOSE, task);
    request.wait = whole_milliseconds(wait);
    request
}

fn transaction(
    session: &Session,
    situation: &Situation,
    plan: &Plan,
    system: &System,
    options: &ChangeOptions,
) -> Change {
    let baked = situation.baked.as_ref();
    let confirm = options.confirm.or(baked.and_then(|baked| baked.confirm));
    Change {
        revision: situation.state.revision,
        from: plan.from.clone(),
        to: system.toplevel.clone(),
        base: system.base.clone(),
        configuration: system.configuration.clone(),
        wanted: plan.wanted.clone(),
        overrides: plan.overrides.after.clone(),
        generation: None,
        runtime: system.runtime.clone(),
        verification: verification(situation, plan, system),
        effects: None,
        verifies: false,
        force: plan.force,
        allow: plan.allow.clone(),
        on_failed_units: options
            .on_failed_units
            .or(baked.map(|baked| baked.on_failed_units))
            .unwrap_or_default(),
        // Round up to whole seconds, because 0 means that no confirmation is needed.
        confirm: confirm
            .map(|time| time.as_millis().div_ceil(1000) as u64)
            .filter(|seconds| *seconds > 0),
        phases: session.reporter.phases(),
    }
}

/// Returns the verification that a system needs if its toplevel does not contain the overrides.
pub fn verification(situation: &Situation, plan: &Plan, system: &System) -> Option<Verification> {
    let state = &situation.state;
    let known = match &plan.goal {
        Goal::Known(earlier) if !earlier.partial => return None,
        Goal::Known(earlier) => state.verified.get(&earlier.overrides.generation).cloned(),
        Goal::Evaluate { .. } if !system.partial => return None,
        Goal::Evaluate { .. } => system.verified.clone(),
    };
    let result = known.map_or(VerificationResult::Waiting, |toplevel| {
        VerificationResult::Same { toplevel }
    });
    let unverified = state.verification.as_ref();
    let unverified =
        unverified.filter(|one| !matches!(one.result, VerificationResult::Same { .. }));
    let ran = situation.history.iter().rev().find(|entry| entry.ran());
    Some(Verification {
        generation: plan.overrides.after.generation,
        result,
        verified_state: unverified.map_or_else(
            || ran.map_or(0, |entry| entry.revision),
            |one| one.verified_state,
        ),
    })
}

/// Returns the new generation of option overrides if the plan has an edit to record.
fn generation(plan: &Plan, options: &ChangeOptions, transaction: &str) -> Option<Generation> {
    let edit = plan.overrides.edit.clone()?;
    let user = User::from_uid(getuid()).ok().flatten();
    Some(Generation {
        number: plan.overrides.after.generation,
        time: now(),
        user: user.map_or_else(|| getuid().to_string(), |user| user.name),
        message: options.message.clone(),
        transaction: transaction.into(),
        edit,
    })
}
