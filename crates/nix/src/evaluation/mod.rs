//! Evaluation, from the requested modules to the toplevel's `.drv`.
//!
//! This is the client's side. It starts the evaluator, forwards the evaluator's events, and returns
//! the answer. It evaluates nothing: `evaluator.rs` evaluates the expression in `system.nix`.

mod advice;
mod answer;
mod assertions;
mod evaluator;
mod explain;
mod expression;
mod expressions;
mod fetching;
mod heap;
mod in_file;
mod measure;
mod misnamed;
mod missing_argument;
mod missing_file;
mod opened;
mod overridden;
mod packages;
mod pin;
mod trees;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::attributes::written;
use crate::error::{EvaluationAction, Failed, Known};
use crate::facts::Facts;
use crate::input_graph::graph_lock;
use crate::interrupt::Interrupts;
use crate::libnix::{Activity, Event, Position, Settings};
use crate::messages::{greet, receive};
use crate::option_names::SettableOptions;
use crate::overrides::Definition;
use crate::progress::Reporter;
use crate::record::{ExtraModule, Pin, PinnedInput, SystemFile};
use crate::registry::{ModuleRequest, Registered};
use crate::timings::{Counters, Phase};
use crate::worker::{EvaluatorProcess, EvaluatorStart, Stopper};

pub use answer::read;
pub use evaluator::{option_meant, run as evaluator_role};
pub use explain::error as explain_error;
pub use expression::{SYSTEM, SYSTEM_TEXT, text};
pub use expressions::{DependentString, ExpressionValue, ValueExpression};
pub use heap::{Memory, available};
pub use measure::{Forced, Measure, Measured, Pass, RepeatedOverrides};
pub use opened::Opened;
pub use overridden::DescribedOption;
pub use pin::{ToPin, lock_inputs, lock_text, pin, revision_of, short_revision};

/// A request to the evaluator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Settings to open libnix with.
    pub settings: Settings,
    /// The source to evaluate.
    pub flake: FlakeSource,
    /// Entry of `nixosConfigurations`.
    pub host: String,
    /// Modules to extend the host with, in the order of evaluation if that is known.
    pub modules: Vec<ModuleRequest>,
    /// Modules that are not part of the configuration. They follow all others, in this order.
    #[serde(default)]
    pub extras: Vec<ExtraRequest>,
    /// The specialisation to evaluate; `None` for the host itself.
    #[serde(default)]
    pub specialisation: Option<String>,
    /// The option overrides. They follow all modules, in this order.
    #[serde(default)]
    pub overrides: Vec<Definition>,
    /// New overrides, whose options are described and whose values are checked.
    #[serde(default)]
    pub describe: Vec<Definition>,
    /// Whether to list the options that can be set, after the evaluation.
    #[serde(default)]
    pub list_options: bool,
    /// Expressions of the user, for [`Target::Expressions`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<ValueExpression>,
    /// The value to evaluate.
    pub target: Target,
    /// The measurement of a benchmark; `None` if nothing is measured.
    #[serde(default)]
    pub measure: Option<Measure>,
}

impl Request {
    /// Makes a request for the host alone: without modules, overrides, expressions and a
    /// measurement.
    pub fn of(settings: Settings, flake: FlakeSource, host: &str, target: Target) -> Self {
        Self {
            settings: flake.settings(settings),
            flake,
            host: host.into(),
            modules: Vec::new(),
            extras: Vec::new(),
            specialisation: None,
            overrides: Vec::new(),
            describe: Vec::new(),
            list_options: false,
            expressions: Vec::new(),
            target,
            measure: None,
        }
    }
}

/// The flake, or the file, to evaluate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlakeSource {
    /// The requested reference, for messages.
    pub url: String,
    /// The reference for libnix.
    pub reference: String,
    /// The directory that relative paths in the reference are relative to.
    #[serde(serialize_with = "as_text")]
    pub base_directory: PathBuf,
    /// Replaced inputs: name and reference.
    pub overrides: Vec<(String, String)>,
    /// Text of the lock to use instead of the flake's own; `None` for the flake's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Additional attributes of `self`; see [`crate::record::Pin::extra`].
    pub extra: Vec<(String, String)>,
    /// The file, if the source is not a flake. If set, the other fields have no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SystemFile>,
}

impl FlakeSource {
    /// Makes the source of a pin. `here` is the current directory.
    pub fn of(pin: &Pin, here: &Path) -> Self {
        Self {
            url: pin.url.clone(),
            reference: pin.locked.clone(),
            base_directory: here.into(),
            overrides: pin.replaced(),
            // This cannot fail: a damaged graph was dropped when the pin was read.
            lock: graph_lock(pin).unwrap_or_default(),
            extra: pin.extra.clone(),
            file: pin.file.clone(),
        }
    }

    /// Returns the settings to evaluate this source with. The evaluation of a file is impure.
    pub fn settings(&self, settings: Settings) -> Settings {
        Settings {
            impure: settings.impure || self.file.is_some(),
            ..settings
        }
    }
}

