//! Evaluates and builds only the units and etc entries that a change to overrides probably affects.
//!
//! Takes the names of these units and entries from the plan. Returns the running system with its
//! runtime files, or the reason why a whole toplevel is necessary.

use std::collections::BTreeMap;

use anyhow::Result;
use runtime_module_core::partial::{
    EvaluatedParts, Parts, RuntimeFiles, ToplevelFiles, compare_in_store, runtime_files,
};
use runtime_module_core::pipeline::{BuildOrder, Preflight, System};

use super::evaluate::{evaluation_request, run_evaluator};
use super::system_build::SystemBuild;
use super::system_store::OpenStore;
use crate::evaluation::{Derivation, Evaluated, EvaluationRequest, Target};
use crate::fault::{self, Point};
use crate::libnix::Missing;
use crate::notes;
use crate::plan::Plan;
use crate::realise::{query, realise};
use crate::record::Configuration;
use crate::registry::ModuleRequest;

/// The evaluated and built files of a partial change.
pub(super) struct PartialResult {
    files: RuntimeFiles,
    configuration: Configuration,
    evaluated: Evaluated,
    missing: Missing,
}

impl SystemBuild<'_> {
    /// Makes the runtime files of a partial change. The inner error is the reason why a whole
    /// toplevel is necessary.
    pub(super) fn partial(
        &self,
        parts: &Parts,
        configuration: Configuration,
        modules: &[ModuleRequest],
    ) -> Result<Result<PartialResult, String>> {
        if self.session.options.impure {
            return Ok(Err("the evaluation is impure".into()));
        }
        let request = EvaluationRequest {
            parts: parts.clone(),
            target: Target::Parts,
            ..evaluation_request(self.session, &configuration, modules, self.plan)
        };
        let evaluated = self.evaluate_parts(&request, &configuration)?;
        let running = self.plan.from.as_deref().unwrap_or_default();
        let place = self.libnix.store.real_path(running)?;
        let store = running.rsplit_once('/').map_or("", |(folder, _)| folder);
        let files = match runtime_files(&evaluated.parts, &ToplevelFiles::of(&place), store) {
            Ok(files) => files,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(targets) = self.targets_of(&evaluated.parts)? else {
            return Ok(Err(
                "the path of an output is known only after its build".into()
            ));
        };
        let mut missing = fault::step(Point::Query, || {
            query(&self.libnix, &targets, &self.session.reporter)
        })?;
        if self.plan.realises() {
            let (interrupts, reporter) = (&self.session.interrupts, &self.session.reporter);
            missing = fault::step(Point::Realise, || {
                realise(&self.libnix, &targets, missing, interrupts, reporter)
            })?
            .missing;
            for path in &files.store_paths {
                self.libnix.store.add_temp_root(path)?;
            }
        }
        for tree in configuration.trees() {
            self.libnix.store.add_temp_root(tree)?;
        }
        Ok(Ok(PartialResult {
            files,
            configuration,
            evaluated,
            missing,
        }))
    }

    fn evaluate_parts(
        &self,
        request: &EvaluationRequest,
        configuration: &Configuration,
    ) -> Result<Evaluated> {
        let evaluation = run_evaluator(self, request, configuration)?;
        let store = &self.libnix.store;
        for drv in evaluation.evaluated.parts.derivations() {
            store.add_temp_root(drv)?;
        }
        evaluation.stop_evaluator();
        evaluation.release()
    }

    /// Returns the derivations to build, each with one of its outputs. Returns `None` if a
    /// derivation has no output whose path is known before the build.
    fn targets_of(&self, parts: &EvaluatedParts) -> Result<Option<Vec<Derivation>>> {
        let mut targets: Vec<Derivation> = Vec::new();
        for drv in parts.derivations() {
            if targets.iter().any(|known| known.drv == drv) {
                continue;
            }
            let outputs = self.libnix.store.derivation_outputs(drv)?;
            match outputs.into_iter().find(|(_, path)| !path.is_empty()) {
                Some((_, out)) => targets.push(Derivation {
                    drv: drv.into(),
                    out,
                }),
                None => return Ok(None),
            }
        }
        Ok(Some(targets))
    }

    /// Returns whether the files of a partial change have the same effect as the whole toplevel. If
    /// not, prints a note.
    pub(super) fn is_enough(&self, made: &PartialResult, whole: &str) -> Result<bool> {
        let running = self.plan.from.as_deref().unwrap_or_default();
        let place = |path: &str| self.libnix.store.real_path(path);
        let comparison = compare_in_store(place, running, &made.files, whole)?;
        if !comparison.differences.is_empty() {
            self.session.reporter.note(format!(
                "activating the whole system, because more changes: {}",
                comparison.differences.join(", ")
            ));
        }
        Ok(comparison.differences.is_empty())
    }

    /// Returns the running system with the files of a partial change. `verified` is the whole
    /// toplevel, if the files were compared with it.
    pub(super) fn into_partial_system(
        self,
        made: PartialResult,
        verified: Option<String>,
    ) -> System {
        let plan: &Plan = self.plan;
        let toplevel = plan.from.clone().unwrap_or_default();
        let builds = made.missing.build.clone();
        notes::note_stronger_definitions(self.session, &plan.overrides, &made.evaluated);
        System {
            toplevel,
            partial: true,
            runtime: made.files,
            texts: texts(&made.evaluated.parts),
            verified,
            drv: None,
            base: plan.base.clone(),
            configuration: Some(made.configuration),
            warnings: Vec::new(),
            facts: None,
            counters: Some(made.evaluated.counters),
            missing: made.missing,
            order: BuildOrder {
                builds,
                sources: Vec::new(),
            },
            preflight: (!plan.realises()).then(|| Preflight {
                built: true,
                ..Preflight::default()
            }),
            comparison: None,
            cache: None,
            store: Box::new(OpenStore::new(self.libnix)),
        }
    }
}

/// Returns the content of the etc entries that the configuration contains as text.
fn texts(parts: &EvaluatedParts) -> BTreeMap<String, String> {
    let entries = parts.etc.iter();
    let texts = entries.filter_map(|(name, entry)| {
        let text = entry.as_ref()?.text.clone()?;
        Some((name.clone(), text))
    });
    texts.collect()
}
