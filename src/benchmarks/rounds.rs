//! Rounds of runs: warm-up, as many as were asked for or as fit into a budget, taking turns.
//!
//! Takes tasks and returns samples. Knows nothing about what a task does, but that it takes time and may fail.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::samples::Sample;
use crate::error::{Failed, Failure};
use crate::interrupt::Interrupts;
use crate::progress::{Reporter, Round, duration};

/// Something to be done once in each round.
pub struct Task<'a> {
    /// Its name, for people.
    pub name: String,
    /// Whether it is left out, with a note, where what it asks for is not there.
    pub optional: bool,
    /// Does it, and gives a sample to one or several series.
    pub work: Box<dyn FnMut() -> Result<Vec<Taken>> + 'a>,
}

/// A sample, and the name of the series that it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// The series.
    pub series: String,
    /// The sample.
    pub sample: Sample,
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Enough {
    /// After so many rounds.
    Runs(u64),
    /// When another round would not fit into this time, warm-up and all.
    Budget(Duration),
}

/// How rounds go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Rounds before those that count.
    pub warmup: u64,
    /// When it is enough.
    pub enough: Enough,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Rounds {
    /// Samples of the warm-up.
    pub warmup: Vec<Taken>,
    /// Samples that count.
    pub taken: Vec<Taken>,
    /// Whether it was interrupted before it was enough.
    pub interrupted: bool,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// Runs them.
pub fn run(
    tasks: Vec<Task<'_>>,
    rules: Rules,
    interrupts: &Interrupts,
    reporter: &Reporter,
) -> Result<Rounds> {
    let mut course = Course {
        rules,
        interrupts,
        reporter,
        begun: Instant::now(),
        rounds: Rounds::default(),
        done: 0,
    };
    let ended = course.run(tasks);
    reporter.round(None);
    match ended {
        Ok(()) => Ok(course.rounds),
        // What was measured until then is kept.
        Err(_) if interrupts.check().is_err() => {
            course.rounds.interrupted = true;
            Ok(course.rounds)
        }
        Err(error) => Err(error),
    }
}

struct Course<'a> {
    rules: Rules,
    interrupts: &'a Interrupts,
    reporter: &'a Reporter,
    begun: Instant,
    rounds: Rounds,
    done: u64,
}

impl Course<'_> {
    fn run(&mut self, mut tasks: Vec<Task<'_>>) -> Result<()> {
        for _ in 0..self.rules.warmup {
            self.round(&mut tasks, None)?;
        }
        let mut count = 0;
        let mut longest = match self.rules.warmup {
            0 => Duration::ZERO,
            // A first round that reads files for the first time is no measure for the others, but there is no other.
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

    /// Every other round goes the other way round, so that none of them always comes after the same other one.
    fn round(&mut self, tasks: &mut Vec<Task<'_>>, number: Option<u64>) -> Result<()> {
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
            let taken = match (task.work)() {
                Ok(taken) => taken,
                Err(error) if task.optional && is_absent(&error) => {
                    self.rounds
                        .left_out
                        .push(format!("{}: left out: {error:#}", task.name));
                    gone.push(index);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.done += 1;
            match number {
                None => self.rounds.warmup.extend(taken),
                Some(round) => self.rounds.taken.extend(taken.into_iter().map(|mut one| {
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
            let why = self.rounds.left_out.join("; ");
            return Err(Failure::Usage
                .error(format!("bench: there is nothing to measure: {why}"))
                .into());
        }
        Ok(())
    }

    fn is_enough(&self, count: u64, longest: Duration) -> Result<bool> {
        match self.rules.enough {
            Enough::Runs(runs) => Ok(count >= runs),
            Enough::Budget(budget) => {
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

    /// Says how far it is, and how long it will take.
    fn tell(&self, name: &str, tasks: usize) {
        let elapsed = self.begun.elapsed().as_secs_f64();
        let (share, left) = match self.rules.enough {
            Enough::Budget(budget) => {
                let budget = budget.as_secs_f64();
                (elapsed / budget.max(1e-9), Some(budget - elapsed))
            }
            Enough::Runs(runs) => {
                let all = (self.rules.warmup + runs).max(1) * tasks as u64;
                let done = self.done as f64;
                let left = elapsed / done * (all as f64 - done);
                (
                    done / all as f64,
                    Some(left).filter(|left| left.is_finite()),
                )
            }
        };
        self.reporter.round(Some(Round {
            what: "bench",
            name: name.to_string(),
            done: self.done,
            share: share.clamp(0.0, 1.0),
            left: left.map(|left| Duration::try_from_secs_f64(left).unwrap_or_default()),
        }));
    }
}

/// Whether an error says that what was asked for is not there.
fn is_absent(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Failed>()
        .is_some_and(|failed| failed.failure == Failure::Usage)
}

fn too_small(budget: Duration, spent: Duration, round: Duration) -> Failed {
    let failed = Failure::Usage.error(format!(
        "bench: a budget of {} is too small: one round takes {}",
        duration(budget),
        duration(round)
    ));
    let least = duration(spent + round);
    failed.hint(if spent.is_zero() {
        format!("give it at least {least}, or say --runs 1")
    } else {
        format!("with the warm-up it takes at least {least}; --warmup 0 leaves that out")
    })
}
