//! Compares the running system without its modules (the base) with the system that its pinned
//! source evaluates to, once for each base.
//!
//! With more than one processor and enough memory, a second evaluator does this in parallel with
//! the evaluation of the change. Changes only the cache.

use std::cell::{Cell, OnceCell, RefCell};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use runtime_module_core::pipeline::BaseReport;

use super::cached::CacheUse;
use super::input_differences::describe_inputs;
use super::system_build::SystemBuild;
use crate::choice::Allow;
use crate::error::{Failed, PipelineError, describe};
use crate::evaluation::{
    Evaluated, EvaluationRequest, Memory, Target, Waiting, available, evaluate, lock_text,
};
use crate::interrupt::Interrupts;
use crate::libnix::Libnix;
use crate::progress::Reporter;
use crate::record::{ComparedBase, Pin, Source};
use crate::session::{NixSession, memory};
use crate::timings::{Phase, milliseconds};
use crate::worker::Stopper;

/// Memory that must be available for a second parallel evaluator, in bytes.
const SPARE_MEMORY: u64 = 6 << 30;

/// The result of an evaluation and its duration.
type TimedEvaluation = (Result<Evaluated>, Duration);

/// The comparison of one base with its pin.
pub struct BaseCheck<'a> {
    session: &'a NixSession,
    /// The base to compare; `None` if there is nothing to compare.
    subject: Option<ComparedSource>,
    /// The running second evaluator.
    second: Cell<Option<SecondEvaluator>>,
    verdict: OnceCell<BaseVerdict>,
    /// The duration of the evaluation; `None` if the result was cached.
    took: Cell<Option<Duration>>,
}

/// The base to compare, and its source.
struct ComparedSource {
    purpose: String,
    base: String,
    request: EvaluationRequest,
    pin: Pin,
    cache: RefCell<CacheUse>,
    /// The sources of the inputs that the running system was built with, if the system records
    /// them.
    baked_inputs: Option<Vec<String>>,
}

/// An evaluation on its own thread.
struct SecondEvaluator {
    thread: JoinHandle<TimedEvaluation>,
    stopper: Stopper,
}

/// The result of the comparison.
#[derive(Clone, Debug)]
enum BaseVerdict {
    /// There is nothing to compare, or the base was compared before.
    Settled,
    /// The pin evaluates to this toplevel.
    Gives(String),
    /// Evaluation without modules failed.
    Failed(Box<Failed>),
}

impl<'a> BaseCheck<'a> {
    /// Begins the comparison unless this pin and base were compared before. `request` is the
    /// request of the change.
    pub fn begin(
        build: &SystemBuild<'a>,
        source: &Source,
        request: &EvaluationRequest,
    ) -> Result<Self> {
        let SystemBuild {
            session,
            libnix,
            situation,
            plan,
        } = build;
        let mut check = Self {
            session,
            subject: None,
            second: Cell::new(None),
            verdict: OnceCell::new(),
            took: Cell::new(None),
        };
        let Some((base, pin)) = uncompared(plan.expected.as_deref(), source) else {
            let _ = check.verdict.set(BaseVerdict::Settled);
            return Ok(check);
        };
        let request = EvaluationRequest {
            modules: Vec::new(),
            extras: Vec::new(),
            overrides: Vec::new(),
            describe: Vec::new(),
            target: Target::Toplevel,
            ..request.clone()
        };
        let mut cache = CacheUse::new(session, libnix, &request, source);
        let found = cache.find(libnix, false, |found| {
            found.toplevel.iter().cloned().collect()
        })?;
        if let Some(toplevel) = found.and_then(|found| found.evaluated.toplevel) {
            cache.used();
            let _ = check.verdict.set(BaseVerdict::Gives(toplevel.out));
        } else if let Some(memory) = second_evaluator(session) {
            check.second = Cell::new(Some(SecondEvaluator::start(session, memory, &request)?));
        }
        let baked = situation
            .baked
            .as_ref()
            .and_then(|baked| baked.flake.as_ref());
        check.subject = Some(ComparedSource {
            purpose: plan.purpose.clone(),
            base: base.into(),
            request,
            pin: Pin::clone(pin),
            cache: RefCell::new(cache),
            baked_inputs: baked
                .filter(|_| pin.baked)
                .map(|flake| flake.inputs.clone()),
        });
        Ok(check)
    }

    /// Finishes the comparison: waits for the second evaluator, or evaluates the base now.
    pub fn finish(&self) -> Result<()> {
        let Some(subject) = self
            .subject
            .as_ref()
            .filter(|_| self.verdict.get().is_none())
        else {
            return Ok(());
        };
        let session = self.session;
        let begun = Instant::now();
        let outcome = match self.second.take() {
            Some(second) => {
                let outcome = second.wait();
                session.interrupts.check()?;
                // Two parallel evaluators may need too much memory, so retry a failure with one.
                match outcome {
                    (Err(_), _) => evaluate_now(session, &subject.request)?,
                    whole => whole,
                }
            }
            None => evaluate_now(session, &subject.request)?,
        };
        session.interrupts.check()?;
        let (outcome, took) = outcome;
        let took = took.max(begun.elapsed());
        session
            .reporter
            .end_after(Phase::Compare, milliseconds(took));
        let verdict = match outcome {
            Ok(evaluated) => subject.keep(&evaluated, took),
            Err(error) => BaseVerdict::Failed(Box::new(describe(&error))),
        };
        let _ = self.verdict.set(verdict);
        self.took.set(Some(took));
        Ok(())
    }

