//! The pipeline that makes a system: lock, find cached, evaluate, query, preflight, realise.
//!
//! Each stage takes the previous stage's value and returns its own. A dry run is a plan that stops
//! before the realise stage.

mod base_check;
mod cached;
mod evaluate;
mod expressions;
mod extra_modules;
mod input_differences;
mod keeper;
mod lock;
mod making;
mod preflight;
mod registry;
mod store_place;

use std::time::Instant;

use anyhow::Result;
use runtime_module_core::pipeline::{BuildOrder, Preflight, System, known};

use crate::evaluation::{Evaluated, EvaluationRequest};
use crate::fault::{self, Point};
use crate::host::Situation;
use crate::libnix::{Event, Libnix, Missing};
use crate::notes;
use crate::options::StopAfter;
use crate::plan::{Additions, Goal, Intent, Plan, PlannedSource};
use crate::progress::Reporter;
use crate::realise::{build_order, query, realise};
use crate::record::{ComparedBase, Configuration, Source};
use crate::registry::ModuleRequest;
use crate::session::NixSession;
use base_check::BaseCheck;
use cached::CacheUse;
use evaluate::{Derived, evaluate, evaluation_request};
use keeper::OpenStore;
use lock::lock;
use making::Making;

pub use registry::{registry, source_to_read};

/// Makes the system of a plan. A dry run builds nothing.
pub fn make(session: &NixSession, situation: &Situation, plan: &Plan) -> Result<System> {
    let making = Making {
        session,
        libnix: open(session)?,
        situation,
        plan,
    };
    making.system()
}

/// Makes the system for a request. First evaluates the Nix expressions of the request, and also
/// returns the plan with their values.
pub fn make_for(
    session: &NixSession,
    intent: &Intent,
    situation: &Situation,
    plan: Box<Plan>,
) -> Result<(Box<Plan>, System)> {
    let mut making = Making {
        session,
        libnix: open(session)?,
        situation,
        plan: &plan,
    };
    if intent.expressions.is_empty() {
        let system = making.system()?;
        return Ok((plan, system));
    }
    let complete = Box::new(expressions::with_values(&making, intent)?);
    making.plan = &complete;
    let system = making.system()?;
    Ok((complete, system))
}

/// The result of the preflight and realise stages.
#[derive(Default)]
struct RealiseResult {
    /// The store paths that were or would be built and fetched.
    missing: Missing,
    /// The builds in display order, only in a dry run.
    order: BuildOrder,
    /// The checks before activation, only in a dry run.
    preflight: Option<Preflight>,
}

