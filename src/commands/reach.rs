//! What is to run, found or made: evaluates and realises, or in a dry run only asks what realising would take.

use std::time::Duration;

use anyhow::Result;

use super::Session;
use crate::cache::Estimate;
use crate::cli::Run;
use crate::error::Failure;
use crate::evaluation::{
    Derivation, Evaluated, FlakeSource, ModuleRequest, Request, Target, evaluate, lock_inputs, pin,
};
use crate::libnix::{Libnix, Missing, interrupt};
use crate::plan::{Goal, Plan, Situation, Source, pinned};
use crate::realise::{query, realise};
use crate::record::Pin;
use crate::timings::Phase;

/// libnix's verbosity at which it says which files it evaluates.
const TALKATIVE: u8 = 4;

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
    pub missing: Missing,
}

/// Evaluates and realises what is to run; in a dry run it is only asked what realising would take.
pub fn reach(
    session: &Session,
    libnix: &Libnix,
    situation: &Situation,
    plan: &Plan,
    run: &Run,
) -> Result<Reached> {
    let (source, modules) = match &plan.goal {
        Goal::Known(toplevel) => return known(libnix, situation, plan, toplevel),
        Goal::Evaluate { source, modules } => (source, modules),
    };
    let pin = locked(session, libnix, situation, source)?;
    let target = if plan.base.is_none() && !run.dry_run {
        Target::ToplevelAndBase
    } else {
        Target::Toplevel
    };
    let evaluation = evaluate(
        &evaluation_request(session, &pin, modules, target, run),
        session.memory(),
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
    // Its results are kept by us from here on; its memory goes back to the machine before anything is built.
    let evaluated = evaluation.release()?;
    let missing = query(libnix, &derivations, &session.reporter)?;
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
        missing: Missing::default(),
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
        let _ = interrupt();
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
