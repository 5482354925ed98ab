//! What is to run, found or made: evaluates and realises, or in a dry run only asks what realising would take.

use std::cell::OnceCell;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::base_check::{BaseCheck, BaseReport};
use super::recall::{Found, Recall, Recalled};
use super::{Session, extras, foreign_module, moved};
use crate::activation::{Findings, Machine, Profile, compare, examine, space};
use crate::cache::Estimate;
use crate::choice::Allow;
use crate::cli::Run;
use crate::error::Failure;
use crate::evaluation::{
    Derivation, Evaluated, ExtraRequest, FlakeSource, ModuleRequest, Opened, REMOTE_BUILDERS,
    Request, Target, ToPin, evaluate, pin,
};
use crate::fault::{self, Point};
use crate::libnix::{Event, Libnix, Missing, Store, interruptible};
use crate::plan::{Beside, Goal, Past, Plan, Situation, Source, pinned};
use crate::realise::{BuildOrder, build_order, query, realise};
use crate::record::{ComparedBase, ExtraModule, Pin, SystemFile};
use crate::session::evaluation_settings;
use crate::timings::{Phase, time_of};

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
    /// The builds in the order in which they are shown; only in a dry run.
    pub order: BuildOrder,
    /// What speaks against it; only in a dry run.
    pub preflight: Option<Preflight>,
    /// What the comparison of the base said; none if there was nothing to compare.
    pub comparison: Option<BaseReport>,
    /// The cache's part in it; none where nothing had to be evaluated.
    recall: Option<Recall>,
    /// Keeps it all from the collector while it lives: until the activator has rooted it.
    keeper: Libnix,
}

/// What is known before anything is done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Preflight {
    /// Whether the system is in the store: it was looked at itself, and no build tells more.
    pub built: bool,
    /// What speaks against it, and what will take no effect.
    #[serde(flatten)]
    pub findings: Findings,
}

impl Reached {
    /// The store that it is in.
    pub fn store(&self) -> &Store {
        &self.keeper.store
    }

    /// What it has beside its source.
    pub fn beside(&self) -> (Option<&str>, &[ExtraModule]) {
        self.pin.as_ref().map(Pin::beside).unwrap_or_default()
    }

    /// The file that it was evaluated from, where that is no flake.
    pub fn file(&self) -> Option<&SystemFile> {
        self.pin.as_ref()?.file.as_ref()
    }

    /// Whether it came from the cache.
    pub fn recalled(&self) -> Option<Recalled> {
        self.recall.as_ref().map(Recall::told)
    }

    /// Keeps what was made for the next time. After everything that somebody waits for.
    pub fn remember(&self, running: Option<&str>) {
        if let Some(recall) = &self.recall {
            recall.settle(&self.keeper, &self.toplevel, running);
        }
    }
}

/// Evaluates and realises what is to run; in a dry run it is only asked what realising would take.
pub fn reach(session: &Session, situation: &Situation, plan: &Plan, run: &Run) -> Result<Reached> {
    match &plan.goal {
        Goal::Known(toplevel) => {
            let pin = pinned(situation).map(|pin| Pin {
                extras: Vec::new(),
                ..pin
            });
            let past = Past {
                number: 0,
                toplevel: toplevel.clone(),
                base: Some(toplevel.clone()),
                pin,
                wanted: Vec::new(),
            };
            known(session, plan, run, &past)
        }
        Goal::Past(past) => known(session, plan, run, past),
        Goal::Evaluate {
            source,
            modules,
            beside,
        } => {
            let work = Work {
                session,
                libnix: open(session)?,
                situation,
                plan,
                run,
                check: OnceCell::new(),
            };
            work.make(source, modules, beside)
        }
    }
}

fn open(session: &Session) -> Result<Libnix> {
    let begun = Instant::now();
    let reporter = session.reporter.clone();
    let libnix = Libnix::open(session.settings(false, 1), move |event: Event| {
        reporter.libnix(event);
    });
    session.reporter.opened(begun.elapsed());
    libnix
}

/// What making a system works with.
struct Work<'a> {
    session: &'a Session,
    libnix: Libnix,
    situation: &'a Situation,
    plan: &'a Plan,
    run: &'a Run,
    /// The comparison of the base, once the source is known.
    check: OnceCell<BaseCheck<'a>>,
}