impl Making<'_> {
    /// Evaluates and realises the system, or reuses a known one.
    fn system(self) -> Result<System> {
        match &self.plan.goal {
            Goal::Known(state) => {
                let keeper = OpenStore::new(self.libnix);
                known(self.session, self.plan, state, Box::new(keeper))
            }
            Goal::Evaluate {
                source,
                modules,
                additions,
            } => self.evaluated(source, modules, additions),
        }
    }

    /// Locks, evaluates and realises a system.
    fn evaluated(
        self,
        source: &PlannedSource,
        modules: &[ModuleRequest],
        additions: &Additions,
    ) -> Result<System> {
        let (session, plan) = (self.session, self.plan);

        // Lock.
        let mut configuration = lock(&self, source, additions)?;
        evaluate::note_impurity(session, &configuration.source);
        let request = evaluation_request(session, &configuration, modules, plan);

        // If possible, the comparison of the base runs in parallel with the following stages.
        let base_check = BaseCheck::begin(&self, &configuration.source, &request)?;

        // Find cached, or evaluate.
        let mut cache = CacheUse::new(session, &self.libnix, &request, &configuration.source);
        let derived = self.find_or_evaluate(&request, &configuration, &mut cache)?;

        // Query missing paths while the evaluator exits, then wait for its exit.
        let missing = self.query(&derived)?;
        let derived = derived.release()?;
        session.interrupts.check()?;
        base_check.finish()?;

        // Preflight, then realise. A dry run does only the preflight.
        let outputs = self.realise(&derived, missing, &base_check)?;

        let evaluated = derived.evaluated;
        self.complete(&mut configuration, &evaluated, &base_check)?;
        self.announce(&evaluated)?;
        let comparison = base_check.report();
        drop(base_check);
        let toplevel = evaluated.toplevel.clone().unwrap_or_default();
        let own_base = evaluated.base.as_ref().map(|base| base.out.clone());
        let report = cache.report();
        Ok(System {
            toplevel: toplevel.out,
            drv: Some(toplevel.drv),
            base: plan.base.clone().or(own_base),
            configuration: Some(configuration),
            warnings: evaluated.warnings,
            facts: Some(evaluated.facts),
            counters: Some(evaluated.counters).filter(|_| !report.hit),
            missing: outputs.missing,
            order: outputs.order,
            preflight: outputs.preflight,
            comparison,
            cache: Some(report),
            keeper: Box::new(OpenStore {
                libnix: self.libnix,
                cache: Some(cache),
                running: self.situation.running.clone(),
            }),
        })
    }

    fn find_or_evaluate(
        &self,
        request: &EvaluationRequest,
        configuration: &Configuration,
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
            None => evaluate(self, request, configuration, cache),
        }
    }

    /// Queries the paths that must be built or fetched.
    fn query(&self, derived: &Derived) -> Result<Missing> {
        fault::step(Point::Query, || match derived.realised {
            true => Ok(Missing::default()),
            false => query(&self.libnix, &derived.targets, &self.session.reporter),
        })
    }

    /// Builds and fetches missing paths, after refusing a system that cannot be activated. A dry
    /// run builds nothing: it collects all objections, and puts the builds in display order.
    fn realise(
        &self,
        derived: &Derived,
        missing: Missing,
        base_check: &BaseCheck<'_>,
    ) -> Result<RealiseResult> {
        let (interrupts, reporter) = (&self.session.interrupts, &self.session.reporter);
        let evaluated = &derived.evaluated;
        if self.plan.stop_after == StopAfter::Evaluate {
            let toplevel = evaluated.toplevel.clone().unwrap_or_default();
            return Ok(RealiseResult {
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
        Ok(RealiseResult {
            missing: built.missing,
            ..RealiseResult::default()
        })
    }

    /// Adds to a pin the inputs that the flake's own lock does not contain, and the result of the
    /// base comparison. Protects all trees of the configuration with temporary GC roots.
    fn complete(
        &self,
        configuration: &mut Configuration,
        evaluated: &Evaluated,
        base_check: &BaseCheck<'_>,
    ) -> Result<()> {
        let base = evaluated.base.as_ref().filter(|_| self.plan.base.is_none());
        let moved = base.map(|base| ComparedBase {
            toplevel: base.out.clone(),
            evaluated: base.out.clone(),
        });
        if let Source::Flake(pin) = &mut configuration.source {
            pin.inputs.clone_from(&evaluated.inputs);
            pin.compared = base_check.compared().or(moved).or(pin.compared.take());
        }
        for tree in configuration.trees() {
            self.libnix.store.add_temp_root(tree)?;
        }
        Ok(())
    }

    /// Prints notes about the evaluated system, and how the base changes with a new source.
    fn announce(&self, evaluated: &Evaluated) -> Result<()> {
        notes::note_foreign_module(self.session, evaluated);
        notes::note_stronger_definitions(self.session, &self.plan.overrides, evaluated);
        let before = self.situation.base();
        if let (None, Some(before), Some(base)) = (&self.plan.base, before, &evaluated.base) {
            notes::announce_base(self.session, &self.libnix, &before, base)?;
        }
        Ok(())
    }
}

fn open(session: &NixSession) -> Result<Libnix> {
    let begun = Instant::now();
    let reporter: Reporter = session.reporter.clone();
    let libnix = Libnix::open(session.settings(false, 1), move |event: Event| {
        reporter.libnix(event);
    });
    session.reporter.opened(begun.elapsed());
    libnix
}
