//! `enable`, `disable`, `reset`, `apply`, `rebuild`: plan, evaluate, realise, activate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::Session;
use super::report::{Change, Report};
use crate::activation::{Activator, Request as ActivationRequest};
use crate::cache::Estimate;
use crate::cli::Run;
use crate::error::Failure;
use crate::evaluation::{
    Derivation, Evaluated, FlakeSource, ModuleRequest, Request, Target, Waiting, evaluate,
    lock_inputs, pin, start,
};
use crate::libnix::{Event, Libnix};
use crate::plan::{Decision, Goal, Plan, Situation, Source, Wish, decide, pinned};
use crate::realise::{query, realise};
use crate::record::Pin;
use crate::timings::Phase;

/// libnix's verbosity at which it says which files it evaluates.
const TALKATIVE: u8 = 4;

/// Carries out a wish.
pub fn run(session: &Session, wish: &Wish, run: &Run) -> Result<()> {
    let mut situation = Situation::read(&session.locations)?;
    // A first plan finds mistakes before a password is asked for.
    let mut plan = match decide(wish, &situation, &session.global, run.force, &session.here)? {
        Decision::Nothing(why) => return Report::nothing(wish, &situation, why).print(session),
        Decision::Do(plan) => plan,
    };
    for note in &plan.notes {
        session.reporter.note(note.clone());
    }
    if session.global.impure {
        session.reporter.note("evaluation is impure: it may see the environment, the time and files outside the flake");
    }
    let activator = match run.dry_run {
        true => None,
        false => Some(activator(session)?),
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

    // Two processes load libnix at the same time.
    let evaluator = match plan.goal {
        Goal::Evaluate { .. } => Some(start(session.memory())?),
        Goal::Known(_) => None,
    };
    let reporter = session.reporter.clone();
    let libnix = Libnix::open(session.settings(false, 1), move |event: Event| {
        reporter.libnix(event)
    })?;
    let goal = reach(session, &libnix, evaluator, &situation, &plan, run)?;
    let mut report = Report::new(wish, &plan, &goal);

    if let Some(activator) = activator {
        if plan.from.as_ref() == Some(&goal.toplevel)
            && !plan.force
            && plan.wanted == situation.state.wanted
        {
            report.change = Change::Same;
        } else {
            let request = request(session, &situation, &plan, &goal);
            drop(libnix);
            session.interrupts.detach();
            let activated = activator.activate(&request, &session.reporter)?;
            report.activated(activated);
        }
    }
    report.print(session)
}

fn activator(session: &Session) -> Result<Activator> {
    if session.global.activator_on_stdin {
        Activator::on_stdin()
    } else {
        Activator::start(session.global.elevate, &session.locations)
    }
}

/// What is to run, found or made.
pub struct Reached {
    /// The toplevel.
    pub toplevel: String,
    /// Its derivation; none where it was known.
    pub drv: Option<String>,
    /// The toplevel without any runtime module.
    pub base: Option<String>,
    /// The source.
    pub pin: Option<Pin>,
    /// What the evaluation gave, if there was one.
    pub evaluated: Option<Evaluated>,
    /// What was or would be built and fetched.
    pub missing: crate::libnix::Missing,
}

/// Evaluates and realises what is to run; in a dry run it is only asked what realising would take.
fn reach(
    session: &Session,
    libnix: &Libnix,
    evaluator: Option<Waiting>,
    situation: &Situation,
    plan: &Plan,
    run: &Run,
) -> Result<Reached> {
    let (source, modules, evaluator) = match (&plan.goal, evaluator) {
        (Goal::Known(toplevel), _) => return known(libnix, situation, plan, toplevel),
        (Goal::Evaluate { source, modules }, Some(evaluator)) => (source, modules, evaluator),
        (Goal::Evaluate { .. }, None) => {
            unreachable!("an evaluator is started for every such goal")
        }
    };
    let pin = locked(session, libnix, situation, source)?;
    let target = if plan.base.is_none() && !run.dry_run {
        Target::ToplevelAndBase
    } else {
        Target::Toplevel
    };
    let evaluation = evaluate(
        evaluator,
        &evaluation_request(session, &pin, modules, target, run),
        &session.interrupts,
        &session.reporter,
    )?;
    remember(session, &pin.host);
    let found = &evaluation.evaluated;
    let mut derivations: Vec<Derivation> = found.toplevel.iter().cloned().collect();
    // On a machine that runs nothing yet, the base is to be there for `reset`.
    if plan.from.is_none() {
        derivations.extend(found.base.iter().cloned());
    }
    for derivation in &derivations {
        libnix.store.add_temp_root(&derivation.drv)?;
    }
    // Its results are kept by us from here on. Its memory goes back to the machine while the store is asked, and before
    // anything is built.
    evaluation.let_go();
    let missing = query(libnix, &derivations, &session.reporter)?;
    let evaluated = evaluation.release()?;
    session.interrupts.check()?;
    let missing = match run.dry_run {
        true => missing,
        false => {
            realise(
                libnix,
                &derivations,
                missing,
                &session.interrupts,
                &session.reporter,
            )?
            .missing
        }
    };
    let toplevel = evaluated.toplevel.clone().unwrap_or_default();
    if let (Some(base), Some(running)) = (&evaluated.base, &situation.running)
        && situation.active().is_empty()
        && base.out != *running
    {
        session.reporter.note(format!(
            "the system that runs is not what host '{}' of this source gives without any module ({})",
            pin.host, base.out
        ));
    }
    Ok(Reached {
        toplevel: toplevel.out,
        drv: Some(toplevel.drv),
        base: plan.base.clone().or_else(|| match &plan.from {
            Some(running) if !moved(plan) => Some(running.clone()),
            _ => evaluated.base.as_ref().map(|base| base.out.clone()),
        }),
        pin: Some(pin),
        evaluated: Some(evaluated),
        missing,
    })
}

/// Whether the source is another one than before: then its own base is the base.
fn moved(plan: &Plan) -> bool {
    plan.base.is_none()
}

fn known(libnix: &Libnix, situation: &Situation, plan: &Plan, toplevel: &str) -> Result<Reached> {
    if !libnix.store.is_valid(toplevel)? {
        return Err(Failure::Refused
            .error(format!(
                "{}: the system without any module, {toplevel}, is no longer in the store",
                plan.purpose
            ))
            .hint("`runtime-module apply` evaluates and builds it again")
            .into());
    }
    Ok(Reached {
        toplevel: toplevel.to_string(),
        drv: None,
        base: Some(toplevel.to_string()),
        pin: pinned(situation),
        evaluated: None,
        missing: crate::libnix::Missing::default(),
    })
}

/// The source as a pin: the one there is, or a reference that is locked now.
fn locked(
    session: &Session,
    libnix: &Libnix,
    situation: &Situation,
    source: &Source,
) -> Result<Pin> {
    let (reference, base, overrides, host) = match source {
        Source::Pinned(pin) => return Ok((**pin).clone()),
        Source::Reference {
            reference,
            base,
            overrides,
            host,
        } => (reference, base, overrides, host),
    };
    let guard = session.interrupts.on_interrupt(|| {
        let _ = crate::libnix::interrupt();
    });
    let locked = session.reporter.phase(Phase::Lock, || {
        pin(libnix, reference, base, overrides, host)
    });
    drop(guard);
    session.interrupts.check()?;
    let (pin, locked) = locked?;
    let before = pinned(situation);
    if before
        .as_ref()
        .is_none_or(|before| before.locked != pin.locked || before.host != pin.host)
    {
        session.reporter.note(format!(
            "pinned {} of {}{}",
            pin.host,
            pin.url,
            pin.rev.as_ref().map_or_else(String::new, |rev| format!(
                " at {}",
                rev.chars().take(12).collect::<String>()
            ))
        ));
        for (input, revision) in lock_inputs(&locked.lock) {
            session.reporter.note(format!("  {input} at {revision}"));
        }
    }
    Ok(pin)
}

fn evaluation_request(
    session: &Session,
    pin: &Pin,
    modules: &[ModuleRequest],
    target: Target,
    run: &Run,
) -> Request {
    if let Some(estimate) = Estimate::read(&session.locations, &pin.host) {
        session.reporter.estimate(estimate);
    }
    Request {
        settings: session.settings(!run.dry_run || run.allow_ifd, TALKATIVE),
        flake: FlakeSource {
            reference: pin.locked.clone(),
            base_directory: session.here.clone(),
            overrides: pin.overrides.clone(),
            extra: pin.extra.clone(),
        },
        host: pin.host.clone(),
        modules: modules.to_vec(),
        target,
    }
}

/// Remembers how the evaluation went, for the next one's bar.
fn remember(session: &Session, host: &str) {
    let files = session.reporter.files();
    if let Some(total) = session.reporter.phases().get(Phase::Evaluate)
        && !files.is_empty()
    {
        Estimate::observe(&files, Duration::from_secs_f64(total / 1e3))
            .write(&session.locations, host);
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
        settings: session.settings(false, 1),
        root: session.locations.root().to_path_buf(),
        transaction: format!("{now}-{}", std::process::id()),
        purpose: plan.purpose.clone(),
        revision: situation.state.revision,
        from: plan.from.clone(),
        to: goal.toplevel.clone(),
        base: goal.base.clone(),
        pin: goal.pin.clone(),
        wanted: plan.wanted.clone(),
        phases: session.reporter.phases(),
    }
}
