//! What is to run, found or made: evaluates and realises, or in a dry run only asks what realising would take.

use std::time::Duration;

use anyhow::Result;

use super::Session;
use crate::cache::Estimate;
use crate::cli::Run;
use crate::error::Failure;
use crate::evaluation::{
    Derivation, Evaluated, FlakeSource, ModuleRequest, Request, Target, ToPin, Waiting, evaluate,
    lock_inputs, pin, start,
};
use crate::fault::{self, Point};
use crate::libnix::{Event, Libnix, Missing, interrupt};
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
    /// Keeps it all from the collector while it lives: until the activator has rooted it.
    _keeper: Libnix,
}

/// Evaluates and realises what is to run; in a dry run it is only asked what realising would take.
pub fn reach(session: &Session, situation: &Situation, plan: &Plan, run: &Run) -> Result<Reached> {
    match &plan.goal {
        Goal::Known(toplevel) => known(open(session)?, situation, plan, toplevel),
        Goal::Evaluate { source, modules } => {
            // Two processes load libnix at the same time.
            let evaluator = start(session.memory())?;
            let work = Work {
                session,
                libnix: open(session)?,
                situation,
                plan,
                run,
            };
            work.make(evaluator, source, modules)
        }
    }
}

fn open(session: &Session) -> Result<Libnix> {
    let reporter = session.reporter.clone();
    Libnix::open(session.settings(false, 1), move |event: Event| {
        reporter.libnix(event);
    })
}

/// What making a system works with.
struct Work<'a> {
    session: &'a Session,
    libnix: Libnix,
    situation: &'a Situation,
    plan: &'a Plan,
    run: &'a Run,
}

impl Work<'_> {
    fn make(
        self,
        evaluator: Waiting,
        source: &Source,
        modules: &[ModuleRequest],
    ) -> Result<Reached> {
        let Self { session, plan, .. } = self;
        let mut pin = locked(session, &self.libnix, self.situation, source)?;
        // Where a pin is made or moved, what the source gives without any module is compared with what runs, or is the base.
        let with_base = matches!(source, Source::Reference { .. }) || plan.base.is_none();
        let target = if with_base && !self.run.dry_run {
            Target::ToplevelAndBase
        } else {
            Target::Toplevel
        };
        if session.global.impure {
            session.reporter.note(
                "impure: evaluation sees the environment, the time and files outside the flake",
            );
        }
        let request = evaluation_request(session, &pin, modules, target, self.run);
        let evaluation = fault::step(Point::Evaluate, || {
            evaluate(evaluator, &request, &session.interrupts, &session.reporter)
        })?;
        remember(session, &pin.host);
        let derivations = self.derivations(&evaluation.evaluated);
        for derivation in &derivations {
            self.libnix.store.add_temp_root(&derivation.drv)?;
        }
        // What no lock held is held by the pin from now on.
        pin.inputs.clone_from(&evaluation.evaluated.inputs);
        for source in pin.sources() {
            self.libnix.store.add_temp_root(source)?;
        }
        // Its results are kept by us from here on. Its memory goes back to the machine while the store is asked, and
        // before anything is built.
        evaluation.let_go();
        let missing = fault::step(Point::Query, || {
            query(&self.libnix, &derivations, &session.reporter)
        })?;
        let evaluated = evaluation.release()?;
        session.interrupts.check()?;
        let missing = fault::step(Point::Realise, || self.realise(&derivations, missing))?;
        self.compare(&evaluated, &pin);
        let toplevel = evaluated.toplevel.clone().unwrap_or_default();
        let own_base = evaluated.base.as_ref().map(|base| base.out.clone());
        Ok(Reached {
            toplevel: toplevel.out,
            drv: Some(toplevel.drv),
            base: plan.base.clone().or(own_base),
            pin: Some(pin),
            evaluated: Some(evaluated),
            missing,
            _keeper: self.libnix,
        })
    }

    /// What is to be built: the toplevel, and its base where that is none that runs already: `reset` must find it.
    fn derivations(&self, evaluated: &Evaluated) -> Vec<Derivation> {
        let base = evaluated.base.iter().filter(|_| self.plan.base.is_none());
        evaluated.toplevel.iter().chain(base).cloned().collect()
    }

    fn realise(&self, derivations: &[Derivation], missing: Missing) -> Result<Missing> {
        if self.run.dry_run {
            return Ok(missing);
        }
        let session = self.session;
        let realised = realise(
            &self.libnix,
            derivations,
            missing,
            &session.interrupts,
            &session.reporter,
        )?;
        Ok(realised.missing)
    }

    /// Says so where the source is not the one of the system that runs.
    fn compare(&self, evaluated: &Evaluated, pin: &Pin) {
        if let (Some(base), Some(running)) = (&evaluated.base, &self.plan.base)
            && base.out != *running
        {
            self.session.reporter.note(format!(
                "the system that runs without any module is not what host '{}' of this source gives ({})",
                pin.host, base.out
            ));
        }
    }
}

fn known(libnix: Libnix, situation: &Situation, plan: &Plan, toplevel: &str) -> Result<Reached> {
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
        _keeper: libnix,
    })
}

/// The source as a pin: the one there is, or a reference that is locked now.
fn locked(
    session: &Session,
    libnix: &Libnix,
    situation: &Situation,
    source: &Source,
) -> Result<Pin> {
    let (reference, base, overrides, host, of) = match source {
        Source::Pinned(pin) => return Ok((**pin).clone()),
        Source::Reference {
            reference,
            base,
            overrides,
            host,
            of,
        } => (reference, base, overrides, host, of),
    };
    let to_pin = ToPin {
        reference,
        shown: of.as_ref().map_or(reference, |of| &of.url),
        base,
        overrides,
        host,
        of: of.as_deref(),
    };
    let guard = session.interrupts.on_interrupt(|| {
        let _ = interrupt();
    });
    let locked = session.reporter.phase(Phase::Lock, || {
        fault::step(Point::Lock, || pin(libnix, &to_pin))
    });
    drop(guard);
    session.interrupts.check()?;
    let (pin, locked) = locked?;
    libnix.store.add_temp_root(&pin.source)?;
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
            url: pin.url.clone(),
            reference: pin.locked.clone(),
            base_directory: session.here.clone(),
            overrides: pin.replaced(),
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
