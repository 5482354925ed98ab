//! `bench toggle`: modules turned on and off on this very machine, each phase for itself, by the program as people start it.
//!
//! However it ends, the machine is brought back to what it was: the same toplevel runs, the same modules are wanted.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::ourselves::ourselves;
use super::outcome::{About, Run};
use super::rounds::{self, Rules, Taken, Task};
use super::samples::{Outcome, Sample};
use crate::cli::BenchToggle;
use crate::error::{Failed, Failure};
use crate::plan::{Situation, elsewhere};
use crate::session::Session;
use crate::timings::{Counters, Phase};

/// For how long a toggle that is under way is waited for after an interrupt, and the way back tried.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is tried again while another transaction holds the lock.
const AGAIN: Duration = Duration::from_millis(500);

/// Toggles.
pub fn run(session: &Session, asked: &BenchToggle, rules: Rules) -> Result<Outcome> {
    let names = &asked.names;
    let machine = Before::look(session, asked)?;
    let run = Run::begin(session, rules);
    session.interrupts.be_patient(PATIENCE);
    session.say_at_exit(still_on(names));
    let count = Cell::new(0);
    let task = Task {
        name: format!("{} and {}", machine.there, machine.back),
        optional: false,
        work: Box::new(|| {
            let mut taken = machine.toggle(machine.there)?;
            session.interrupts.check()?;
            taken.extend(machine.toggle(machine.back)?);
            count.set(count.get() + 1);
            Ok(taken)
        }),
    };
    let rounds = rounds::run(vec![task], rules, &session.interrupts, &session.reporter);
    let returned = machine.bring_back();
    let rounds = match (rounds, returned) {
        (Ok(rounds), Ok(())) => rounds,
        (Err(error), Ok(())) => return Err(error),
        (_, Err(error)) => return Err(error),
    };
    let series = [machine.there, machine.back]
        .into_iter()
        .flat_map(|command| {
            let phases = Phase::ALL.iter().map(|phase| phase.name());
            let names = std::iter::once("total").chain(phases);
            names.map(move |phase| (format!("{command}: {phase}"), format!("{command}, {phase}")))
        });
    let about = About {
        bench: "toggle",
        title: format!(
            "{} and {} of {}",
            machine.there,
            machine.back,
            names.join(", ")
        ),
        modules: names.to_vec(),
        strict: true,
        own_process: true,
        result_cache: asked.cached.then_some("on"),
        series: series.collect(),
        ..About::default()
    };
    let mut outcome = run.end(about, &rounds, &[]);
    if rules.warmup > 0
        && outcome
            .series
            .iter()
            .all(|one| !one.name.ends_with("build"))
    {
        let first =
            "what had to be built was built in the warm-up; --warmup 0 has it in the first run";
        outcome.warnings.push(first.into());
    }
    Ok(outcome)
}

fn still_on(names: &[String]) -> Failed {
    Failure::Interrupted
        .error("interrupted; the system was not brought back to what it was")
        .hint(format!(
            "`runtime-module status {}` says what is on",
            names.join(" ")
        ))
}

/// What the machine was like.
struct Before<'a> {
    session: &'a Session,
    names: &'a [String],
    cached: bool,
    running: Option<String>,
    wanted: Vec<String>,
    /// The command that changes it, and the one that changes it back.
    there: &'static str,
    back: &'static str,
}

impl<'a> Before<'a> {
    fn look(session: &'a Session, asked: &'a BenchToggle) -> Result<Self> {
        let names = &asked.names;
        let global = &session.global;
        if elsewhere(global) {
            return Err(Failure::Usage
                .error("bench toggle: it measures the system that runs, on its own source")
                .hint("leave out --flake, --host, --override-input and --file")
                .into());
        }
        let situation = Situation::read(&session.locations)?;
        let wanted = situation.state.wanted.clone();
        let on = names.iter().filter(|name| wanted.contains(name)).count();
        let (there, back) = match on {
            0 => ("enable", "disable"),
            all if all == names.len() => ("disable", "enable"),
            _ => {
                return Err(Failure::Refused
                    .error(format!(
                        "bench toggle: some of {} are on, and some are off",
                        names.join(", ")
                    ))
                    .hint("name modules that are all on or all off")
                    .into());
            }
        };
        if situation.active() != wanted {
            return Err(Failure::Refused
                .error("bench toggle: not everything that is wanted is on, so there would be no way back to what runs")
                .hint("`runtime-module apply` first")
                .into());
        }
        Ok(Self {
            session,
            names,
            cached: asked.cached,
            running: situation.running,
            wanted,
            there,
            back,
        })
    }

    /// One way, and how long each phase took.
    fn toggle(&self, command: &'static str) -> Result<Vec<Taken>> {
        let document = self.carry_out(command)?;
        let counters: Option<Counters> = serde_json::from_value(document["counters"].clone()).ok();
        let phases = document["phases"].as_object().cloned().unwrap_or_default();
        let taken = phases.iter().filter_map(|(phase, time)| {
            Some(Taken {
                series: format!("{command}: {phase}"),
                sample: Sample {
                    milliseconds: time.as_f64()?,
                    counters: counters.clone().filter(|_| phase == Phase::Evaluate.name()),
                    ..Sample::default()
                },
            })
        });
        Ok(taken.collect())
    }

    fn carry_out(&self, command: &str) -> Result<Value> {
        // Taken from the cache, a phase would not be there to be measured.
        let cache: &[&str] = if self.cached { &[] } else { &["--no-cache"] };
        // The settle time is chosen, so it is not a measurement.
        let more = [&["--settle", "0"], cache].concat();
        let what = || format!("bench toggle: {command} {}", self.names.join(", "));
        ourselves(self.session, command, self.names, &more).with_context(what)
    }

    /// Makes the machine what it was, whatever happened since.
    fn bring_back(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let now = Situation::read(&self.session.locations)?;
            if now.under_way.is_none() && now.state.pending.is_none() {
                if now.running == self.running && now.state.wanted == self.wanted {
                    return Ok(());
                }
                if let Err(error) = self.carry_out(self.back) {
                    return Err(self.not_back(&error));
                }
                let now = Situation::read(&self.session.locations)?;
                if now.running == self.running {
                    return Ok(());
                }
                return Err(self.not_back(&anyhow::anyhow!("another system runs than before")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.not_back(&anyhow::anyhow!("another transaction is under way")));
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn not_back(&self, error: &anyhow::Error) -> anyhow::Error {
        let why = crate::error::describe(error);
        Failure::Stranded
            .error(format!(
                "bench toggle: bring the system back to what it was: {}",
                why.message
            ))
            .hint(format!(
                "`runtime-module {} {}`",
                self.back,
                self.names.join(" ")
            ))
            .hint("`runtime-module status` says what is on")
            .into()
    }
}
