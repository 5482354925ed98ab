//! The duration of a change: a single line or, with `--timings` or `-v`, a table with counters and
//! memory.

use super::missing::MissingReport;
use crate::pipeline::{BaseReport, CacheReport};
use crate::progress::{bytes, duration, grouped};
use crate::timings::{Counters, Phase, Phases, time_of};

/// The duration in milliseconds below which the line omits a phase.
const SHORTEST: f64 = 10.0;

/// The data about the duration of a run.
pub(super) struct Times<'a> {
    pub(super) phases: &'a Phases,
    pub(super) cache: Option<&'a CacheReport>,
    pub(super) counters: Option<&'a Counters>,
    pub(super) missing: Option<&'a MissingReport>,
    pub(super) comparison: Option<&'a BaseReport>,
}

impl Times<'_> {
    /// Returns a line such as `total 6.7 s: evaluate 61 ms, build 6.3 s, activate 0.2 s`, or an
    /// empty string if the total is unknown.
    pub(super) fn line(&self) -> String {
        let Some(total) = self.phases.total() else {
            return String::new();
        };
        let parts: Vec<String> = Phase::ALL
            .into_iter()
            .filter_map(|phase| self.part(phase))
            .collect();
        let total = words_of_time(total);
        match parts.is_empty() {
            true => format!("total {total}\n"),
            false => format!("total {total}: {}\n", parts.join(", ")),
        }
    }

    fn part(&self, phase: Phase) -> Option<String> {
        let name = phase.name();
        if phase == Phase::Evaluate && self.hit().is_some() {
            return Some(format!("{name} cached"));
        }
        let milliseconds = self.phases.get(phase)?;
        (milliseconds >= SHORTEST).then(|| format!("{name} {}", words_of_time(milliseconds)))
    }

    fn hit(&self) -> Option<&CacheReport> {
        self.cache.filter(|cache| cache.hit)
    }

    /// Returns a table with a row for each phase.
    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        for phase in Phase::ALL {
            if let Some(cache) = self.hit().filter(|_| phase == Phase::Evaluate) {
                let what = format!("from the cache; {}", cache.why);
                table += &row(phase.name(), &words_of_time(cache.milliseconds), &what);
            }
            if let Some(milliseconds) = self.phases.get(phase) {
                let about = self.about(phase);
                let mut lines = about.lines();
                let first = lines.next().unwrap_or_default();
                table += &row(phase.name(), &words_of_time(milliseconds), first);
                table.extend(lines.map(|line| row("", "", line)));
            }
        }
        if let Some(total) = self.phases.total() {
            table += &row("total", &words_of_time(total), "");
        }
        table
    }

    /// Returns facts about a phase, in lines that fit into 80 columns.
    fn about(&self, phase: Phase) -> String {
        match phase {
            Phase::Evaluate => {
                let counted = self.counters.map(counted).unwrap_or_default();
                match self.cache {
                    Some(cache) => format!("{counted}\nnot from the cache: {}", cache.why),
                    None => counted,
                }
            }
            Phase::Compare => match self.comparison {
                Some(comparison) if comparison.same => {
                    "the source evaluates to the running base".into()
                }
                Some(_) => "the source evaluates to a different base".into(),
                None => String::new(),
            },
            Phase::Build => self.missing.map_or_else(String::new, |missing| {
                format!("{} built", missing.build.len())
            }),
            Phase::Fetch => self
                .missing
                .map_or_else(String::new, |missing| bytes(missing.download_bytes)),
            Phase::Lock | Phase::Query | Phase::Activate => String::new(),
        }
    }
}

fn row(name: &str, time: &str, what: &str) -> String {
    let line = format!("  {name:9}{time:>9}   {what}");
    format!("{}\n", line.trim_end())
}

fn words_of_time(milliseconds: f64) -> String {
    duration(time_of(milliseconds))
}

fn counted(counters: &Counters) -> String {
    let collections = match counters.collections {
        0 => "no collection".to_string(),
        1 => "1 collection".to_string(),
        n => format!("{n} collections"),
    };
    format!(
        "{} files, {} thunks, {} calls\n{} allocated, {collections}, peak {}",
        grouped(counters.files),
        grouped(counters.thunks),
        grouped(counters.function_calls),
        bytes(counters.allocated_bytes),
        bytes(counters.peak_bytes)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(phases: &Phases) -> Times<'_> {
        Times {
            phases,
            cache: None,
            counters: None,
            missing: None,
            comparison: None,
        }
    }

    #[test]
    fn line_names_phases_that_took_time() {
        let mut phases = Phases::default();
        for (phase, milliseconds) in [
            (Phase::Evaluate, 61),
            (Phase::Query, 3),
            (Phase::Build, 6_300),
            (Phase::Activate, 200),
        ] {
            phases.append(phase, Duration::from_millis(milliseconds));
        }
        assert_eq!(of(&phases).line(), "", "no total is known yet");
        phases.finish(std::time::Instant::now());
        assert_eq!(
            of(&phases).line(),
            "total 0 ms: evaluate 61 ms, build 6.3 s, activate 0.2 s\n"
        );
    }
}
