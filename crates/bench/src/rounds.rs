//! Repeats tasks in rounds: first the warm-up, then a fixed number of rounds or as many as a time
//! budget allows. Each round runs every task once, so that the series are interleaved.
//!
//! Takes tasks and returns samples. The only assumption about a task is that it takes time and may
//! fail.

use std::time::{Duration, Instant};

use anyhow::Result;

use runtime_module_core::command::{Rules, StopCondition};

use super::error::BenchError;
use super::samples::Sample;
use runtime_module_core::error::{Failed, Failure, Message as _};
use runtime_module_core::interrupt::Interrupts;
use runtime_module_core::progress::{Reporter, TaskProgress, duration};

/// A task that runs once in each round.
pub struct BenchTask<'a> {
    /// Human-readable name.
    pub name: String,
    /// Whether to skip the task with a warning if the value it measures does not exist.
    pub optional: bool,
    /// Runs the task, and returns a sample for one or more series.
    pub work: Box<dyn FnMut() -> Result<Vec<NamedSample>> + 'a>,
}

/// A sample and the name of its series.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedSample {
    pub series: String,
    pub sample: Sample,
}

/// The samples of all rounds.
#[derive(Debug, Default)]
pub struct Rounds {
    pub warmup: Vec<NamedSample>,
    /// Samples of the rounds after the warm-up.
    pub samples: Vec<NamedSample>,
    /// Whether the run was interrupted before it was complete.
    pub interrupted: bool,
    /// Messages about skipped tasks, with the reasons.
    pub left_out: Vec<String>,
}

/// Runs all tasks in rounds, according to the rules.
pub fn run(
    tasks: Vec<BenchTask<'_>>,
    rules: Rules,
    interrupts: &Interrupts,
    reporter: &Reporter,
) -> Result<Rounds> {
    let mut run = RunningRounds {
        rules,
        interrupts,
        reporter,
        begun: Instant::now(),
        rounds: Rounds::default(),
        done: 0,
    };
    let ended = run.run(tasks);
    reporter.round(None);
    match ended {
        Ok(()) => Ok(run.rounds),
        // Keep the samples from before the interrupt.
        Err(_) if interrupts.check().is_err() => {
            run.rounds.interrupted = true;
            Ok(run.rounds)
        }
        Err(error) => Err(error),
    }
}

struct RunningRounds<'a> {
    rules: Rules,
    interrupts: &'a Interrupts,
    reporter: &'a Reporter,
    begun: Instant,
    rounds: Rounds,
    done: u64,
}

impl RunningRounds<'_> {
    fn run(&mut self, mut tasks: Vec<BenchTask<'_>>) -> Result<()> {
        for _ in 0..self.rules.warmup {
            self.round(&mut tasks, None)?;
        }
        let mut count = 0;
        let mut longest = match self.rules.warmup {
            0 => Duration::ZERO,
            // The warm-up reads files for the first time and may be slower, but there is no better
            // estimate yet.
            warmup => self.begun.elapsed() / u32::try_from(warmup).unwrap_or(u32::MAX),
        };
        while !self.is_enough(count, longest)? {
            let begun = Instant::now();
            self.round(&mut tasks, Some(count))?;
            longest = if count == 0 {
                begun.elapsed()
            } else {
                longest.max(begun.elapsed())
            };
            count += 1;
        }
        Ok(())
    }

    /// Runs each task once. Every other round runs in reverse order, so that no task always follows
    /// the same one.
    fn round(&mut self, tasks: &mut Vec<BenchTask<'_>>, number: Option<u64>) -> Result<()> {
        let mut order: Vec<usize> = (0..tasks.len()).collect();
        if number.is_some_and(|number| number % 2 == 1) {
            order.reverse();
        }
        let mut gone = Vec::new();
        let count = tasks.len();
        for index in order {
            self.interrupts.check()?;
            let task = &mut tasks[index];
            self.tell(&task.name, count);
            let samples = match (task.work)() {
                Ok(samples) => samples,
                Err(error) if task.optional && is_absent(&error) => {
                    self.rounds
                        .left_out
                        .push(format!("{}: skipped: {error:#}", task.name));
                    gone.push(index);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.done += 1;
            match number {
                None => self.rounds.warmup.extend(samples),
                Some(round) => self
                    .rounds
                    .samples
                    .extend(samples.into_iter().map(|mut one| {
                        one.sample.round = round;
                        one
                    })),
            }
        }
        gone.sort_unstable();
        for index in gone.into_iter().rev() {
            tasks.remove(index);
        }
        if tasks.is_empty() {
            let reasons = self.rounds.left_out.join("; ");
            return Err(BenchError::NoValues { reasons }.into());
        }
        Ok(())
    }

    fn is_enough(&self, count: u64, longest: Duration) -> Result<bool> {
        match self.rules.stop {
            StopCondition::Runs(runs) => Ok(count >= runs),
            StopCondition::Budget(budget) => {
                let spent = self.begun.elapsed();
                let over = spent + longest > budget;
                if over && count == 0 && self.rules.warmup > 0 {
                    return Err(too_small(budget, spent, longest).into());
                }
                if count == 1 && spent > budget && self.rules.warmup == 0 {
                    return Err(too_small(budget, Duration::ZERO, longest).into());
                }
                Ok(over && count > 0)
            }
        }
    }

    /// Reports the progress and the estimated remaining time.
    fn tell(&self, name: &str, tasks: usize) {
        let elapsed = self.begun.elapsed().as_secs_f64();
        let (share, left) = match self.rules.stop {
            StopCondition::Budget(budget) => {
                let budget = budget.as_secs_f64();
                (elapsed / budget.max(1e-9), Some(budget - elapsed))
            }
            StopCondition::Runs(runs) => {
                let all = (self.rules.warmup + runs).max(1) * tasks as u64;
                let done = self.done as f64;
                let left = elapsed / done * (all as f64 - done);
                (
                    done / all as f64,
                    Some(left).filter(|left| left.is_finite()),
                )
            }
        };
        self.reporter.round(Some(TaskProgress {
            what: "bench",
            name: name.to_string(),
            done: self.done,
            share: share.clamp(0.0, 1.0),
            left: left.map(|left| Duration::try_from_secs_f64(left).unwrap_or_default()),
        }));
    }
}

/// Returns whether the error means that the requested value does not exist.
fn is_absent(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Failed>()
        .is_some_and(|failed| failed.failure == Failure::Usage)
}

fn too_small(budget: Duration, spent: Duration, round: Duration) -> Failed {
    let least = duration(spent + round);
    let hint = if spent.is_zero() {
        format!("raise --budget to at least {least}, or use --runs 1")
    } else {
        format!("raise --budget to at least {least}, or skip the warm-up with --warmup 0")
    };
    let (budget, round) = (duration(budget), duration(round));
    BenchError::BudgetTooSmall { budget, round }.hint(hint)
}
