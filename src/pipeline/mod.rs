//! From a request to a running system.
//!
//! The stages, in this order: lock, find cached, evaluate, query, preflight, realise, activate, record. Each stage is a
//! file of this folder, or a folder beside it. A dry run is a plan that stops after the evaluation.

mod activate;
mod ask;
mod base_check;
mod cached;
mod elevation;
mod errand;
mod evaluate;
mod expressions;
mod extra_modules;
mod input_differences;
mod known;
mod lock;
mod preflight;
mod registry;
mod store_place;
mod system;

use std::time::Instant;

use anyhow::Result;

use crate::activation::unended;
use crate::error::Failed;
use crate::evaluation::{Evaluated, ModuleRequest, Request};
use crate::fault::{self, Point};
use crate::libnix::{Event, Libnix, Missing};
use crate::options::StopAfter;
use crate::plan::{
    Action, Additions, Decision, EarlierState, Goal, Intent, Plan, Situation, Source, check, decide,
};
use crate::progress::Reporter;
use crate::realise::{BuildOrder, build_order, query, realise};
use crate::record::{ComparedBase, Pin};
use crate::report::{self, ChangeReport};
use crate::session::Session;
use activate::{activate, is_running};
use base_check::BaseCheck;
use cached::CacheUse;
use elevation::elevate;
use evaluate::{Derived, evaluate, evaluation_request};
use lock::lock;

pub use base_check::BaseReport;
pub use cached::CacheReport;
pub use elevation::wait_for_others;
pub use errand::{Waits, end_transaction};
pub use preflight::Preflight;
pub use registry::{is_elsewhere, registry, source_to_read};
pub use system::System;

/// The result of a request, and the system that was made for it.
pub struct Changed {
    pub report: ChangeReport,
    /// The system whose result to keep in the cache. `None` if nothing was built.
    pub system: Option<System>,
}

/// Carries out a request, as far as it goes.
pub fn change(session: &Session, intent: &Intent) -> Result<Changed> {
    let Intent {
        action,
        options,
        expressions,
    } = intent;
    if options.ask {
        ask::terminal()?;
    }
    wait_for_others(session, options.wait);
    let mut situation = Situation::read(&session.locations)?;
    check_prefetched(session, &situation, &options.prefetch)?;

    // A change is refused before any work if an earlier one has not ended; a dry run reports that.
    let earlier = earlier_change_has_ended(&situation, action);
    let activates = options.stop_after == StopAfter::Activate;
    if activates {
        earlier.clone()?;
    }
    // Mistakes are found before a password prompt.
    let nothing = check(intent, &situation, &session.options.source, &session.here)?;
    if let Some(why) = nothing {
        return Ok(Changed::nothing(action, &situation, why));
    }
    let activator = activates.then(|| elevate(session)).transpose()?;
    if activates {
        // The machine may have changed while the user typed a password.
        situation = Situation::read(&session.locations)?;
    }
    let decided = fault::step(Point::Plan, || {
        decide(intent, &situation, &session.options.source, &session.here)
    })?;
    let plan = match decided {
        Decision::Nothing(why) => return Ok(Changed::nothing(action, &situation, why)),
        Decision::Do(plan) => plan,
    };
    for note in &plan.notes {
        session.reporter.note(note.clone());
    }

    let libnix = open(session)?;
    let (libnix, plan) = match expressions.is_empty() {
        true => (libnix, plan),
        false => {
            let making = Making {
                session,
                libnix,
                situation: &situation,
                plan: &plan,
            };
            let complete = expressions::with_values(&making, intent)?;
            (making.libnix, Box::new(complete))
        }
    };
    let system = make_with(session, &situation, &plan, libnix)?;
    let mut report = ChangeReport::new(action, &plan, &system);
    match activator {
        None => report.refused(earlier.err()),
        Some(_) if is_running(&system, &plan, &situation) => report.unchanged(),
        Some(activator) => {
            report.activated(activate(
                session, activator, &situation, &plan, &system, options,
            )?);
            if options.confirm.is_some_and(|time| time.is_zero()) {
                report.unlimited();
            }
        }
    }
    let system = Some(system).filter(|_| plan.stop_after >= StopAfter::Realise);
    Ok(Changed { report, system })
}

/// Makes the system of a plan, as far as the plan goes.
pub fn make(session: &Session, situation: &Situation, plan: &Plan) -> Result<System> {
    make_with(session, situation, plan, open(session)?)
}

fn make_with(
    session: &Session,
    situation: &Situation,
    plan: &Plan,
    libnix: Libnix,
) -> Result<System> {
    let making = Making {
        session,
        libnix,
        situation,
        plan,
    };
    match &plan.goal {
        Goal::Known(toplevel) => making.known(&EarlierState::base(toplevel, situation)),
        Goal::Earlier(state) => making.known(state),
        Goal::Evaluate {
            source,
            modules,
            additions,
        } => making.evaluated(source, modules, additions),
    }
}

/// The inputs for making a system.
struct Making<'a> {
    session: &'a Session,
    libnix: Libnix,
    situation: &'a Situation,
    plan: &'a Plan,
}

/// The result of realising.
#[derive(Default)]
struct Outputs {
    /// The store paths that were or would be built and fetched.
    missing: Missing,
    /// The builds in display order, only in a dry run.
    order: BuildOrder,
    /// The checks before activation, only in a dry run.
    preflight: Option<Preflight>,
}

