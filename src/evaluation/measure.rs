//! Measures evaluation in the evaluator's process: the clock starts right before, and stops right after.
//!
//! Everything that is not what was asked for (locking, reading the machine's own books, printing counters) happens outside
//! of the time. What our own expression costs is measured too, by asking it for nothing.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;
use unix::time::{ClockId, clock_gettime};

use super::explain::{self, Problem};
use super::{Evaluated, Opened, Request, evaluator, heap};
use crate::attributes::written;
use crate::libnix::{self, Evaluator, Expression, Subject, Value};
use crate::timings::{Counters, milliseconds};

/// Our own expression.
const FORCED: Expression = Expression {
    name: "forced.nix",
    text: include_str!("forced.nix"),
};

/// The kernel's unit of processor time in /proc, milliseconds (USER_HZ is 100 on every Linux).
const TICK: f64 = 10.0;

/// What is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measure {
    /// The value to force; none for all that turning modules on evaluates.
    pub forced: Option<Forced>,
    /// Whether it is measured once more in the same process, where the files are parsed already.
    pub again: bool,
}

/// A value to force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forced {
    /// The attribute of the flake from which `path` leads on; none for the host.
    pub root: Option<Vec<String>>,
    /// The option, or whatever else is there.
    pub path: Vec<String>,
    /// Whether it is forced deeply, as JSON; otherwise only so far that one can say what it is.
    pub strict: bool,
    /// Attributes below it that are left out.
    pub without: Vec<Vec<String>>,
    /// Overrides that are recorded beforehand.
    pub overrides: Option<Overrides>,
}

impl Forced {
    /// In words.
    pub fn name(&self, host: &str) -> String {
        let of = match &self.root {
            Some(root) => written(root),
            None => format!("host '{host}'"),
        };
        if self.path.is_empty() {
            of
        } else {
            format!("{} of {of}", written(&self.path))
        }
    }
}

/// Definitions of one option, each stronger than all before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overrides {
    /// The option.
    pub path: Vec<String>,
    /// What each defines it as.
    pub value: serde_json::Value,
    /// How many there are.
    pub count: u64,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Milliseconds in which the flake was locked.
    pub lock: f64,
    /// The first time, and the second if it was asked for.
    pub passes: Vec<Pass>,
    /// Milliseconds that our own expression takes when it is asked for nothing.
    pub overhead: f64,
    /// What the value is: `set`, `string`, `derivation`, …
    pub what: String,
}

/// One time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// How long it took.
    pub milliseconds: f64,
    /// How much of that the evaluating thread had a processor.
    pub ran: f64,
    /// How much of that it waited for one; none where the kernel does not say.
    pub waited: Option<f64>,
    /// Milliseconds of processors that other processes used meanwhile.
    pub others: Option<f64>,
    /// The largest resident memory of the process until then, bytes.
    pub peak_bytes: u64,
    /// What the evaluator counted in it.
    #[serde(skip)]
    pub counters: Counters,
}

impl Measured {
    /// Adds what the evaluator printed after each pass: sums since its start.
    pub(super) fn count(&mut self, printed: &[Counters], initial_heap: u64) {
        let mut before = Counters::default();
        for (pass, sum) in self.passes.iter_mut().zip(printed) {
            pass.counters = Counters {
                peak_bytes: pass.peak_bytes,
                initial_heap_bytes: initial_heap,
                ..sum.since(&before)
            };
            before = sum.clone();
        }
    }
}

/// Measures what is asked for. Counters are printed after each time.
pub(super) fn measure(
    evaluator: &Evaluator,
    opened: &Opened,
    request: &Request,
    measure: &Measure,
) -> Result<Evaluated> {
    let mut measured = Measured::default();
    let mut evaluated = Evaluated::default();
    for _ in 0..=u8::from(measure.again) {
        let before = Books::read();
        let begun = Instant::now();
        match &measure.forced {
            Some(forced) => measured.what = force(evaluator, opened, request, forced)?,
            None => {
                evaluated = Evaluated::default();
                let value = system(evaluator, opened, request)?;
                evaluator::read(&value, request, &mut evaluated, |_| {})?;
            }
        }
        let time = milliseconds(begun.elapsed());
        measured.passes.push(Books::read().since(&before, time));
        evaluator.print_counters()?;
    }
    measured.overhead = overhead(evaluator)?;
    evaluated.measured = measured;
    Ok(evaluated)
}

