//! The stage that evaluates: from what is to be on to the toplevel's `.drv`.
//!
//! The client's side: starts the evaluator, passes its events on, and returns its answer. Nothing is evaluated here; see
//! `evaluator.rs` for that, and `system.nix` for what is evaluated.

mod advice;
mod assertions;
mod evaluator;
mod explain;
mod fetching;
mod heap;
mod in_file;
mod input_graph;
mod local;
mod measure;
mod misnamed;
mod missing_argument;
mod missing_file;
mod opened;
mod packages;
mod pin;
mod trees;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::error::{Failed, Failure, Known};
use crate::interrupt::Interrupts;
use crate::libnix::{Activity, Event, Position, Settings};
use crate::progress::Reporter;
use crate::record::{ExtraModule, Pin, PinnedInput, SystemFile};
use crate::registry::{Origin, Registered};
use crate::timings::{Counters, Phase};
use crate::worker::{EvaluatorProcess, EvaluatorStart, Stopper, greet, receive};

pub use evaluator::{SYSTEM, SYSTEM_TEXT, option_meant, read, run as evaluator_role, text};
pub use explain::{error as explain_error, unknown_modules};
pub use heap::{Memory, available};
pub use input_graph::{graph_lock, graph_revision};
pub use local::{as_git, usual_folder};
pub use measure::{Forced, Measure, Measured, Overrides, Pass};
pub use opened::Opened;
pub use pin::{
    Host, REMOTE_BUILDERS, ToPin, directory, lock_inputs, lock_text, pin, revision_of,
    short_revision,
};

/// What the evaluator is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// How to open libnix.
    pub settings: Settings,
    /// The source.
    pub flake: FlakeSource,
    /// Entry of `nixosConfigurations`.
    pub host: String,
    /// Modules to extend it with, in the order of evaluation as far as that is known.
    pub modules: Vec<ModuleRequest>,
    /// Modules that are no part of the configuration, in their order, after all others.
    #[serde(default)]
    pub extras: Vec<ExtraRequest>,
    /// The variant of the host that is meant; none for the host itself.
    #[serde(default)]
    pub specialisation: Option<String>,
    /// What to evaluate.
    pub target: Target,
    /// What a benchmark measures; none where nothing is measured.
    #[serde(default)]
    pub measure: Option<Measure>,
}

impl Request {
    /// The host as it is, down to `target`; nothing is measured.
    pub fn of(settings: Settings, flake: FlakeSource, host: &str, target: Target) -> Self {
        Self {
            settings: flake.settings(settings),
            flake,
            host: host.into(),
            modules: Vec::new(),
            extras: Vec::new(),
            specialisation: None,
            target,
            measure: None,
        }
    }
}

/// A flake to evaluate, or a file that stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlakeSource {
    /// The reference that was asked for, for people.
    pub url: String,
    /// The reference.
    pub reference: String,
    /// What a relative path in it is relative to.
    #[serde(serialize_with = "as_text")]
    pub base_directory: PathBuf,
    /// Inputs that are replaced: name and reference.
    pub overrides: Vec<(String, String)>,
    /// The text of the lock to use, whatever the flake's own says; none for that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// What `self` shows beside: see [`crate::record::Pin::extra`].
    pub extra: Vec<(String, String)>,
    /// The file, where it is no flake at all; what is above says nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SystemFile>,
}

impl FlakeSource {
    /// The source that a pin names, asked for from the folder `here`.
    pub fn of(pin: &Pin, here: &Path) -> Self {
        Self {
            url: pin.url.clone(),
            reference: pin.locked.clone(),
            base_directory: here.into(),
            overrides: pin.replaced(),
            // One that is damaged was left out when it was read.
            lock: graph_lock(pin).unwrap_or_default(),
            extra: pin.extra.clone(),
            file: pin.file.clone(),
        }
    }

    /// How libnix is opened to evaluate it: of a file nothing is pure.
    pub fn settings(&self, settings: Settings) -> Settings {
        Settings {
            impure: settings.impure || self.file.is_some(),
            ..settings
        }
    }
}

/// A path in a message, which is text. What is pinned is named by an absolute path, and needs no other to be found by.
fn as_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// A module to extend the host with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleRequest {
    /// Its name.
    pub name: String,
    /// Its file, relative to the top of the flake's source tree; none where it is no file of the flake.
    pub file: Option<String>,
    /// Where it is declared; none where that is still to be found out.
    pub origin: Option<Origin>,
}

impl ModuleRequest {
    /// The module of that name, wherever it is declared.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            file: None,
            origin: None,
        }
    }
}

/// A module that is no part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraRequest {
    /// As it was asked for.
    pub name: String,
    /// Store path of the file or folder; none for a module of another flake.
    pub path: Option<String>,
    /// The other flake.
    pub flake: Option<FlakeSource>,
    /// Which of its outputs.
    pub attribute: Option<String>,
}

impl ExtraRequest {
    /// What was pinned of it, asked for from the folder `here`.
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

/// What to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The names and descriptions of the modules there are.
    Registry,
    /// The extended host's toplevel.
    Toplevel,
    /// The same, and the toplevel of the host by itself.
    ToplevelAndBase,
    /// Any one value: [`Measure::forced`].
    Value,
    /// Nothing but where the locked flake lies in the store.
    Source,
}

/// What the evaluator says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// libnix reports something.
    Libnix { event: Event },
    /// A phase ended, after so many milliseconds.
    Phase { phase: Phase, milliseconds: f64 },
    /// The configuration's own warnings.
    Warnings { warnings: Vec<String> },
    /// Done. It stays, and keeps what it made, until it is let go.
    Done { evaluated: Box<Evaluated> },
    /// It failed.
    Failed {
        failed: Failed,
        places: Vec<Position>,
    },
}