/// Serialises the base directory as text, which loses bytes that are not UTF-8. A pinned source has
/// an absolute path, so it does not need the base directory.
fn as_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// A module that is not part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraRequest {
    /// The reference as the user typed it.
    pub name: String,
    /// Store path of the file or folder; `None` for a module of another flake.
    pub path: Option<String>,
    /// The other flake.
    pub flake: Option<FlakeSource>,
    /// The output of that flake.
    pub attribute: Option<String>,
}

impl ExtraRequest {
    /// Makes the request for a pinned module. `here` is the current directory.
    pub fn of(extra: &ExtraModule, here: &Path) -> Self {
        let flake = extra.flake.as_deref();
        Self {
            name: extra.name.clone(),
            path: flake.is_none().then(|| extra.source.clone()),
            flake: flake.map(|pin| FlakeSource::of(pin, here)),
            attribute: flake.map(|pin| pin.host.clone()),
        }
    }
}

/// The value to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Names and descriptions of all modules.
    Registry,
    /// The extended host's toplevel.
    Toplevel,
    /// The extended host's toplevel, and the toplevel of the host itself.
    ToplevelAndBase,
    /// A single value: [`Measure::forced`].
    Value,
    /// The values of [`Request::expressions`].
    Expressions,
    /// Only the store path of the locked flake.
    Source,
}

/// A message from the evaluator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// An event of libnix.
    Libnix { event: Event },
    /// The end of a phase, and its duration.
    Phase { phase: Phase, milliseconds: f64 },
    /// Warnings of the configuration.
    Warnings { warnings: Vec<String> },
    /// The result. The evaluator keeps running, and protects its results, until the client
    /// disconnects.
    Done { evaluated: Box<Evaluated> },
    /// The evaluation failed.
    Failed {
        failed: Failed,
        places: Vec<Position>,
    },
}

/// The result of an evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evaluated {
    /// The extended host's toplevel.
    pub toplevel: Option<Derivation>,
    /// The toplevel of the host itself, if requested.
    pub base: Option<Derivation>,
    /// All modules, if requested.
    pub registry: Vec<Registered>,
    /// Whether modules come from the NixOS module of nixos-runtime-modules.
    pub foreign_modules: bool,
    /// The options of the new overrides, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub described: Vec<DescribedOption>,
    /// The options that can be set, if requested. Not cached with the result.
    #[serde(skip_serializing_if = "SettableOptions::is_empty")]
    pub settable: SettableOptions,
    /// The values of the user's expressions, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<ExpressionValue>,
    /// Warnings of the configuration.
    pub warnings: Vec<String>,
    /// Facts for activation.
    pub facts: Facts,
    /// Inputs that the flake's own lock does not contain, as they were locked.
    pub inputs: Vec<PinnedInput>,
    /// Store path of the evaluated flake.
    pub source: String,
    /// The lock that was used, as JSON. Not cached with the result, because it is part of the cache
    /// key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lock: String,
    /// Whether the lock differs from the flake's `flake.lock`.
    pub lock_changed: bool,
    /// Whether evaluation needed the output of a derivation (import from derivation), built or not.
    pub imports_derivations: bool,
    /// Counters of the evaluator.
    pub counters: Counters,
    /// The measurement of a benchmark.
    pub measured: Measured,
}

/// Store paths of a derivation and of its output `out`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derivation {
    /// The `.drv` file.
    pub drv: String,
    /// The output, which need not exist.
    pub out: String,
}

/// A finished evaluation, and the process that protects its results from the garbage collector
/// until this value is dropped.
pub struct Evaluation {
    /// The result.
    pub evaluated: Evaluated,
    process: Option<EvaluatorProcess>,
}

impl Evaluation {
    /// Tells the evaluator to exit. Call this after the results are protected in another way. Does
    /// not wait for the exit, because the kernel needs a while to free a gigabyte of memory.
    pub fn let_go(&self) {
        if let Some(process) = &self.process {
            process.hang_up();
        }
    }

    /// Waits until the evaluator has exited and its memory is free. Adds its counters to the
    /// result.
    pub fn release(mut self) -> Result<Evaluated> {
        if let Some(process) = self.process.take() {
            let peak = self.evaluated.counters.peak_bytes;
            let files = self.evaluated.counters.files;
            let initial = self.evaluated.counters.initial_heap_bytes;
            let counted = Counters::each_from_statistics(&process.finish()?.stdout);
            self.evaluated.counters = Counters {
                peak_bytes: peak,
                files,
                initial_heap_bytes: initial,
                ..counted.first().cloned().unwrap_or_default()
            };
            self.evaluated.measured.count(&counted, initial);
        }
        Ok(self.evaluated)
    }
}

pub struct Waiting {
    process: EvaluatorProcess,
    initial_heap: Option<u64>,
}

