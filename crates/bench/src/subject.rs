//! The subject of a benchmark: a flake that is locked once for the whole run. Each measurement
//! starts a new evaluator.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use super::error::BenchError;
use super::rounds::{self, BenchTask, NamedSample, Rounds};
use super::samples::{FlakeRecord, Sample};
use runtime_module_core::command::Rules;
use runtime_module_core::host::Situation;
use runtime_module_core::plan::{PlannedSource, modules, source_to_list};
use runtime_module_core::progress::Reporter;
use runtime_module_core::record::{Pin, Source};
use runtime_module_core::registry::ModuleRequest;
use runtime_module_core::timings::milliseconds;
use runtime_module_nix::evaluation::{
    Evaluated, EvaluationRequest, EvaluationSource, FlakeReference, Measure, Pass, Target, ToPin,
    evaluate, pin,
};
use runtime_module_nix::libnix::{Libnix, interruptible};
use runtime_module_nix::session::NixSession;

/// A flake that was locked for a benchmark, with the state of this machine.
pub struct Subject<'a> {
    session: &'a NixSession,
    pin: Pin,
    /// The source that the flake was locked from. It determines whether the baked list of modules
    /// can be used.
    source: PlannedSource,
    situation: Situation,
    /// The reference from which the flake was locked, if its tree can change.
    reference: Option<UnlockedReference>,
}

/// A reference whose tree can change at any time.
struct UnlockedReference {
    reference: String,
    base: PathBuf,
    input_overrides: Vec<(String, String)>,
}

impl<'a> Subject<'a> {
    /// Locks the configuration that the other commands would use, or the one that `flake` names.
    pub fn lock(session: &'a NixSession, libnix: &Libnix, flake: Option<&str>) -> Result<Self> {
        let situation = session.host().situation()?;
        let mut options = session.options.source.clone();
        if let Some(flake) = flake {
            options.flake = Some(flake.to_string());
        }
        let source = source_to_list(&situation, &options, &session.here)?;
        let (pin, reference) = match ToPin::of(&source) {
            // The file and everything that it reads may change between samples.
            Err(Source::File(file)) => {
                let file = file.words();
                return Err(BenchError::NotPinned { file }.into());
            }
            Err(Source::Flake(pin)) => (Pin::clone(pin), None),
            Ok(to_pin) => {
                let pinned = locked(session, libnix, &to_pin)?;
                let changing = to_pin.of.is_none().then(|| UnlockedReference {
                    reference: to_pin.reference.into(),
                    base: to_pin.base.into(),
                    input_overrides: to_pin.input_overrides.to_vec(),
                });
                (pinned, changing)
            }
        };
        libnix.store.add_temp_root(&pin.source)?;
        Ok(Self {
            session,
            pin,
            source,
            situation,
            reference,
        })
    }

    /// Describes the flake for the result.
    pub fn record(&self) -> FlakeRecord {
        FlakeRecord {
            url: self.pin.url.clone(),
            locked: self.pin.locked.clone(),
            rev: self.pin.rev.clone(),
            dirty: self.pin.extra.iter().any(|(name, _)| name == "dirtyRev"),
            host: self.pin.host.clone(),
        }
    }

    pub fn host(&self) -> &str {
        &self.pin.host
    }

    /// Returns the flake reference that the user requested, which is not locked.
    pub fn url(&self) -> &str {
        &self.pin.url
    }

    /// Returns the requested modules of this machine.
    pub fn wanted(&self) -> &[String] {
        &self.situation.state.wanted
    }

    /// Looks up modules by name.
    pub fn modules(&self, names: &[String]) -> Result<Vec<ModuleRequest>> {
        modules(names, &self.situation, &self.source)
    }

