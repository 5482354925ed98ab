//! The client's side of an evaluation: starts the evaluator, forwards its events, and returns its
//! answer.

use anyhow::Result;

use super::{Evaluated, EvaluationRequest, EvaluatorMessage, Memory, evaluator, explain};
use crate::error::{Failed, Failure};
use crate::interrupt::Interrupts;
use crate::libnix::{Activity, Event, Settings};
use crate::messages::{greet, receive};
use crate::progress::Reporter;
use crate::timings::{Counters, Phase};
use crate::worker::{EvaluatorProcess, EvaluatorStart, Stopper};

/// A finished evaluation, and the process that protects its results from the garbage collector
/// until this value is dropped.
pub struct Evaluation {
    /// The result.
    pub evaluated: Evaluated,
    process: Option<EvaluatorProcess>,
}

impl Evaluation {
    /// Tells the evaluator to exit, which ends its protection of the results from garbage
    /// collection. Protect them first, for example with temporary GC roots. Does not wait for the
    /// exit, because the kernel needs a while to free a gigabyte of memory.
    pub fn stop_evaluator(&self) {
        if let Some(process) = &self.process {
            process.disconnect();
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

/// An evaluator that has no request yet.
pub struct Waiting {
    process: EvaluatorProcess,
    initial_heap: Option<u64>,
    /// Whether its greeting was received.
    greeted: bool,
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
            greeted: false,
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
            greeted: false,
        })
    }

    /// Returns a handle with which another thread can stop the evaluator.
    pub fn stopper(&self) -> Stopper {
        self.process.stopper()
    }

    /// Waits until this evaluator, which was forked with settings, has opened its store or exited.
    pub fn wait_for_store(&mut self, interrupts: &Interrupts) -> Result<()> {
        let stopper = self.stopper();
        let guard = interrupts.on_interrupt(move || stopper.stop());
        let opened = self.store_opened();
        drop(guard);
        interrupts.check()?;
        match opened {
            // The evaluator has died, which its request will notice.
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => Ok(()),
            opened => opened,
        }
    }

    fn store_opened(&mut self) -> Result<()> {
        let messages = &mut self.process.messages;
        if !self.greeted && greet(messages)?.is_some() {
            self.greeted = true;
            // This is the first message after the greeting, or the evaluator exits without it.
            receive::<EvaluatorMessage>(messages)?;
        }
        Ok(())
    }
}

/// Evaluates in a separate process.
pub fn evaluate(
    evaluator: Waiting,
    request: &EvaluationRequest,
    interrupts: &Interrupts,
    reporter: &Reporter,
) -> Result<Evaluation> {
    let Waiting {
        mut process,
        initial_heap,
        greeted,
    } = evaluator;
    let stopper = process.stopper();
    let guard = interrupts.on_interrupt(move || stopper.stop());
    let outcome = converse(&mut process, greeted, request, reporter);
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
    greeted: bool,
    request: &EvaluationRequest,
    reporter: &Reporter,
) -> Result<Option<Result<Evaluated, Failed>>> {
    if !greeted && greet(&mut process.messages)?.is_none() {
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
            Ok(Some(EvaluatorMessage::Libnix { event })) => {
                imports_derivations |= evaluating && realises(&event);
                reporter.libnix(event);
            }
            // Only the client that opens the store after the evaluator waits for this message.
            Ok(Some(EvaluatorMessage::StoreOpened)) => {}
            Ok(Some(EvaluatorMessage::Warnings { warnings })) => reporter.warnings(&warnings),
            Ok(Some(EvaluatorMessage::Phase {
                phase,
                milliseconds,
            })) => {
                reporter.end_after(phase, milliseconds);
                if phase == Phase::Lock {
                    evaluating = true;
                    reporter.begin(Phase::Evaluate);
                }
            }
            Ok(Some(EvaluatorMessage::Done { evaluated })) => {
                return Ok(Some(Ok(Evaluated {
                    imports_derivations,
                    ..*evaluated
                })));
            }
            Ok(Some(EvaluatorMessage::Failed { failed, places })) => {
                return Ok(Some(Err(Failed {
                    places,
                    by_configuration: evaluating && failed.failure == Failure::Evaluation,
                    ..failed
                })));
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