impl Work<'_> {
    fn make(self, source: &Source, modules: &[ModuleRequest], beside: &Beside) -> Result<Reached> {
        let (session, plan) = (self.session, self.plan);
        let mut pin = locked(session, &self.libnix, self.situation, source)?;
        if pin.file.is_none() {
            place(session, &self.libnix, plan, &pin.source, self.run.dry_run)?;
        }
        pin.specialisation.clone_from(&beside.specialisation);
        pin.extras = extras::take_in(session, &self.libnix, beside)?;
        // The base moves with the source.
        let need_base = plan.base.is_none() && !self.run.dry_run;
        if let Some(file) = &pin.file {
            session.reporter.note(as_it_is(file));
        } else if session.global.impure {
            session.reporter.note(
                "impure: evaluation sees the environment, the time and files outside the flake",
            );
        }
        let mut request = evaluation_request(session, &pin, modules, self.run);
        let situation = (plan, self.situation);
        let check = BaseCheck::begin(session, &self.libnix, situation, &pin, &request)?;
        let check = self.check.get_or_init(|| check);
        if need_base {
            request.target = Target::ToplevelAndBase;
        }
        let mut recall = Recall::new(session, &self.libnix, &request, &pin);
        let found = recall.look(&self.libnix, need_base, |evaluated| {
            self.derivations(evaluated)
        })?;
        let (evaluated, missing) = match found {
            Some(found) => self.again(found)?,
            None => self.evaluate(&request, &pin, &mut recall)?,
        };
        // What no lock held is held by the pin from now on.
        pin.inputs.clone_from(&evaluated.inputs);
        for source in pin.sources() {
            self.libnix.store.add_temp_root(source)?;
        }
        foreign_module::note(session, &evaluated);
        self.announce(&evaluated)?;
        let moved = evaluated.base.as_ref().filter(|_| plan.base.is_none());
        let moved = moved.map(|base| ComparedBase {
            toplevel: base.out.clone(),
            evaluated: base.out.clone(),
        });
        pin.compared = check.compared().or(moved).or(pin.compared);
        let comparison = check.report();
        let toplevel = evaluated.toplevel.clone().unwrap_or_default();
        let own_base = evaluated.base.as_ref().map(|base| base.out.clone());
        let dry_run = self.run.dry_run;
        let preflight = dry_run.then(|| self.preflight(&toplevel.out, &evaluated, &missing));
        let order = match dry_run {
            true => build_order(&self.libnix.store, &toplevel.drv, &missing.build),
            false => BuildOrder::default(),
        };
        Ok(Reached {
            toplevel: toplevel.out,
            drv: Some(toplevel.drv),
            base: plan.base.clone().or(own_base),
            pin: Some(pin),
            preflight,
            comparison,
            evaluated: Some(evaluated),
            missing,
            order,
            recall: Some(recall),
            keeper: self.libnix,
        })
    }

    /// Evaluates and realises.
    fn evaluate(
        &self,
        request: &Request,
        pin: &Pin,
        recall: &mut Recall,
    ) -> Result<(Evaluated, Missing)> {
        let session = self.session;
        let evaluator = session.evaluator(&request.settings)?;
        if let Some(estimate) = Estimate::read(&session.locations, &pin.host) {
            session.reporter.estimate(estimate);
        }
        let evaluation = fault::step(Point::Evaluate, || {
            evaluate(evaluator, request, &session.interrupts, &session.reporter)
        });
        let evaluation = evaluation.map_err(|error| {
            moved::gone(&self.libnix.store, &self.plan.purpose, pin).unwrap_or(error)
        })?;
        remember(session, &pin.host);
        let derivations = self.derivations(&evaluation.evaluated);
        for derivation in &derivations {
            self.libnix.store.add_temp_root(&derivation.drv)?;
        }
        // Of a file nothing was in the store until now.
        if let Some(first) = derivations.first().filter(|_| pin.file.is_some()) {
            place(
                session,
                &self.libnix,
                self.plan,
                &first.drv,
                self.run.dry_run,
            )?;
        }
        for input in &evaluation.evaluated.inputs {
            self.libnix.store.add_temp_root(&input.source)?;
        }
        // Its results are kept by us from here on. Its memory goes back to the machine while the store is asked, and
        // before anything is built.
        evaluation.let_go();
        let took = session.reporter.phases().get(Phase::Evaluate);
        recall.keep(request, pin, &evaluation.evaluated, took.unwrap_or(0.0));
        let missing = fault::step(Point::Query, || {
            query(&self.libnix, &derivations, &session.reporter)
        })?;
        let evaluated = evaluation.release()?;
        session.interrupts.check()?;
        self.agree()?;
        self.pass(&evaluated, &missing)?;
        let missing = fault::step(Point::Realise, || self.realise(&derivations, missing))?;
        Ok((evaluated, missing))
    }

    /// What an evaluation gave before, realised again where it is no longer.
    fn again(&self, found: Found) -> Result<(Evaluated, Missing)> {
        let session = self.session;
        session.reporter.warnings(&found.evaluated.warnings);
        let missing = match found.realised {
            true => Missing::default(),
            false => query(&self.libnix, &found.targets, &session.reporter)?,
        };
        session.interrupts.check()?;
        self.agree()?;
        if !found.realised {
            self.pass(&found.evaluated, &missing)?;
        }
        let missing = self.realise(&found.targets, missing)?;
        Ok((found.evaluated, missing))
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

    /// Refuses before anything is fetched or built: what cannot be activated need not be. What is allowed is said.
    fn pass(&self, evaluated: &Evaluated, missing: &Missing) -> Result<()> {
        if self.run.dry_run {
            return Ok(());
        }
        let findings = self.object(evaluated, missing);
        let passed = findings.pass(&self.run.allow)?;
        for (objection, text) in findings.objections.iter().zip(passed) {
            // The rest the activator finds as well, and says it then.
            if objection.allow == Some(Allow::Space) {
                self.session.reporter.note(text);
            }
        }
        Ok(())
    }

    /// What a dry run tells: of the system itself where it is in the store, else of what was evaluated.
    fn preflight(&self, toplevel: &str, evaluated: &Evaluated, missing: &Missing) -> Preflight {
        let store = &self.libnix.store;
        match examined(self.session, store, &self.plan.purpose, toplevel) {
            Some(mut findings) => {
                self.room(evaluated, missing, &mut findings);
                self.object_to_base(&mut findings);
                Preflight {
                    built: true,
                    findings,
                }
            }
            None => {
                let mut findings = self.object(evaluated, missing);
                self.object_to_base(&mut findings);
                Preflight {
                    built: false,
                    findings,
                }
            }
        }
    }

    /// What speaks against activating it.
    fn object(&self, evaluated: &Evaluated, missing: &Missing) -> Findings {
        let to = Profile::expected(&evaluated.facts);
        let mut findings = compare(&self.plan.purpose, &to, &machine(self.session));
        self.room(evaluated, missing, &mut findings);
        findings
    }

    /// Whether what is to be fetched fits into the store.
    fn room(&self, evaluated: &Evaluated, missing: &Missing, findings: &mut Findings) {
        let toplevel = evaluated.toplevel.as_ref();
        let place = toplevel.and_then(|toplevel| self.libnix.store.real_path(&toplevel.out).ok());
        if let Some(store) = place.as_deref().and_then(Path::parent) {
            space(&self.plan.purpose, store, missing.unpacked_bytes, findings);
        }
    }

    /// Refuses a change of the base that nobody asked for. An allowed one is told.
    fn agree(&self) -> Result<()> {
        let Some(check) = self.check.get() else {
            return Ok(());
        };
        check.finish()?;
        if self.run.dry_run {
            return Ok(());
        }
        let mut findings = Findings::default();
        self.object_to_base(&mut findings);
        let passed = findings.pass(&self.run.allow)?;
        let details = findings.objections.iter();
        let details = details.flat_map(|objection| objection.refusal.details.clone());
        for line in passed.into_iter().chain(details) {
            self.session.reporter.note(line);
        }
        Ok(())
    }

    /// Adds whether the source gives another base.
    fn object_to_base(&self, findings: &mut Findings) {
        let refusal = self
            .check
            .get()
            .and_then(|check| check.refusal(&self.libnix));
        if let Some((allow, refusal)) = refusal {
            findings.object(Some(allow), refusal);
        }
    }

    /// Says what the base becomes when the source moves.
    fn announce(&self, evaluated: &Evaluated) -> Result<()> {
        let before = self.situation.base();
        if let (None, Some(before), Some(base)) = (&self.plan.base, before, &evaluated.base) {
            moved::announce_base(self.session, &self.libnix, &before, base)?;
        }
        Ok(())
    }
}

