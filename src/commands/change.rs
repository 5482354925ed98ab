//! `enable`, `disable`, `reset`, `apply`, `rebuild`: plan, evaluate, realise, activate.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::Session;
use super::reach::{Reached, reach};
use super::report::{Change, Report};
use crate::activation::{Activator, Request as ActivationRequest};
use crate::cli::Run;
use crate::fault::{self, Point};
use crate::plan::{Decision, Plan, Situation, Wish, decide};

/// Carries out a wish.
pub fn run(session: &Session, wish: &Wish, run: &Run) -> Result<()> {
    let mut situation = Situation::read(&session.locations)?;
    // A first plan finds mistakes before a password is asked for.
    let decided = fault::step(Point::Plan, || {
        decide(wish, &situation, &session.global, run.force, &session.here)
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
            // Ctrl-C at the password's prompt ends the program that asked, too.
            session.interrupts.check()?;
            Some(activator?)
        }
    };
    // While a password was typed the machine may have changed.
    if activator.is_some() {
        let now = Situation::read(&session.locations)?;
        if now.state != situation.state || now.running != situation.running {
            situation = now;
            plan = match decide(wish, &situation, &session.global, run.force, &session.here)? {
                Decision::Nothing(why) => {
                    return Report::nothing(wish, &situation, why).print(session);
                }
                Decision::Do(plan) => plan,
            };
        }
    }

    let goal = reach(session, &situation, &plan, run)?;
    let mut report = Report::new(wish, &plan, &goal);

    if let Some(activator) = activator {
        if plan.from.as_ref() == Some(&goal.toplevel)
            && !plan.force
            && plan.wanted == situation.state.wanted
        {
            report.change = Change::Same;
        } else {
            let request = request(session, &situation, &plan, &goal);
            session.interrupts.detach()?;
            let activated = activator.activate(&request, &session.reporter)?;
            report.activated(activated);
        }
    }
    let printed = fault::step(Point::Report, || report.print(session));
    if !run.dry_run {
        goal.remember(situation.running.as_deref());
    }
    printed
}

fn activator(session: &Session) -> Result<Activator> {
    if session.global.activator_on_stdin {
        Activator::on_stdin()
    } else {
        Activator::start(session.global.elevate, &session.locations)
    }
}

fn request(
    session: &Session,
    situation: &Situation,
    plan: &Plan,
    goal: &Reached,
) -> ActivationRequest {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    ActivationRequest {
        store: session.global.store.clone(),
        root: session.locations.root().to_path_buf(),
        transaction: format!("{now}-{}", std::process::id()),
        purpose: plan.purpose.clone(),
        revision: situation.state.revision,
        from: plan.from.clone(),
        to: goal.toplevel.clone(),
        base: goal.base.clone(),
        pin: goal.pin.clone(),
        wanted: plan.wanted.clone(),
        force: plan.force,
        phases: session.reporter.phases(),
        fault: session.environment.fault.clone(),
    }
}
