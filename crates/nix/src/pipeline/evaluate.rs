//! Evaluates the configuration with its modules in a separate evaluator.

use anyhow::Result;

use super::cached::{CacheUse, CachedSystem};
use super::system_build::SystemBuild;
use crate::estimate::Estimate;
use crate::evaluation::{
    self, Derivation, Evaluated, Evaluation, EvaluationRequest, EvaluationSource, ExtraRequest,
    Target,
};
use crate::fault::{self, Point};
use crate::notes;
use crate::option_names::{ListedConfiguration, OptionNames};
use crate::plan::Plan;
use crate::record::{Configuration, Source, SystemFile};
use crate::registry::ModuleRequest;
use crate::session::{NixSession, evaluation_settings};
use crate::timings::{Phase, time_of};

/// The result of an evaluation, from an evaluator or from the cache.
pub(super) struct Derived {
    pub evaluated: Evaluated,
    /// The derivations to realise.
    pub targets: Vec<Derivation>,
    /// Whether every output is already in the store.
    pub realised: bool,
    /// The evaluator, until its exit has been awaited; `None` for a cached result.
    evaluator: Option<Evaluation>,
}

impl From<CachedSystem> for Derived {
    fn from(found: CachedSystem) -> Self {
        Self {
            evaluated: found.evaluated,
            targets: found.targets,
            realised: found.realised,
            evaluator: None,
        }
    }
}

impl Derived {
    /// Waits until the evaluator has ended.
    pub fn release(mut self) -> Result<Self> {
        if let Some(evaluation) = self.evaluator.take() {
            self.evaluated = evaluation.release()?;
        }
        Ok(self)
    }
}

/// Makes the request for an evaluator.
pub(super) fn evaluation_request(
    session: &NixSession,
    configuration: &Configuration,
    modules: &[ModuleRequest],
    plan: &Plan,
) -> EvaluationRequest {
    let may_build = plan.allow_import_from_derivation;
    let settings = evaluation_settings(&session.options, &session.environment, may_build);
    let source = EvaluationSource::of(&configuration.source, &session.here);
    let extras = configuration.extras.iter();
    let target = match plan.builds_base() {
        true => Target::ToplevelAndBase,
        false => Target::Toplevel,
    };
    let mut request = EvaluationRequest {
        modules: modules.to_vec(),
        extras: extras
            .map(|extra| ExtraRequest::of(extra, &session.here))
            .collect(),
        specialisation: configuration.specialisation.clone(),
        overrides: plan.overrides.after.definitions.clone(),
        describe: plan.overrides.added.clone(),
        ..EvaluationRequest::of(settings, source, &configuration.source.host(), target)
    };
    // The next command will probably change overrides too, so list the options for completion.
    request.list_options = plan.overrides.edit.is_some()
        && !session.options.no_cache
        && listed(&request)
            .is_some_and(|listed| !OptionNames::are_known(&session.locations, &listed));
    request
}

/// Describes the configuration that a request evaluates, to find the names of its options.
/// Returns `None` for a file, whose options can change at any time.
fn listed(request: &EvaluationRequest) -> Option<ListedConfiguration<'_>> {
    let modules = request.modules.iter().map(|module| module.name.clone());
    let extras = request.extras.iter().map(|extra| extra.name.clone());
    Some(ListedConfiguration {
        host: &request.host,
        source: &request.source.flake()?.reference,
        modules: modules.chain(extras).collect(),
    })
}

/// Evaluates the request. Afterwards, this process protects the results from the garbage collector.
/// The evaluator exits, which frees its memory for the builds.
pub(super) fn evaluate(
    build: &SystemBuild<'_>,
    request: &EvaluationRequest,
    configuration: &Configuration,
    cache: &mut CacheUse,
) -> Result<Derived> {
    let (session, store) = (build.session, &build.libnix.store);
    if let Some(estimate) = Estimate::read(&session.locations, &request.host) {
        session.reporter.estimate(estimate);
    }
    let evaluation = run_evaluator(build, request, configuration)?;
    keep_estimate(session, &request.host);
    let targets = targets(build.plan, &evaluation.evaluated);
    for derivation in &targets {
        store.add_temp_root(&derivation.drv)?;
    }
    for input in &evaluation.evaluated.inputs {
        store.add_temp_root(&input.source)?;
    }
    evaluation.stop_evaluator();
    let took = session.reporter.phases().get(Phase::Evaluate);
    cache.keep(request, &evaluation.evaluated, took.unwrap_or(0.0));
    Ok(Derived {
        evaluated: evaluation.evaluated.clone(),
        targets,
        realised: false,
        evaluator: Some(evaluation),
    })
}

/// Runs an evaluator, and stores the names of options that it has listed.
pub(super) fn run_evaluator(
    build: &SystemBuild<'_>,
    request: &EvaluationRequest,
    configuration: &Configuration,
) -> Result<Evaluation> {
    let (session, store) = (build.session, &build.libnix.store);
    let evaluator = session.evaluator(&request.settings)?;
    let evaluation = fault::step(Point::Evaluate, || {
        evaluation::evaluate(evaluator, request, &session.interrupts, &session.reporter)
    });
    let mut evaluation = evaluation
        .map_err(|error| notes::gone(store, &build.plan.purpose, configuration).unwrap_or(error))?;
    keep_option_names(session, request, &mut evaluation.evaluated);
    Ok(evaluation)
}

/// Stores the names of the options that can be set, for completion.
fn keep_option_names(session: &NixSession, request: &EvaluationRequest, evaluated: &mut Evaluated) {
    let settable = std::mem::take(&mut evaluated.settable);
    if let Some(listed) = listed(request).filter(|_| !settable.is_empty()) {
        OptionNames::write(&session.locations, &listed, settable);
    }
}

/// Returns the derivations to build: the toplevel and, if the plan has no base yet, the base, which
/// `reset` needs.
pub(super) fn targets(plan: &Plan, evaluated: &Evaluated) -> Vec<Derivation> {
    let base = evaluated.base.iter().filter(|_| plan.base.is_none());
    evaluated.toplevel.iter().chain(base).cloned().collect()
}

/// Prints a note if an evaluation depends on more than its pinned source.
pub(super) fn note_impurity(session: &NixSession, source: &Source) {
    if let Source::File(file) = source {
        session.reporter.note(as_it_is(file));
    } else if session.options.impure {
        session
            .reporter
            .note("impure: evaluation can read the environment, the current time and files outside the flake");
    }
}

/// Returns the note that is printed for each evaluation of a file.
pub fn as_it_is(file: &SystemFile) -> String {
    format!(
        "evaluating {} as it is now: the evaluation is impure, and nothing is pinned or cached",
        file.words()
    )
}

/// Stores the duration of the evaluation, for the next progress bar.
fn keep_estimate(session: &NixSession, host: &str) {
    let files = session.reporter.files();
    if let Some(total) = session.reporter.phases().get(Phase::Evaluate)
        && !files.is_empty()
    {
        Estimate::observe(&files, time_of(total)).write(&session.locations, host);
    }
}
