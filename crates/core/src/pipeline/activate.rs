//! The last stage: asks the activator to activate a system and to record the result.

use anyhow::Result;
use unix::unistd::{User, getuid};

use super::ask::ask;
use super::elevation::{request, settle, whole_milliseconds};
use super::system::System;
use crate::activation::{Activated, Activator, ActivatorTask, Change};
use crate::clock::now;
use crate::host::Situation;
use crate::options::ChangeOptions;
use crate::overrides::Generation;
use crate::plan::Plan;
use crate::record::Configuration;
use crate::session::Session;

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

/// Activates the system. With `--ask`, asks the user first.
pub fn activate(
    session: &Session,
    activator: Activator,
    situation: &Situation,
    plan: &Plan,
    system: &System,
    options: &ChangeOptions,
) -> Result<Activated> {
    let change = transaction(session, situation, plan, system, options);
    let mut request = request(
        session,
        &plan.purpose,
        ActivatorTask::Change(Box::new(change)),
    );
    if let ActivatorTask::Change(change) = &mut request.task {
        change.generation = generation(plan, options, &request.transaction);
    }
    request.wait = whole_milliseconds(options.wait);
    request.settle = settle(options.settle, situation.baked.as_ref());
    if options.ask {
        let from = plan.from.as_deref();
        ask(
            session,
            &plan.purpose,
            system.store.as_ref(),
            from,
            &system.toplevel,
        )?;
    }
    session.interrupts.detach()?;
    activator.activate(&request, &session.reporter)
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