/// The machine as it is.
fn machine(session: &Session) -> Machine {
    let running = std::fs::canonicalize(session.locations.current_system()).ok();
    Machine::look(&session.locations, running.as_deref())
}

/// What speaks against a system that is in this machine's store; none where it is not.
fn examined(session: &Session, store: &Store, purpose: &str, toplevel: &str) -> Option<Findings> {
    if !store.is_valid(toplevel).unwrap_or(false) {
        return None;
    }
    let place = store.real_path(toplevel).ok()?;
    place
        .exists()
        .then(|| examine(purpose, &place, &machine(session)))
}

fn known(session: &Session, plan: &Plan, run: &Run, past: &Past) -> Result<Reached> {
    let libnix = open(session)?;
    let toplevel = &past.toplevel;
    if !libnix.store.is_valid(toplevel)? {
        return Err(Failure::Refused
            .error(format!(
                "{}: its system, {toplevel}, is no longer in the store",
                plan.purpose
            ))
            .hint("`runtime-module apply` evaluates and builds what is wanted again")
            .into());
    }
    let preflight = run.dry_run.then(|| {
        let findings = examined(session, &libnix.store, &plan.purpose, toplevel);
        Preflight {
            built: findings.is_some(),
            findings: findings.unwrap_or_default(),
        }
    });
    Ok(Reached {
        toplevel: toplevel.clone(),
        drv: None,
        base: past.base.clone(),
        pin: past.pin.clone(),
        evaluated: None,
        missing: Missing::default(),
        order: BuildOrder::default(),
        preflight,
        comparison: None,
        recall: None,
        keeper: libnix,
    })
}