    /// Returns the result to store in the pin.
    pub fn compared(&self) -> Option<ComparedBase> {
        let subject = self.subject.as_ref()?;
        match self.verdict.get()? {
            BaseVerdict::Gives(evaluated) => Some(ComparedBase {
                toplevel: subject.base.clone(),
                evaluated: evaluated.clone(),
            }),
            BaseVerdict::Settled | BaseVerdict::Failed(_) => None,
        }
    }

    /// Returns the result for the report; `None` if nothing was compared, or if the pin does not
    /// evaluate.
    pub fn report(&self) -> Option<BaseReport> {
        let compared = self.compared()?;
        Some(BaseReport {
            same: compared.evaluated == compared.toplevel,
            cached: self.took.get().is_none(),
            milliseconds: self.took.get().map_or(0.0, milliseconds),
        })
    }

    /// Returns the refusal if the pin does not evaluate to the base.
    pub fn refusal(&self, libnix: &Libnix) -> Option<(Allow, Failed)> {
        let subject = self.subject.as_ref()?;
        let purpose = subject.purpose.as_str().into();
        let (refusal, details) = match self.verdict.get()? {
            BaseVerdict::Settled => return None,
            BaseVerdict::Gives(evaluated) if *evaluated == subject.base => return None,
            BaseVerdict::Gives(evaluated) => {
                let refusal = PipelineError::BaseDiffers {
                    purpose,
                    base: subject.base.clone(),
                    evaluated: evaluated.clone(),
                };
                (refusal, subject.inputs(libnix))
            }
            BaseVerdict::Failed(failed) => {
                let reason = failed.message.clone();
                let refusal = PipelineError::BaseNotEvaluated { purpose, reason };
                (refusal, failed.details.clone())
            }
        };
        let mut refusal = Failed::from(refusal);
        refusal.details.extend(details);
        Some((Allow::BaseDiffers, refusal))
    }
}

impl Drop for BaseCheck<'_> {
    fn drop(&mut self) {
        // Stop the evaluator if the change failed before the result was needed.
        if let Some(second) = self.second.take()
            && !second.thread.is_finished()
        {
            second.stopper.stop();
        }
    }
}

impl ComparedSource {
    /// Stores the result in the cache and returns it.
    fn keep(&self, evaluated: &Evaluated, took: Duration) -> BaseVerdict {
        let mut cache = self.cache.borrow_mut();
        cache.keep(&self.request, evaluated, milliseconds(took));
        let toplevel = evaluated.toplevel.clone().unwrap_or_default();
        BaseVerdict::Gives(toplevel.out)
    }

    /// Describes the inputs that differ.
    fn inputs(&self, libnix: &Libnix) -> Vec<String> {
        if !self.pin.graph.is_empty() {
            return vec![
                "the running system was built with the same inputs; cannot tell what else differs"
                    .into(),
            ];
        }
        let lock = lock_text(&libnix.store, &self.pin).unwrap_or_default();
        describe_inputs(&self.pin, &lock, self.baked_inputs.as_deref())
    }
}

impl SecondEvaluator {
    fn start(session: &NixSession, memory: Memory, request: &EvaluationRequest) -> Result<Self> {
        let waiting = Waiting::start(memory)?;
        let stopper = waiting.stopper();
        let (request, interrupts) = (request.clone(), session.interrupts.clone());
        let work = move || timed(waiting, &request, &interrupts, &Reporter::silent());
        let thread = std::thread::Builder::new()
            .name("compare".into())
            .spawn(work)?;
        Ok(Self { thread, stopper })
    }

    fn wait(self) -> TimedEvaluation {
        self.thread.join().unwrap_or_else(|_| {
            let error = anyhow!("the thread that compares the base panicked");
            (Err(error), Duration::ZERO)
        })
    }
}

/// Returns the base and the pin to compare it with. Returns `None` if there is no base or no pin, or
/// if the two were compared before.
fn uncompared<'a>(base: Option<&'a str>, source: &'a Source) -> Option<(&'a str, &'a Pin)> {
    let (Some(base), Source::Flake(pin)) = (base, source) else {
        return None;
    };
    let compared = pin.compared.as_ref();
    let is_compared = compared.is_some_and(|one| one.toplevel == base);
    (!is_compared).then_some((base, pin))
}

/// Returns the memory mode of a second evaluator. Returns `None` if processors or memory do not
/// suffice, or if the evaluator should use little memory.
fn second_evaluator(session: &NixSession) -> Option<Memory> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let chosen = memory(&session.options, &session.environment);
    let room = available().is_some_and(|bytes| bytes >= SPARE_MEMORY);
    (processors > 1 && room && chosen != Memory::Low).then_some(chosen)
}

/// Evaluates the base on this thread, while no other evaluation is running.
fn evaluate_now(session: &NixSession, request: &EvaluationRequest) -> Result<TimedEvaluation> {
    let waiting = session.evaluator(&request.settings)?;
    session.reporter.begin(Phase::Compare);
    Ok(timed(
        waiting,
        request,
        &session.interrupts,
        &Reporter::silent(),
    ))
}

fn timed(
    waiting: Waiting,
    request: &EvaluationRequest,
    interrupts: &Interrupts,
    reporter: &Reporter,
) -> TimedEvaluation {
    let begun = Instant::now();
    let evaluated = evaluate(waiting, request, interrupts, reporter).and_then(|evaluation| {
        let took = begun.elapsed();
        evaluation.stop_evaluator();
        Ok((evaluation.release()?, took))
    });
    match evaluated {
        Ok((evaluated, took)) => (Ok(evaluated), took),
        Err(error) => (Err(error), begun.elapsed()),
    }
}
