//! Evaluates a request in a separate evaluator process. This process is not a fork of a template,
//! so it may write to the store and build.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{CheckWork, Limits};
use crate::error::describe;
use crate::evaluation::{Evaluated, EvaluationRequest, Waiting, evaluate};
use crate::interrupt::Interrupts;
use crate::pool::{EvaluationEnd, JobOutcome, own_memory};
use crate::progress::Reporter;
use crate::timings::milliseconds;
use crate::worker::Stopper;

/// Interval between checks of the limits.
const LOOK: Duration = Duration::from_millis(200);

/// Evaluates the request in a separate process, within the limits of the check. Returns the
/// evaluated system if there is one, and the outcome with its measurements.
pub(super) fn alone(
    work: &CheckWork,
    request: &EvaluationRequest,
    interrupts: &Interrupts,
) -> (Option<Evaluated>, JobOutcome) {
    let begun = Instant::now();
    let waiting = match Waiting::start(work.memory) {
        Ok(waiting) => waiting,
        Err(error) => {
            return (
                None,
                JobOutcome::of(EvaluationEnd::Died {
                    why: describe(&error).message,
                }),
            );
        }
    };
    let (stopper, limits) = (waiting.stopper(), work.limits);
    let (finished, watched) = channel::<()>();
    let watch = std::thread::spawn(move || watch(stopper, limits, &watched));
    let result = evaluate(waiting, request, interrupts, &Reporter::silent());
    let result = result.and_then(crate::evaluation::Evaluation::release);
    drop(finished);
    let (killed, bytes) = watch.join().unwrap_or_default();
    let ended = match (killed, result) {
        (Some(ended), _) => ended,
        (None, Ok(evaluated)) => EvaluationEnd::Evaluated {
            evaluated: Box::new(evaluated),
        },
        (None, Err(error)) => {
            let failed = describe(&error);
            EvaluationEnd::Failed {
                places: failed.places.clone(),
                failed,
                again: false,
                builds: false,
            }
        }
    };
    let evaluated = match &ended {
        EvaluationEnd::Evaluated { evaluated } => Some((**evaluated).clone()),
        _ => None,
    };
    let outcome = JobOutcome {
        milliseconds: milliseconds(begun.elapsed()),
        bytes: evaluated
            .as_ref()
            .map_or(bytes, |evaluated| evaluated.counters.peak_bytes),
        counters: evaluated
            .as_ref()
            .map(|evaluated| evaluated.counters.clone())
            .unwrap_or_default(),
        ..JobOutcome::of(ended)
    };
    (evaluated, outcome)
}

/// Watches an evaluator until the sender of `goes_on` is dropped. Each message starts a new time
/// limit. Stops the evaluator if it takes too long or uses too much memory. Returns the reason if
/// it was stopped, and the largest measured memory in bytes.
pub(super) fn watch(
    stopper: Stopper,
    limits: Limits,
    goes_on: &Receiver<()>,
) -> (Option<EvaluationEnd>, u64) {
    let mut begun = Instant::now();
    let mut most = 0;
    loop {
        match goes_on.recv_timeout(LOOK) {
            Ok(()) => begun = Instant::now(),
            Err(RecvTimeoutError::Disconnected) => return (None, most),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let late = limits
            .seconds
            .is_some_and(|seconds| begun.elapsed().as_secs_f64() > seconds);
        if limits.bytes.is_some() {
            most = own_memory(&stopper.process().to_string()).max(most);
        }
        let large = limits.bytes.is_some_and(|bytes| most > bytes);
        if late || large {
            stopper.stop();
            return (
                Some(if late {
                    EvaluationEnd::TimedOut
                } else {
                    EvaluationEnd::TooLarge
                }),
                most,
            );
        }
    }
}
