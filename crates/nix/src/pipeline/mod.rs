//! The pipeline that makes a system: lock, find cached, evaluate, query, preflight, realise.
//!
//! Each stage takes the previous stage's value and returns its own. Only this file asks the plan
//! whether to continue with the realise stage. The core crate's `pipeline/mod.rs` activates and
//! records the system.

mod base_check;
mod cached;
mod evaluate;
mod expressions;
mod extra_modules;
mod input_differences;
mod lock;
mod partial;
mod preflight;
mod registry;
mod store_place;
mod system_build;
mod system_store;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use runtime_module_core::partial::RuntimeFiles;
use runtime_module_core::pipeline::{BaseReport, BuildOrder, Preflight, System, known};

use crate::evaluation::{Evaluated, EvaluationRequest};
use crate::fault::{self, Point};
use crate::host::Situation;
use crate::libnix::{Event, Libnix, Missing};
use crate::notes;
use crate::plan::{Additions, Goal, Intent, Plan, PlannedSource, whole_system};
use crate::progress::Reporter;
use crate::realise::{build_order, query, realise};
use crate::record::{ComparedBase, Configuration, Source};
use crate::registry::ModuleRequest;
use crate::session::NixSession;
use base_check::BaseCheck;
use cached::CacheUse;
use evaluate::{Derived, evaluate, evaluation_request};
use extra_modules::add_extra_modules;
use lock::lock;
use system_build::SystemBuild;
use system_store::OpenStore;

pub use registry::{registry, source_to_read};

/// Makes the system of a plan. A dry run builds nothing.
pub fn make(session: &NixSession, situation: &Situation, plan: &Plan) -> Result<System> {
    let build = SystemBuild {
        session,
        libnix: open(session)?,
        situation,
        plan,
    };
    build.system()
}

/// Makes the system for a request. First evaluates the Nix expressions of the request, and also
/// returns the plan with their values.
pub fn make_for(
    session: &NixSession,
    intent: &Intent,
    situation: &Situation,
    plan: Box<Plan>,
) -> Result<(Box<Plan>, System)> {
    let mut build = SystemBuild {
        session,
        libnix: open(session)?,
        situation,
        plan: &plan,
    };
    if intent.expressions.is_empty() {
        let system = build.system()?;
        return Ok((plan, system));
    }
    let complete = Box::new(expressions::with_values(&build, intent)?);
    build.plan = &complete;
    let system = build.system()?;
    Ok((complete, system))
}

/// The result of the preflight and realise stages.
struct RealiseResult {
    /// The store paths that were or would be built and fetched.
    missing: Missing,
    /// The builds in display order, only in a dry run.
    order: BuildOrder,
    /// The checks before activation, only in a dry run.
    preflight: Option<Preflight>,
}