impl Making<'_> {
    /// Locks, evaluates and realises a system.
    fn evaluated(
        self,
        source: &Source,
        modules: &[ModuleRequest],
        additions: &Additions,
    ) -> Result<System> {
        let (session, plan) = (self.session, self.plan);

        // Lock.
        let mut pin = lock(&self, source, additions)?;
        evaluate::note_impurity(session, &pin);
        let request = evaluation_request(session, &pin, modules, plan);

        // The comparison of the base runs beside the following stages.
        let base_check = BaseCheck::begin(&self, &pin, &request)?;

        // Find cached, or evaluate.
        let mut cache = CacheUse::new(session, &self.libnix, &request, &pin);
        let derived = self.find_or_evaluate(&request, &pin, &mut cache)?;

        // Query what is missing. After that the evaluator has nothing more to do.
        let missing = fault::step(Point::Query, || match derived.realised {
            true => Ok(Missing::default()),
            false => query(&self.libnix, &derived.targets, &session.reporter),
        })?;
        let derived = derived.release()?;
        session.interrupts.check()?;
        base_check.finish()?;

        // Preflight, then realise. A dry run ends between the two.
        let outputs = self.realise(&derived, missing, &base_check)?;

        let evaluated = derived.evaluated;
        self.complete_pin(&mut pin, &evaluated, &base_check)?;
        report::note_foreign_module(session, &evaluated);
        report::note_stronger_definitions(session, &plan.overrides, &evaluated);
        self.announce_base(&evaluated)?;
        let comparison = base_check.report();
        drop(base_check);
        let toplevel = evaluated.toplevel.clone().unwrap_or_default();
        let own_base = evaluated.base.as_ref().map(|base| base.out.clone());
        Ok(System {
            toplevel: toplevel.out,
            drv: Some(toplevel.drv),
            base: plan.base.clone().or(own_base),
            pin: Some(pin),
            preflight: outputs.preflight,
            comparison,
            evaluated: Some(evaluated),
            missing: outputs.missing,
            order: outputs.order,
            cache: Some(cache),
            running: self.situation.running.clone(),
            keeper: self.libnix,
        })
    }

    fn find_or_evaluate(
        &self,
        request: &Request,
        pin: &Pin,
        cache: &mut CacheUse,
    ) -> Result<Derived> {
        let plan = self.plan;
        let found = cache.find(&self.libnix, plan.builds_base(), |evaluated| {
            evaluate::targets(plan, evaluated)
        })?;
        match found {
            Some(found) => {
                self.session.reporter.warnings(&found.evaluated.warnings);
                Ok(Derived::from(found))
            }
            None => evaluate(self, request, pin, cache),
        }
    }

    /// Builds and fetches what is missing. A dry run only collects everything that speaks against the change; any other
    /// plan refuses before it builds what cannot be activated.
    fn realise(
        &self,
        derived: &Derived,
        missing: Missing,
        base_check: &BaseCheck<'_>,
    ) -> Result<Outputs> {
        let (interrupts, reporter) = (&self.session.interrupts, &self.session.reporter);
        let evaluated = &derived.evaluated;
        if self.plan.stop_after == StopAfter::Evaluate {
            let toplevel = evaluated.toplevel.clone().unwrap_or_default();
            return Ok(Outputs {
                preflight: Some(self.preflight(evaluated, &missing, base_check)),
                order: build_order(&self.libnix.store, &toplevel.drv, &missing.build),
                missing,
            });
        }
        self.refuse_other_base(base_check)?;
        if !derived.realised {
            self.refuse_before_build(evaluated, &missing)?;
        }
        let built = fault::step(Point::Realise, || {
            realise(
                &self.libnix,
                &derived.targets,
                missing,
                interrupts,
                reporter,
            )
        })?;
        Ok(Outputs {
            missing: built.missing,
            ..Outputs::default()
        })
    }

    /// Adds to the pin the inputs that no lock file lists, and the result of the comparison.
    fn complete_pin(
        &self,
        pin: &mut Pin,
        evaluated: &Evaluated,
        base_check: &BaseCheck<'_>,
    ) -> Result<()> {
        pin.inputs.clone_from(&evaluated.inputs);
        for source in pin.sources() {
            self.libnix.store.add_temp_root(source)?;
        }
        let base = evaluated.base.as_ref().filter(|_| self.plan.base.is_none());
        let moved = base.map(|base| ComparedBase {
            toplevel: base.out.clone(),
            evaluated: base.out.clone(),
        });
        pin.compared = base_check.compared().or(moved).or(pin.compared.take());
        Ok(())
    }

    /// Prints how the base changes with a new source.
    fn announce_base(&self, evaluated: &Evaluated) -> Result<()> {
        let before = self.situation.base();
        if let (None, Some(before), Some(base)) = (&self.plan.base, before, &evaluated.base) {
            report::announce_base(self.session, &self.libnix, &before, base)?;
        }
        Ok(())
    }
}

impl Changed {
    fn nothing(action: &Action, situation: &Situation, why: String) -> Self {
        Self {
            report: ChangeReport::nothing(action, situation, why),
            system: None,
        }
    }
}

fn open(session: &Session) -> Result<Libnix> {
    let begun = Instant::now();
    let reporter: Reporter = session.reporter.clone();
    let libnix = Libnix::open(session.settings(false, 1), move |event: Event| {
        reporter.libnix(event);
    });
    session.reporter.opened(begun.elapsed());
    libnix
}

/// Fails for names of unknown modules in `--prefetch`.
fn check_prefetched(session: &Session, situation: &Situation, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let intent = Intent::new(Action::Enable(names.to_vec()), Default::default());
    check(&intent, situation, &session.options.source, &session.here).map(drop)
}

/// Fails if an earlier change has begun but not ended. The activator checks whether a change is running.
fn earlier_change_has_ended(situation: &Situation, action: &Action) -> Result<(), Failed> {
    let pending = situation.state.unended(situation.running.as_deref());
    match pending.filter(|_| situation.under_way.is_none()) {
        Some(pending) => Err(unended(&action.words(), pending)),
        None => Ok(()),
    }
}