impl Waiting {
    /// Starts an evaluator process. While it starts, the client can open libnix.
    pub fn start(memory: Memory) -> Result<Self> {
        let start = EvaluatorStart {
            initial_heap: memory.initial_heap(),
            template: false,
        };
        Ok(Self {
            process: EvaluatorProcess::start(&start)?,
            initial_heap: start.initial_heap,
        })
    }

    /// Forks an evaluator from this process, which must not have other threads. This is much faster
    /// than starting a program. With `settings`, the evaluator opens libnix while the client is
    /// still planning.
    pub fn fork(memory: Memory, settings: Option<Settings>) -> Result<Self> {
        let start = EvaluatorStart {
            initial_heap: memory.initial_heap(),
            template: false,
        };
        Ok(Self {
            process: EvaluatorProcess::fork(&start, || {
                crate::end_of_role(evaluator::run(settings))
            })?,
            initial_heap: start.initial_heap,
        })
    }

    /// Returns a handle with which another thread can stop the evaluator.
    pub fn stopper(&self) -> Stopper {
        self.process.stopper()
    }
}

/// Evaluates in a separate process.
pub fn evaluate(
    evaluator: Waiting,
    request: &Request,
    interrupts: &Interrupts,
    reporter: &Reporter,
) -> Result<Evaluation> {
    let Waiting {
        mut process,
        initial_heap,
    } = evaluator;
    let stopper = process.stopper();
    let guard = interrupts.on_interrupt(move || stopper.stop());
    let outcome = converse(&mut process, request, reporter);
    drop(guard);
    interrupts.check()?;
    match outcome? {
        Some(Ok(mut evaluated)) => {
            evaluated.counters.initial_heap_bytes = initial_heap.unwrap_or(0);
            evaluated.counters.files = reporter.files().len() as u64;
            Ok(Evaluation {
                evaluated,
                process: Some(process),
            })
        }
        Some(Err(failed)) => {
            process.finish()?;
            Err(failed.into())
        }
        None => Err(explain::crash(request, &process.finish()?).into()),
    }
}

/// Sends the request and handles messages until the answer arrives. Returns `None` if the evaluator
/// exits without an answer.
fn converse(
    process: &mut EvaluatorProcess,
    request: &Request,
    reporter: &Reporter,
) -> Result<Option<Result<Evaluated, Failed>>> {
    if greet(&mut process.messages)?.is_none() {
        return Ok(None);
    }
    match process.request(request) {
        // The process died after its greeting, so nothing reads the request.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some() => return Ok(None),
        sent => sent?,
    }
    reporter.begin(Phase::Lock);
    let mut evaluating = false;
    let mut imports_derivations = false;
    loop {
        match receive(&mut process.messages) {
            Ok(Some(Answer::Libnix { event })) => {
                imports_derivations |= evaluating && realises(&event);
                reporter.libnix(event);
            }
            Ok(Some(Answer::Warnings { warnings })) => reporter.warnings(&warnings),
            Ok(Some(Answer::Phase {
                phase,
                milliseconds,
            })) => {
                reporter.end_after(phase, milliseconds);
                if phase == Phase::Lock {
                    evaluating = true;
                    reporter.begin(Phase::Evaluate);
                }
            }
            Ok(Some(Answer::Done { evaluated })) => {
                return Ok(Some(Ok(Evaluated {
                    imports_derivations,
                    ..*evaluated
                })));
            }
            Ok(Some(Answer::Failed { failed, places })) => {
                return Ok(Some(Err(Failed { places, ..failed })));
            }
            Ok(None) => return Ok(None),
            // If the connection breaks, the process has died.
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Returns whether an event reports that a path is being realised. libnix also reports this if the
/// path already exists (NixOS/nix, `src/libstore/build/worker.cc`), and if the path is only
/// fetched, not built.
fn realises(event: &Event) -> bool {
    matches!(
        event,
        Event::Start {
            activity: Activity::Realise,
            ..
        }
    )
}

/// Returns the known errors of Nix and nixpkgs, with hints.
pub fn known_errors() -> &'static [Known] {
    advice::KNOWN
}

/// Returns the action of a request, for messages.
fn action(request: &Request) -> EvaluationAction {
    let modules = request.modules.iter().map(|module| module.name.as_str());
    let extras = request.extras.iter().map(|extra| extra.name.as_str());
    let names: Vec<&str> = modules.chain(extras).collect();
    let system = match &request.flake.file {
        Some(file) => file.words(),
        None => format!("host '{}'", request.host),
    };
    let measure = request.measure.as_ref();
    if request.host.is_empty() && request.flake.file.is_none() {
        EvaluationAction::ListHosts
    } else if let Some(forced) = measure.and_then(|measure| measure.forced.as_ref()) {
        EvaluationAction::Measure(forced.name(&request.host))
    } else if let [expression] = request.expressions.as_slice() {
        EvaluationAction::Express(written(&expression.path))
    } else if request.target == Target::Registry {
        EvaluationAction::ListModules(system)
    } else if names.is_empty() {
        EvaluationAction::Evaluate(system)
    } else {
        EvaluationAction::Evaluate(format!("{system} with {}", names.join(", ")))
    }
}
