//! Evaluates and realises the system to activate. A dry run only asks what realising would take.

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

/// A system that can be activated, or would be in a dry run.
pub struct Reached {
    pub toplevel: String,
    /// Its derivation, or none if the toplevel was known without evaluation.
    pub drv: Option<String>,
    /// The toplevel without any runtime module.
    pub base: Option<String>,
    pub pin: Option<Pin>,
    /// The result of the evaluation, if there was one.
    pub evaluated: Option<Evaluated>,
    /// The store paths that were or would be built and fetched.
    pub missing: Missing,
    /// The builds in display order, only in a dry run.
    pub order: BuildOrder,
    /// The checks before activation, only in a dry run.
    pub preflight: Option<Preflight>,
    /// The comparison of the base, or none if there was nothing to compare.
    pub comparison: Option<BaseReport>,
    /// The cache entry, or none if nothing had to be evaluated.
    recall: Option<Recall>,
    /// Keeps all paths from the garbage collector until the activator has created GC roots.
    keeper: Libnix,
}

/// The results of the checks before activation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Preflight {
    /// Whether the system is in the store and was checked itself. If so, a build cannot find more.
    pub built: bool,
    /// Objections, and changes that will not take effect.
    #[serde(flatten)]
    pub findings: Findings,
}

impl Reached {
    /// Returns the store that contains the system.
    pub fn store(&self) -> &Store {
        &self.keeper.store
    }

    /// Returns the specialisation and the extra modules.
    pub fn beside(&self) -> (Option<&str>, &[ExtraModule]) {
        self.pin.as_ref().map(Pin::beside).unwrap_or_default()
    }

    /// Returns the file from which the system was evaluated, if the source is not a flake.
    pub fn file(&self) -> Option<&SystemFile> {
        self.pin.as_ref()?.file.as_ref()
    }

    /// Returns whether the evaluation came from the cache.
    pub fn recalled(&self) -> Option<Recalled> {
        self.recall.as_ref().map(Recall::told)
    }

    /// Stores the result in the cache, after everything that the user waits for.
    pub fn remember(&self, running: Option<&str>) {
        if let Some(recall) = &self.recall {
            recall.settle(&self.keeper, &self.toplevel, running);
        }
    }
}

/// Evaluates and realises a system. A dry run only asks what realising would take.
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

/// The inputs for making a system.
struct Work<'a> {
    session: &'a Session,
    libnix: Libnix,
    situation: &'a Situation,
    plan: &'a Plan,
    run: &'a Run,
    /// The comparison of the base, set once the source is known.
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
        // With a new source, the base changes too.
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
        // From now on the pin keeps the inputs that no lock file lists.
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
        // A file brought nothing into the store until now.
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
        // From here on this process protects the results. Release the evaluator's memory before the store is queried
        // and anything is built.
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

    /// Uses a cached evaluation, and realises its results again if they are missing.
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

    /// Returns the derivations to build: the toplevel and, unless it is running already, its base, which `reset` needs.
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

    /// Refuses before the build if the system could not be activated. Overridden objections become notes.
    fn pass(&self, evaluated: &Evaluated, missing: &Missing) -> Result<()> {
        if self.run.dry_run {
            return Ok(());
        }
        let findings = self.object(evaluated, missing);
        let passed = findings.pass(&self.run.allow)?;
        for (objection, text) in findings.objections.iter().zip(passed) {
            // The activator finds and reports the other objections itself.
            if objection.allow == Some(Allow::Space) {
                self.session.reporter.note(text);
            }
        }
        Ok(())
    }

    /// Returns the checks of a dry run, on the built system if it is in the store, or else on the evaluation.
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

    /// Finds objections to activating the system.
    fn object(&self, evaluated: &Evaluated, missing: &Missing) -> Findings {
        let to = Profile::expected(&evaluated.facts);
        let mut findings = compare(&self.plan.purpose, &to, &machine(self.session));
        self.room(evaluated, missing, &mut findings);
        findings
    }

    /// Checks whether the build outputs fit into the store.
    fn room(&self, evaluated: &Evaluated, missing: &Missing, findings: &mut Findings) {
        let toplevel = evaluated.toplevel.as_ref();
        let place = toplevel.and_then(|toplevel| self.libnix.store.real_path(&toplevel.out).ok());
        if let Some(store) = place.as_deref().and_then(Path::parent) {
            space(&self.plan.purpose, store, missing.unpacked_bytes, findings);
        }
    }

    /// Refuses an unrequested change of the base. An allowed change becomes a note.
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

    /// Adds an objection if the source gives another base.
    fn object_to_base(&self, findings: &mut Findings) {
        let refusal = self
            .check
            .get()
            .and_then(|check| check.refusal(&self.libnix));
        if let Some((allow, refusal)) = refusal {
            findings.object(Some(allow), refusal);
        }
    }

    /// Prints how the base changes with a new source.
    fn announce(&self, evaluated: &Evaluated) -> Result<()> {
        let before = self.situation.base();
        if let (None, Some(before), Some(base)) = (&self.plan.base, before, &evaluated.base) {
            moved::announce_base(self.session, &self.libnix, &before, base)?;
        }
        Ok(())
    }
}

/// Reads the facts of this machine.
fn machine(session: &Session) -> Machine {
    let running = std::fs::canonicalize(session.locations.current_system()).ok();
    Machine::look(&session.locations, running.as_deref())
}

/// Checks a system in this machine's store. None if it is not there.
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
            .hint("run `runtime-module apply` to evaluate and build the requested modules again")
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

/// Refuses a store whose paths are not at the locations that they name, because systems and evaluation use these names.
/// Also refuses a store whose GC roots are on another machine, because the running system could be deleted there.
/// `path` is a path in the store.
fn place(session: &Session, libnix: &Libnix, plan: &Plan, path: &str, dry_run: bool) -> Result<()> {
    let refused = |why: String, hint: &str| {
        let failed = Failure::Refused.error(format!("{}: {why}", plan.purpose));
        Err(failed.hint(hint).into())
    };
    let store = session.global.store.as_deref().unwrap_or_default();
    // If the path belongs to another store, its name begins with the folder of that store.
    let Ok(real) = libnix.store.real_path(path) else {
        return refused(
            format!("the pinned source {path} is in another store than {store}"),
            "omit --store to use the store of the running system, or run `runtime-module rebuild --flake REF --store URL` to pin REF in the other one",
        );
    };
    let here = Path::new(path).exists() || !libnix.store.is_valid(path)?;
    if !here && !real.exists() {
        return refused(
            format!(
                "the store {store} is on another machine, so its sources cannot be evaluated here"
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
                "the store {store} is on another machine, so its systems cannot be activated here; --dry-run works"
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
            "a system in the store at {folder} cannot be activated: its store paths are elsewhere on this machine"
        ),
        "use --dry-run, or omit --store to use this machine's store",
    )
}

/// Returns the pin of the source, locking a reference if needed.
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

/// Opens a pinned flake only for the settings in its `nixConfig`, which also apply to builds and downloads here.
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

/// Returns the note for each evaluation of a file.
pub fn as_it_is(file: &SystemFile) -> String {
    format!(
        "evaluated from {} as it is now: impure, nothing is pinned or cached",
        file.words()
    )
}

/// Stores the duration of the evaluation, for the next progress bar.
fn remember(session: &Session, host: &str) {
    let files = session.reporter.files();
    if let Some(total) = session.reporter.phases().get(Phase::Evaluate)
        && !files.is_empty()
    {
        Estimate::observe(&files, time_of(total)).write(&session.locations, host);
    }
}
