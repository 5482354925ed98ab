//! Turns samples into a result: summaries, ratios and warnings.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::machine::MachineRecord;
use super::rounds::{NamedSample, Rounds};
use super::samples::{
    BenchResult, FlakeRecord, KIND, Method, SCHEMA, Sample, Series, SubjectRecord,
};
use super::statistics::SampleSummary;
use super::warnings;
use runtime_module_core::command::{Rules, StopCondition};
use runtime_module_nix::session::NixSession;

/// A benchmark that has started.
pub struct BenchRun<'a> {
    session: &'a NixSession,
    rules: Rules,
    begun: Instant,
    started: u64,
    machine: MachineRecord,
}

/// The description of a benchmark in its result.
#[derive(Default)]
pub struct About {
    /// Name of the subcommand, such as `eval`.
    pub bench: &'static str,
    /// Human-readable title.
    pub title: String,
    pub flakes: Vec<FlakeRecord>,
    /// Modules with which the host is extended.
    pub modules: Vec<String>,
    /// Whether values are forced deeply.
    pub strict: bool,
    /// Whether the benchmark used this program's result cache, in the words of the result file;
    /// `None` if it did not.
    pub result_cache: Option<&'static str>,
    /// Whether each sample has its own evaluator process.
    pub own_process: bool,
    /// Name and human-readable description of each series. Series without samples are left out.
    pub series: Vec<(String, String)>,
}

impl<'a> BenchRun<'a> {
    /// Starts the clock and describes the machine.
    pub fn begin(session: &'a NixSession, rules: Rules) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            session,
            rules,
            begun: Instant::now(),
            started: since.map_or(0, |time| time.as_millis() as u64),
            machine: MachineRecord::look(),
        }
    }

    /// Summarises all samples. `overheads` holds the time that our own expression took in each
    /// sample.
    pub fn end(mut self, about: About, rounds: &Rounds, overheads: &[f64]) -> BenchResult {
        self.machine.ended();
        let mut series: Vec<Series> = about
            .series
            .iter()
            .map(|(name, about)| sum_up(name, about, rounds))
            .filter(|series| !series.samples.is_empty())
            .collect();
        let first = series.first().map_or(0.0, |first| first.summary.median);
        for one in &mut series {
            one.ratio = if first > 0.0 {
                one.summary.median / first
            } else {
                1.0
            };
        }
        let mut outcome = BenchResult {
            schema: SCHEMA,
            kind: KIND.into(),
            bench: about.bench.into(),
            title: about.title.clone(),
            interrupted: rounds.interrupted,
            started: self.started,
            seconds: self.begun.elapsed().as_secs_f64(),
            method: self.method(&about, series.len()),
            subject: self.subject(about, &series),
            machine: self.machine,
            overhead: (!overheads.is_empty()).then(|| SampleSummary::of(overheads)),
            series,
            costs: Vec::new(),
            difference: None,
            warnings: rounds.left_out.clone(),
        };
        outcome.warnings.extend(warnings::of(&outcome));
        outcome
    }

    fn method(&self, about: &About, series: usize) -> Method {
        let (runs, budget) = match self.rules.stop {
            StopCondition::Runs(runs) => (Some(runs), None),
            StopCondition::Budget(budget) => (None, Some(budget.as_secs_f64())),
        };
        Method {
            runs,
            budget,
            warmup: self.rules.warmup,
            interleaved: series > 1,
            own_process: about.own_process,
            strict: about.strict,
            page_cache: if self.rules.warmup > 0 {
                "warm"
            } else {
                "unknown"
            }
            .into(),
            evaluation_cache: "off".into(),
            result_cache: about.result_cache.unwrap_or("off").into(),
        }
    }

    fn subject(&self, about: About, series: &[Series]) -> SubjectRecord {
        let session = self.session;
        let settings = session.settings(true, 0);
        let counted = series.iter().find_map(|one| one.counters.as_ref());
        SubjectRecord {
            flakes: about.flakes,
            modules: about.modules,
            store: settings.store.unwrap_or_else(|| "auto".into()),
            options: settings.options,
            impure: settings.impure,
            version: runtime_module_nix::VERSION.into(),
            initial_heap_bytes: counted.map_or(0, |counters| counters.initial_heap_bytes),
            collector: session.environment.collector.clone(),
        }
    }
}

/// Summarises the samples of one series.
fn sum_up(name: &str, about: &str, rounds: &Rounds) -> Series {
    let of = |samples: &[NamedSample]| -> Vec<Sample> {
        let mine = samples.iter().filter(|one| one.series == name);
        mine.map(|one| one.sample.clone()).collect()
    };
    let samples = of(&rounds.samples);
    let times: Vec<f64> = samples.iter().map(|sample| sample.milliseconds).collect();
    let ran: Vec<f64> = samples.iter().filter_map(|sample| sample.ran).collect();
    let counters = samples.first().and_then(|sample| sample.counters.clone());
    let same = |first| {
        samples
            .iter()
            .flat_map(|one| &one.counters)
            .all(|one| one.agree(first))
    };
    Series {
        name: name.into(),
        about: about.into(),
        summary: SampleSummary::of(&times),
        ratio: 1.0,
        published: None,
        same_counters: counters.as_ref().map(same),
        counters,
        ran: (!ran.is_empty()).then(|| SampleSummary::of(&ran)),
        waited: share(&samples, |sample| sample.waited),
        others: share(&samples, |sample| sample.others),
        warmup: of(&rounds.warmup)
            .iter()
            .map(|sample| sample.milliseconds)
            .collect(),
        samples,
    }
}

/// Returns the share of the total time that one part of each sample takes.
fn share(samples: &[Sample], part: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    let parts: Vec<f64> = samples.iter().filter_map(part).collect();
    let all: f64 = samples.iter().map(|sample| sample.milliseconds).sum();
    (!parts.is_empty() && all > 0.0).then(|| parts.iter().sum::<f64>() / all)
}