/// What turning modules on evaluates, not yet evaluated; the flake's outputs are called anew each time.
fn system<'a>(evaluator: &'a Evaluator, opened: &Opened, request: &Request) -> Result<Value<'a>> {
    let outputs = opened.outputs(evaluator, request, &[])?;
    let text = evaluator::text(request, false);
    Ok(evaluator.apply(&evaluator::SYSTEM, &outputs, &text)?)
}

/// Forces a value, and tells what it is.
fn force(
    evaluator: &Evaluator,
    opened: &Opened,
    request: &Request,
    forced: &Forced,
) -> Result<String> {
    let outputs;
    let subject = match forced.root {
        Some(_) => {
            outputs = opened.outputs(evaluator, request, &[])?;
            Subject::Outputs(&outputs)
        }
        None => {
            let value = system(evaluator, opened, request)?;
            if let Some(problem) = value.get::<Option<Problem>>("problem")? {
                return Err(explain::problem(request, &problem).into());
            }
            Subject::Part(value.part("system")?)
        }
    };
    let value = evaluator.apply_to(&FORCED, subject, &text(Some(forced))?)?;
    if let Some(problem) = value.get::<Option<Problem>>("problem")? {
        return Err(explain::forced(request, &problem).into());
    }
    value.part("value")?.force()?;
    value.get("what")
}

/// A request in JSON.
fn text(forced: Option<&Forced>) -> Result<String> {
    let request = json!({ "forced": forced, "system": libnix::system()? });
    Ok(request.to_string())
}

/// How long our own expression takes when it is asked for nothing: parsed, applied to a request, and read.
fn overhead(evaluator: &Evaluator) -> Result<f64> {
    let begun = on_processor();
    let value = evaluator.apply_to(&FORCED, Subject::Nothing, &text(None)?)?;
    value.get::<Option<Problem>>("problem")?;
    value.part("value")?.force()?;
    value.get::<String>("what")?;
    Ok(milliseconds(on_processor().saturating_sub(begun)))
}

/// For how long this thread has had a processor. A wait for one is no part of what our expression costs.
fn on_processor() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// What the kernel has written down of this thread, this process and the machine, milliseconds.
struct Books {
    /// Had a processor.
    ran: Duration,
    /// Waited for one; none where the kernel does not say.
    waited: Option<f64>,
    process: Option<f64>,
    machine: Option<f64>,
}

impl Books {
    fn read() -> Self {
        Self {
            ran: on_processor(),
            waited: waited(),
            process: process(),
            machine: machine(),
        }
    }

    /// A pass that began at `before`.
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

/// `schedstat`: nanoseconds on a processor, and waiting for one.
fn waited() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(nanoseconds / 1e6)
}

fn to_microseconds(milliseconds: f64) -> f64 {
    (milliseconds * 1e3).round() / 1e3
}

/// User and system time of this process.
fn process() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold anything, the 12th and 13th field.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let field = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((field(11)? + field(12)?) * TICK)
}

/// Time that processors were busy, or were taken from this machine by the one that it runs on.
fn machine() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<f64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|index| fields.get(*index));
    Some(busy.sum::<f64>() * TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_what_a_thread_did() {
        let before = Books::read();
        let begun = Instant::now();
        // Enough work for one tick of the clock by which the kernel counts.
        let mut sum = 0_u64;
        while begun.elapsed().as_millis() < 60 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let pass = Books::read().since(&before, milliseconds(begun.elapsed()));
        assert!(pass.ran > 0.0, "{pass:?}");
        if let Some(waited) = pass.waited {
            // It was one of the two all the time, but for what a tick of the kernel's clock hides.
            assert!(
                (pass.ran + waited - pass.milliseconds).abs() < 30.0,
                "{pass:?}"
            );
        }
        assert!(pass.others.is_some() && pass.peak_bytes > 1 << 20);
    }
}