/// Refuses a store whose paths are elsewhere than their names say: a system is full of such names, and evaluation reads
/// files. And one that keeps its roots on another machine: what runs here must not be collected there.
/// `path` is one that is in the store.
fn place(session: &Session, libnix: &Libnix, plan: &Plan, path: &str, dry_run: bool) -> Result<()> {
    let refused = |why: String, hint: &str| {
        let failed = Failure::Refused.error(format!("{}: {why}", plan.purpose));
        Err(failed.hint(hint).into())
    };
    let store = session.global.store.as_deref().unwrap_or_default();
    // A path that is none of the store's has another store's folder before its name.
    let Ok(real) = libnix.store.real_path(path) else {
        return refused(
            format!("the pinned source {path} is in another store than {store}"),
            "without --store it is the one that what runs is in; `rebuild --flake REF --store URL` pins REF in that one",
        );
    };
    let here = Path::new(path).exists() || !libnix.store.is_valid(path)?;
    if !here && !real.exists() {
        return refused(
            format!(
                "the store {store} is another machine's, and what is in it cannot be evaluated here"
            ),
            REMOTE_BUILDERS,
        );
    }
    if dry_run {
        return Ok(());
    }
    if store.starts_with("ssh") {
        return refused(
            format!(
                "what is in the store {store} is kept over there, and cannot be activated here; --dry-run works"
            ),
            REMOTE_BUILDERS,
        );
    }
    if here {
        return Ok(());
    }
    let folder = real.parent().unwrap_or(&real).display();
    refused(
        format!(
            "a system in the store at {folder} cannot be activated: it would look for its parts elsewhere"
        ),
        "--dry-run works with it; without --store it is this machine's own",
    )
}

/// The source as a pin: the one there is, or a reference that is locked now.
fn locked(
    session: &Session,
    libnix: &Libnix,
    situation: &Situation,
    source: &Source,
) -> Result<Pin> {
    let (reference, base, overrides, host, of) = match source {
        Source::Pinned(pin) => {
            if session.global.accept_flake_config {
                accept(session, libnix, pin)?;
            }
            return Ok((**pin).clone());
        }
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
    let (pin, locked) = interruptible(&session.interrupts, || {
        session.reporter.phase(Phase::Lock, || {
            fault::step(Point::Lock, || pin(libnix, &to_pin))
        })
    })??;
    libnix.store.add_temp_root(&pin.source)?;
    moved::announce(session, libnix, pinned(situation).as_ref(), &pin, &locked)?;
    Ok(pin)
}

/// Locks a pinned flake only for what its `nixConfig` sets: what is built and fetched here goes by that too.
fn accept(session: &Session, libnix: &Libnix, pin: &Pin) -> Result<()> {
    let flake = FlakeSource::of(pin, &session.here);
    libnix.with_evaluator(|evaluator| Opened::open(evaluator, &flake).map(drop))
}

fn evaluation_request(
    session: &Session,
    pin: &Pin,
    modules: &[ModuleRequest],
    run: &Run,
) -> Request {
    let settings = evaluation_settings(&session.global, &session.environment, run);
    let flake = FlakeSource::of(pin, &session.here);
    Request {
        modules: modules.to_vec(),
        extras: pin
            .extras
            .iter()
            .map(|extra| ExtraRequest::of(extra, &session.here))
            .collect(),
        specialisation: pin.specialisation.clone(),
        ..Request::of(settings, flake, &pin.host, Target::Toplevel)
    }
}

/// What is said of a file once in each run that evaluates it.
pub fn as_it_is(file: &SystemFile) -> String {
    format!(
        "evaluated from {} as it is now: impure, nothing is pinned or cached",
        file.words()
    )
}

/// Remembers how the evaluation went, for the next one's bar.
fn remember(session: &Session, host: &str) {
    let files = session.reporter.files();
    if let Some(total) = session.reporter.phases().get(Phase::Evaluate)
        && !files.is_empty()
    {
        Estimate::observe(&files, time_of(total)).write(&session.locations, host);
    }
}