/// What an evaluation gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evaluated {
    /// The extended host's toplevel.
    pub toplevel: Option<Derivation>,
    /// The toplevel of the host by itself, where it was asked for.
    pub base: Option<Derivation>,
    /// The modules there are, where that was asked for.
    pub registry: Vec<Registered>,
    /// Whether modules come from the NixOS module of nixos-runtime-modules.
    pub foreign_modules: bool,
    /// The configuration's own warnings.
    pub warnings: Vec<String>,
    /// What activation wants to know.
    pub facts: Facts,
    /// Inputs that the flake's own lock does not hold, as they were locked.
    pub inputs: Vec<PinnedInput>,
    /// Where the evaluated flake lies in the store.
    pub source: String,
    /// The lock as it was used, JSON; not remembered with the result, as its key has it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lock: String,
    /// Whether the lock is another one than that of the flake's own file.
    pub lock_changed: bool,
    /// Whether it asked for the output of a derivation, built or not: import from derivation.
    pub imports_derivations: bool,
    /// What the evaluator counted.
    pub counters: Counters,
    /// What a benchmark measured.
    pub measured: Measured,
}

/// A derivation and its output `out`, store paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derivation {
    /// The derivation.
    pub drv: String,
    /// Its output, there or not.
    pub out: String,
}

/// What activation wants to know before anything is built. `None`: the configuration does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// `networking.hostName`.
    pub host_name: Option<String>,
    /// Store path of the kernel.
    pub kernel: Option<String>,
    /// Store path of the initial RAM disk.
    pub initrd: Option<String>,
    /// Store path of the kernel's modules.
    pub modules_tree: Option<String>,
    /// Store path of the firmware.
    pub firmware: Option<String>,
    /// Parameters of the kernel.
    pub kernel_params: Option<Vec<String>>,
    /// Kernel modules to load.
    pub kernel_modules: Option<Vec<String>>,
    /// Whether the system has a switch program.
    pub switchable: Option<bool>,
    /// `system.switch.inhibitors`: names and values that must not change while the machine runs.
    pub switch_inhibitors: Option<serde_json::Value>,
}

/// An evaluation that is done, and the process that keeps its results from the collector until it is dropped.
pub struct Evaluation {
    /// What it gave.
    pub evaluated: Evaluated,
    process: Option<EvaluatorProcess>,
}

impl Evaluation {
    /// Lets the evaluator end, once somebody else keeps the results. Giving a gigabyte back takes the kernel a while,
    /// in which other work can be done.
    pub fn let_go(&self) {
        if let Some(process) = &self.process {
            process.hang_up();
        }
    }

    /// Waits until the evaluator is gone, and its memory with it; fills in what it counted.
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

/// An evaluator that waits for a request.
pub struct Waiting {
    process: EvaluatorProcess,
    initial_heap: Option<u64>,
}

impl Waiting {
    /// Starts one. Loading libnix takes it some time, in which the client can open it too.
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

    /// Makes one out of this process as long as it has no other threads; much quicker. Given `settings`, it opens
    /// libnix while the client still thinks.
    pub fn fork(memory: Memory, settings: Option<Settings>) -> Result<Self> {
        let start = EvaluatorStart {
            initial_heap: memory.initial_heap(),
            template: false,
        };
        Ok(Self {
            process: EvaluatorProcess::fork(&start, || crate::role(evaluator::run(settings)))?,
            initial_heap: start.initial_heap,
        })
    }

    /// A handle by which another thread can stop it.
    pub fn stopper(&self) -> Stopper {
        self.process.stopper()
    }
}

/// Evaluates in a process of its own.
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

/// Asks, and listens until the answer is there. `None`: the evaluator ended without one.
fn converse(
    process: &mut EvaluatorProcess,
    request: &Request,
    reporter: &Reporter,
) -> Result<Option<Result<Evaluated, Failed>>> {
    if greet(&mut process.messages)?.is_none() {
        return Ok(None);
    }
    match process.request(request) {
        // Nobody reads it: the process died since its greeting.
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
            // A connection that breaks off is a process that died.
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Whether the store is asked to see to it that something is there, which libnix says also where it already is (the worker
/// of NixOS/nix, `src/libstore/build/worker.cc`). What evaluation fetches that way, and does not build, counts as well.
fn realises(event: &Event) -> bool {
    matches!(
        event,
        Event::Start {
            activity: Activity::Realise,
            ..
        }
    )
}

/// What Nix and nixpkgs say most, and what to do about it.
pub fn known_errors() -> &'static [Known] {
    advice::KNOWN
}

/// The names of what is evaluated, for messages.
fn subject(request: &Request) -> String {
    let modules = request.modules.iter().map(|module| module.name.as_str());
    let extras = request.extras.iter().map(|extra| extra.name.as_str());
    let names: Vec<&str> = modules.chain(extras).collect();
    let host = match &request.flake.file {
        Some(file) => file.words(),
        None => format!("host '{}'", request.host),
    };
    let forced = request
        .measure
        .as_ref()
        .and_then(|measure| measure.forced.as_ref());
    if request.host.is_empty() && request.flake.file.is_none() {
        "list the hosts".into()
    } else if let Some(forced) = forced {
        format!("measure {}", forced.name(&request.host))
    } else if request.target == Target::Registry {
        format!("list the modules of {host}")
    } else if names.is_empty() {
        format!("evaluate {host}")
    } else {
        format!("evaluate {host} with {}", names.join(", "))
    }
}

/// The failure of an evaluation.
fn failure(message: impl Into<String>) -> Failed {
    Failure::Evaluation.error(message)
}