impl SystemBuild<'_> {
    /// Evaluates and realises the system, or reuses a known one.
    fn system(self) -> Result<System> {
        match &self.plan.goal {
            Goal::Known(state) => {
                let store = OpenStore::new(self.libnix);
                known(self.session, self.plan, state, Box::new(store))
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
        let mut configuration = self.lock(source, additions)?;

        // If only some units and files change, evaluate only these.
        let mut partial = None;
        if let Some(parts) = &plan.parts {
            match self.partial(parts, configuration.clone(), modules)? {
                Ok(made) if plan.verify_first && plan.realises() => partial = Some(made),
                Ok(made) => return Ok(self.into_partial_system(made, None)),
                Err(why) => session.reporter.note(whole_system(&why)),
            }
        }
        evaluate::note_impurity(session, &configuration.source);
        let request = evaluation_request(session, &configuration, modules, plan);

        // If possible, the comparison of the base runs in parallel with the following stages.
        let base_check = BaseCheck::begin(&self, &configuration.source, &request)?;

        // Find cached, or evaluate.
        let mut cache = CacheUse::new(session, &self.libnix, &request, &configuration.source);
        let derived = self.find_or_evaluate(&request, &configuration, &mut cache)?;
        if let (Source::File(_), Some(first)) = (&configuration.source, derived.targets.first()) {
            // A file has no store path with which to check the store earlier.
            self.check_store(&first.drv)?;
        }

        // Query missing paths while the evaluator exits, then wait for its exit.
        let missing = self.query(&derived)?;
        let derived = derived.release()?;
        session.interrupts.check()?;
        base_check.finish()?;

        // Preflight, then realise. A dry run ends after the preflight.
        let outputs = match plan.realises() {
            true => {
                self.refuse_before_realise(&derived, &missing, &base_check)?;
                self.realise(&derived, missing)?
            }
            false => self.dry_run(&derived, missing, &base_check),
        };

        if let (Some(made), Some(whole)) = (partial, &derived.evaluated.toplevel)
            && self.is_enough(&made, &whole.out)?
        {
            let whole = whole.out.clone();
            drop(base_check);
            return Ok(self.into_partial_system(made, Some(whole)));
        }
        self.complete(&mut configuration, &derived.evaluated, &base_check)?;
        self.announce(&derived.evaluated)?;
        let comparison = base_check.report();
        drop(base_check);
        Ok(self.into_system(configuration, derived.evaluated, outputs, comparison, cache))
    }

    /// Returns the system with everything that the report and the activation need.
    fn into_system(
        self,
        configuration: Configuration,
        evaluated: Evaluated,
        outputs: RealiseResult,
        comparison: Option<BaseReport>,
        cache: CacheUse,
    ) -> System {
        let toplevel = evaluated.toplevel.unwrap_or_default();
        let own_base = evaluated.base.map(|base| base.out);
        let report = cache.report();
        System {
            toplevel: toplevel.out,
            partial: false,
            runtime: RuntimeFiles::default(),
            texts: BTreeMap::new(),
            verified: None,
            drv: Some(toplevel.drv),
            base: self.plan.base.clone().or(own_base),
            configuration: Some(configuration),
            warnings: evaluated.warnings,
            facts: Some(evaluated.facts),
            counters: Some(evaluated.counters).filter(|_| !report.hit),
            missing: outputs.missing,
            order: outputs.order,
            preflight: outputs.preflight,
            comparison,
            cache: Some(report),
            store: Box::new(OpenStore {
                libnix: self.libnix,
                cache: Some(cache),
                running: self.situation.running.clone(),
            }),
        }
    }

    /// Locks the source, and adds the extra modules to the store.
    fn lock(&self, source: &PlannedSource, additions: &Additions) -> Result<Configuration> {
        let source = lock(self, source)?;
        if let Source::Flake(pin) = &source {
            self.check_store(&pin.source)?;
        }
        Ok(Configuration {
            source,
            specialisation: additions.specialisation.clone(),
            extras: add_extra_modules(self.session, &self.libnix, additions)?,
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

    /// Refuses a store whose sources cannot be evaluated here, or whose systems cannot be activated
    /// here if this is what the plan asks for. `path` is a path in the store.
    fn check_store(&self, path: &str) -> Result<()> {
        let place = self.check_sources(path)?;
        match self.plan.realises() {
            true => self.check_activation(&place),
            false => Ok(()),
        }
    }

    /// Collects all objections, and puts the builds in display order.
    fn dry_run(
        &self,
        derived: &Derived,
        missing: Missing,
        base_check: &BaseCheck<'_>,
    ) -> RealiseResult {
        let evaluated = &derived.evaluated;
        let toplevel = evaluated.toplevel.clone().unwrap_or_default();
        RealiseResult {
            preflight: Some(self.preflight(evaluated, &missing, base_check)),
            order: build_order(&self.libnix.store, &toplevel.drv, &missing.build),
            missing,
        }
    }

    /// Builds and fetches the missing paths.
    fn realise(&self, derived: &Derived, missing: Missing) -> Result<RealiseResult> {
        let (interrupts, reporter) = (&self.session.interrupts, &self.session.reporter);
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
            order: BuildOrder::default(),
            preflight: None,
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
    let libnix = session.open_libnix(move |event: Event| reporter.libnix(event));
    session.reporter.opened(begun.elapsed());
    libnix
}
