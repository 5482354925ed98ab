//! Measures evaluation inside the evaluator process. The clock starts right before the evaluation,
//! and stops right after it.
//!
//! Everything else (locking, reading the kernel's statistics, printing counters) happens outside
//! the measured time. The overhead of our own expression is measured too, with an empty request.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use unix::time::{ClockId, clock_gettime};

use super::explain::{self, RequestProblem};
use super::measurement::{Forced, Measure, Measured, Pass};
use super::{Evaluated, EvaluationRequest, Opened, answer, expression, heap};
use crate::libnix::{self, Argument, Evaluator, Expression, Value};
use crate::timings::{Counters, milliseconds};

/// Our own expression, which forces one value.
const FORCED: Expression = Expression {
    name: "forced.nix",
    text: include_str!("forced.nix"),
};

/// The kernel's unit of CPU time in /proc, in milliseconds (USER_HZ is 100 on all supported
/// platforms).
const TICK: f64 = 10.0;

/// Takes the requested measurement. Prints the counters after each pass.
pub(super) fn measure(
    evaluator: &Evaluator,
    opened: &Opened,
    request: &EvaluationRequest,
    measure: &Measure,
) -> Result<Evaluated> {
    let mut measured = Measured::default();
    let mut evaluated = Evaluated::default();
    for _ in 0..=u8::from(measure.again) {
        let before = KernelStatistics::read();
        let begun = Instant::now();
        match &measure.forced {
            Some(forced) => measured.what = force(evaluator, opened, request, forced)?,
            None => {
                evaluated = Evaluated::default();
                let value = system(evaluator, opened, request)?;
                answer::read(&value, request, &mut evaluated, |_| {})?;
            }
        }
        let time = milliseconds(begun.elapsed());
        measured
            .passes
            .push(KernelStatistics::read().since(&before, time));
        evaluator.print_counters()?;
    }
    measured.overhead = overhead(evaluator)?;
    evaluated.measured = measured;
    Ok(evaluated)
}

/// Applies our expression to the request without forcing anything. Each call makes new outputs of
/// the source, so that no pass reuses the values of an earlier one.
fn system<'a>(
    evaluator: &'a Evaluator,
    opened: &Opened,
    request: &EvaluationRequest,
) -> Result<Value<'a>> {
    let outputs = opened.outputs(evaluator, request, &[])?;
    let text = expression::text(request, false);
    Ok(evaluator.apply(&expression::SYSTEM, &outputs, &text)?)
}

/// Forces a value and returns its type.
fn force(
    evaluator: &Evaluator,
    opened: &Opened,
    request: &EvaluationRequest,
    forced: &Forced,
) -> Result<String> {
    let outputs;
    let subject = match forced.root {
        Some(_) => {
            outputs = opened.outputs(evaluator, request, &[])?;
            Argument::Outputs(&outputs)
        }
        None => {
            let value = system(evaluator, opened, request)?;
            if let Some(problem) = value.get::<Option<RequestProblem>>("problem")? {
                return Err(explain::problem(request, &problem).into());
            }
            Argument::Part(value.part("system")?)
        }
    };
    let value = evaluator.apply_to(&FORCED, subject, &text(Some(forced))?)?;
    if let Some(problem) = value.get::<Option<RequestProblem>>("problem")? {
        return Err(explain::forced(request, &problem).into());
    }
    value.part("value")?.force()?;
    value.get("what")
}

/// Formats a request as JSON.
fn text(forced: Option<&Forced>) -> Result<String> {
    let request = json!({ "forced": forced, "system": libnix::system()? });
    Ok(request.to_string())
}

/// Measures our own expression with an empty request: parsing, applying and reading it.
fn overhead(evaluator: &Evaluator) -> Result<f64> {
    let begun = on_processor();
    let value = evaluator.apply_to(&FORCED, Argument::Nothing, &text(None)?)?;
    value.get::<Option<RequestProblem>>("problem")?;
    value.part("value")?.force()?;
    value.get::<String>("what")?;
    Ok(milliseconds(on_processor().saturating_sub(begun)))
}

/// Returns the CPU time of this thread. It excludes waiting, which is not a cost of our expression.
fn on_processor() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The kernel's statistics about this thread, this process and the machine. The plain numbers are
/// in milliseconds.
struct KernelStatistics {
    /// CPU time of the thread.
    ran: Duration,
    /// Time for which the thread waited for a processor; `None` if the kernel does not report it.
    waited: Option<f64>,
    process: Option<f64>,
    machine: Option<f64>,
}

impl KernelStatistics {
    fn read() -> Self {
        Self {
            ran: on_processor(),
            waited: waited(),
            process: process(),
            machine: machine(),
        }
    }

    /// Makes the pass that began at `before`.
    fn since(&self, before: &Self, time: f64) -> Pass {
        let less =
            |now: Option<f64>, then: Option<f64>| Some(to_microseconds((now? - then?).max(0.0)));
        let waited = less(self.waited, before.waited);
        let all = less(self.machine, before.machine);
        let own = less(self.process, before.process);
        Pass {
            milliseconds: time,
            ran: milliseconds(self.ran.saturating_sub(before.ran)),
            waited,
            others: less(all, own),
            peak_bytes: heap::peak(),
            counters: Counters::default(),
        }
    }
}

/// Reads the waiting time from `schedstat`. The file contains nanoseconds of running on a
/// processor, and nanoseconds of waiting for a processor.
fn waited() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(nanoseconds / 1e6)
}

fn to_microseconds(milliseconds: f64) -> f64 {
    (milliseconds * 1e3).round() / 1e3
}

/// Reads the user and system time of this process.
fn process() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name may contain any characters, so count the fields after it. The 12th is the user time,
    // and the 13th is the system time.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let field = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((field(11)? + field(12)?) * TICK)
}

/// Reads the busy time of all processors, including the time that the hypervisor took from them.
fn machine() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<f64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // The fields are user, nice, system, idle, iowait, irq, softirq and steal.
    let busy = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|index| fields.get(*index));
    Some(busy.sum::<f64>() * TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_has_times_of_thread_and_others() {
        let before = KernelStatistics::read();
        let begun = Instant::now();
        // Work for at least one tick of the kernel's clock.
        let mut sum = 0_u64;
        while begun.elapsed().as_millis() < 60 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let pass = KernelStatistics::read().since(&before, milliseconds(begun.elapsed()));
        assert!(pass.ran > 0.0, "{pass:?}");
        if let Some(waited) = pass.waited {
            // The thread was always running or waiting. The times may be off by up to one tick of
            // the kernel's clock.
            assert!(
                (pass.ran + waited - pass.milliseconds).abs() < 30.0,
                "{pass:?}"
            );
        }
        assert!(pass.others.is_some() && pass.peak_bytes > 1 << 20);
    }
}
