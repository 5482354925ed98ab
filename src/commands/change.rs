//! `enable`, `disable`, `reset`, `apply`, `rebuild`, `rollback N`: plan, evaluate, realise, activate.

use anyhow::Result;

use super::ask::{ask, terminal};
use super::reach::{Reached, reach};
use super::report::{self, Report};
use super::request::{activator, patiently, request, settle};
use super::{Session, prefetch};
use crate::activation::{Change, Errand, unended};
use crate::cli::Run;
use crate::error::Failed;
use crate::fault::{self, Point};
use crate::plan::{Decision, Plan, Situation, Wish, decide};
use crate::record::Pin;

/// Carries out a request.
pub fn run(session: &Session, wish: &Wish, run: &Run) -> Result<()> {
    let changed = carry_out(session, wish, run);
    if changed.is_ok() {
        prefetch::afterwards(session, &run.prefetch);
    }
    changed
}

fn carry_out(session: &Session, wish: &Wish, run: &Run) -> Result<()> {
    if run.ask {
        terminal()?;
    }
    patiently(session, run.patience);
    let mut situation = Situation::read(&session.locations)?;
    prefetch::check_names(session, &situation, &run.prefetch)?;
    let unended = ended(&situation, wish);
    if !run.dry_run {
        unended.clone()?;
    }
    // The first plan finds mistakes before a password prompt.
    let decided = fault::step(Point::Plan, || {
        decide(wish, &situation, &session.global, run, &session.here)
    })?;
    let mut plan = match decided {
        Decision::Nothing(why) => return Report::nothing(wish, &situation, why).print(session),
        Decision::Do(plan) => plan,
    };
    for note in &plan.notes {
        session.reporter.note(note.clone());
    }
    let activator = match run.dry_run {
        true => None,
        false => {
            let activator = fault::step(Point::Elevate, || activator(session));
            // Ctrl-C at the password prompt also ends the program that asks.
            session.interrupts.check()?;
            Some(activator?)
        }
    };
    // The machine may have changed while the user typed a password.
    if activator.is_some() {
        let now = Situation::read(&session.locations)?;
        if now.state != situation.state || now.running != situation.running {
            situation = now;
            plan = match decide(wish, &situation, &session.global, run, &session.here)? {
                Decision::Nothing(why) => {
                    return Report::nothing(wish, &situation, why).print(session);
                }
                Decision::Do(plan) => plan,
            };
        }
    }

    let goal = reach(session, &situation, &plan, run)?;
    let mut report = Report::new(wish, &plan, &goal);
    if let Err(refusal) = unended {
        report.refused(refusal);
    }

    if let Some(activator) = activator {
        if plan.from.as_ref() == Some(&goal.toplevel)
            && !plan.force
            && plan.wanted == situation.state.wanted
            && !situation.foreign()
            && goal.beside()
                == situation
                    .state
                    .pin
                    .as_ref()
                    .map(Pin::beside)
                    .unwrap_or_default()
            && goal.file()
                == situation
                    .state
                    .pin
                    .as_ref()
                    .and_then(|pin| pin.file.as_ref())
        {
            report.change = report::Change::Same;
        } else {
            let change = change(session, &situation, &plan, &goal, run);
            let mut request = request(session, &plan.purpose, Errand::Change(Box::new(change)));
            request.wait = report::whole_milliseconds(run.patience.wait);
            request.settle = settle(run.settle, situation.baked.as_ref());
            if run.ask {
                let from = plan.from.as_deref();
                ask(session, &plan.purpose, goal.store(), from, &goal.toplevel)?;
            }
            session.interrupts.detach()?;
            let activated = activator.activate(&request, &session.reporter)?;
            report.activated(activated);
            if run.confirm.is_some_and(|time| time.is_zero()) {
                report.unlimited();
            }
        }
    }
    let printed = fault::step(Point::Report, || report.print(session));
    if !run.dry_run {
        goal.remember(situation.running.as_deref());
    }
    printed
}

/// Fails if an earlier change has begun but not ended, before any work. A dry run only reports
/// this. The activator checks whether a change is running.
fn ended(situation: &Situation, wish: &Wish) -> Result<(), Failed> {
    let pending = situation.state.unended(situation.running.as_deref());
    match pending.filter(|_| situation.under_way.is_none()) {
        Some(pending) => Err(unended(&wish.words(), pending)),
        None => Ok(()),
    }
}

fn change(
    session: &Session,
    situation: &Situation,
    plan: &Plan,
    goal: &Reached,
    run: &Run,
) -> Change {
    let baked = situation.baked.as_ref();
    let confirm = run.confirm.or(baked.and_then(|baked| baked.confirm));
    Change {
        revision: situation.state.revision,
        from: plan.from.clone(),
        to: goal.toplevel.clone(),
        base: goal.base.clone(),
        pin: goal.pin.clone(),
        wanted: plan.wanted.clone(),
        force: plan.force,
        allow: run.allow.clone(),
        on_failed_units: run
            .on_failed_units
            .or(baked.map(|baked| baked.on_failed_units))
            .unwrap_or_default(),
        // Round up to whole seconds, because 0 would mean never.
        confirm: confirm
            .map(|time| time.as_millis().div_ceil(1000) as u64)
            .filter(|seconds| *seconds > 0),
        phases: session.reporter.phases(),
    }
}
