//! `bench toggle`: enables and disables modules on this machine, as a user would, and measures each
//! phase.
//!
//! At the end, even after an error or an interrupt, the benchmark restores the machine: the active
//! toplevel and the requested modules are the same as before. If this fails, the error names the
//! command that restores the machine.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::error::BenchError;
use super::outcome::{About, BenchRun};
use super::own_program::own_program;
use super::rounds::{self, BenchTask, NamedSample};
use super::samples::{BenchResult, Sample};
use runtime_module_core::command::Rules;
use runtime_module_core::command::ToggleBenchmark;
use runtime_module_core::timings::{Counters, Phase};
use runtime_module_nix::session::NixSession;

/// Time limit for a running toggle after an interrupt, and for the attempts to restore the machine.
const WAIT_LIMIT: Duration = Duration::from_secs(300);

/// Interval between attempts to restore the machine while another transaction holds the lock.
const AGAIN: Duration = Duration::from_millis(500);

/// Toggles the modules in rounds, then restores the machine.
pub fn run(session: &NixSession, asked: &ToggleBenchmark, rules: Rules) -> Result<BenchResult> {
    let names = &asked.names;
    let machine = BeforeToggle::read(session, asked)?;
    let run = BenchRun::begin(session, rules);
    session.interrupts.extend_deadline(WAIT_LIMIT);
    let modules = names.join(" ");
    session.print_at_exit(BenchError::InterruptedBeforeRestore { modules }.into());
    let count = Cell::new(0);
    let task = BenchTask {
        name: format!("{} and {}", machine.there, machine.back),
        optional: false,
        work: Box::new(|| {
            let mut samples = machine.toggle(machine.there)?;
            session.interrupts.check()?;
            samples.extend(machine.toggle(machine.back)?);
            count.set(count.get() + 1);
            Ok(samples)
        }),
    };
    let rounds = rounds::run(vec![task], rules, &session.interrupts, &session.reporter);
    let returned = machine.restore();
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
        let first = "no run includes a build, because everything was built before or during the warm-up; use --warmup 0 to include builds in the first run";
        outcome.warnings.push(first.into());
    }
    Ok(outcome)
}

/// The state of the machine before the benchmark.
struct BeforeToggle<'a> {
    session: &'a NixSession,
    names: &'a [String],
    cached: bool,
    running: Option<String>,
    wanted: Vec<String>,
    /// The command that changes the machine. `back` is the command that restores it.
    there: &'static str,
    back: &'static str,
}

impl<'a> BeforeToggle<'a> {
    fn read(session: &'a NixSession, asked: &'a ToggleBenchmark) -> Result<Self> {
        let names = &asked.names;
        if session.options.source.is_named() {
            return Err(BenchError::OtherSystemToggled.into());
        }
        let situation = session.host().situation()?;
        let wanted = situation.state.wanted.clone();
        let on = names.iter().filter(|name| wanted.contains(name)).count();
        let (there, back) = match on {
            0 => ("enable", "disable"),
            all if all == names.len() => ("disable", "enable"),
            _ => {
                let modules = names.join(", ");
                return Err(BenchError::PartlyEnabled { modules }.into());
            }
        };
        if situation.active() != wanted {
            return Err(BenchError::InactiveModules.into());
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

    /// Runs one command, and returns how long each phase took.
    fn toggle(&self, command: &'static str) -> Result<Vec<NamedSample>> {
        let document = self.carry_out(command)?;
        let counters: Option<Counters> = serde_json::from_value(document["counters"].clone()).ok();
        let phases = document["phases"].as_object().cloned().unwrap_or_default();
        let samples = phases.iter().filter_map(|(phase, time)| {
            Some(NamedSample {
                series: format!("{command}: {phase}"),
                sample: Sample {
                    milliseconds: time.as_f64()?,
                    counters: counters.clone().filter(|_| phase == Phase::Evaluate.name()),
                    ..Sample::default()
                },
            })
        });
        Ok(samples.collect())
    }

    fn carry_out(&self, command: &str) -> Result<Value> {
        // With a cached result there would be no evaluation to measure.
        let cache: &[&str] = if self.cached { &[] } else { &["--no-cache"] };
        // The settle time is a configured wait, so it is not part of the measurement.
        let more = [&["--settle", "0"], cache].concat();
        let what = || format!("cannot {command} {}", self.names.join(", "));
        own_program(self.session, command, self.names, &more).with_context(what)
    }

    /// Restores the state of the machine from before the benchmark.
    fn restore(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let now = self.session.host().situation()?;
            if now.under_way.is_none() && now.state.pending.is_none() {
                if now.running == self.running && now.state.wanted == self.wanted {
                    return Ok(());
                }
                if let Err(error) = self.carry_out(self.back) {
                    return Err(self.not_back(&error));
                }
                let now = self.session.host().situation()?;
                if now.running == self.running {
                    return Ok(());
                }
                return Err(self.not_back(&anyhow::anyhow!(
                    "the running system differs from the one before the benchmark"
                )));
            }
            if begun.elapsed() > WAIT_LIMIT {
                return Err(self.not_back(&anyhow::anyhow!("another transaction is still running")));
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn not_back(&self, error: &anyhow::Error) -> anyhow::Error {
        BenchError::NotRestored {
            reason: runtime_module_core::error::describe(error).message,
            command: self.back.into(),
            modules: self.names.join(" "),
        }
        .into()
    }
}