    /// Takes one measurement in a new evaluator.
    pub fn measure(&self, modules: &[ModuleRequest], measure: &Measure) -> Result<Measurement> {
        let target = match measure.forced {
            Some(_) => Target::Value,
            None => Target::Toplevel,
        };
        let begun = Instant::now();
        let evaluation = self.evaluate(modules, target, Some(measure.clone()), &self.pin.locked)?;
        let process = milliseconds(begun.elapsed());
        Ok(Measurement {
            evaluated: evaluation.release()?,
            process,
        })
    }

    /// Fails if the flake has changed since the start of the benchmark.
    pub fn is_still(&self) -> Result<()> {
        let Some(UnlockedReference { reference, .. }) = &self.reference else {
            return Ok(());
        };
        let evaluation = self.evaluate(&[], Target::Source, None, reference)?;
        if evaluation.release()?.source == self.pin.source {
            return Ok(());
        }
        let flake = self.pin.url.clone();
        Err(BenchError::FlakeChanged { flake }.into())
    }

    fn evaluate(
        &self,
        modules: &[ModuleRequest],
        target: Target,
        measure: Option<Measure>,
        reference: &str,
    ) -> Result<runtime_module_nix::evaluation::Evaluation> {
        let session = self.session;
        let mut flake = FlakeReference {
            reference: reference.into(),
            ..FlakeReference::of(&self.pin, &session.here)
        };
        if let Some(changing) = &self.reference
            && target == Target::Source
        {
            flake.base_directory.clone_from(&changing.base);
            flake.input_overrides.clone_from(&changing.input_overrides);
        }
        let request = EvaluationRequest {
            modules: modules.to_vec(),
            measure,
            ..EvaluationRequest::of(
                session.settings(true, 0),
                EvaluationSource::Flake(flake),
                &self.pin.host,
                target,
            )
        };
        let evaluator = session.evaluator(&request.settings)?;
        evaluate(
            evaluator,
            &request,
            &session.interrupts,
            &Reporter::silent(),
        )
    }
}

/// Runs the tasks of a benchmark, and then checks that the trees of its subjects are unchanged.
pub fn run_rounds(
    session: &NixSession,
    tasks: Vec<BenchTask<'_>>,
    rules: Rules,
    subjects: &[&Subject<'_>],
) -> Result<Rounds> {
    let rounds = rounds::run(tasks, rules, &session.interrupts, &session.reporter)?;
    if !rounds.interrupted {
        for subject in subjects {
            subject.is_still()?;
        }
    }
    Ok(rounds)
}

fn locked(session: &NixSession, libnix: &Libnix, to_pin: &ToPin<'_>) -> Result<Pin> {
    let pinned = interruptible(&session.interrupts, || pin(libnix, to_pin));
    Ok(pinned??.0)
}

/// The result of one evaluator.
pub struct Measurement {
    pub evaluated: Evaluated,
    /// Milliseconds from the start of the evaluator to its answer.
    process: f64,
}

impl Measurement {
    /// Returns the samples: the first pass for the first series, the second pass for the second.
    pub fn samples(&self, series: &[&str]) -> Vec<NamedSample> {
        let measured = &self.evaluated.measured;
        let pairs = series.iter().zip(&measured.passes).enumerate();
        pairs
            .map(|(index, (name, pass))| NamedSample {
                series: (*name).to_string(),
                sample: Sample {
                    // The process time covers all passes, so it is recorded only if there is a
                    // single pass.
                    process: (index == 0 && measured.passes.len() == 1).then_some(self.process),
                    lock: (index == 0).then_some(measured.lock),
                    ..sample(pass)
                },
            })
            .collect()
    }

    /// Returns the time that our own expression took.
    pub fn overhead(&self) -> f64 {
        self.evaluated.measured.overhead
    }
}

fn sample(pass: &Pass) -> Sample {
    Sample {
        milliseconds: pass.milliseconds,
        ran: Some(pass.ran),
        waited: pass.waited,
        others: pass.others,
        counters: Some(pass.counters.clone()),
        ..Sample::default()
    }
}
