//! Compares a run with an earlier one: derivations, exact counters and times.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::{CheckRow, CheckStatus, Regression};
use crate::error::CheckError;
use crate::timings::Counters;

/// The factor by which a time must exceed the baseline's to be reported. Times alone never fail a
/// run.
const SLOWER: f64 = 1.5;

/// The results of an earlier run, by host and modules.
#[derive(Debug)]
pub struct Baseline {
    rows: BTreeMap<(String, Vec<String>), CheckRow>,
    tolerance: f64,
}

impl Baseline {
    /// Reads the output of `check --format jsonl`. `tolerance` is the percentage by which a counter
    /// may grow.
    pub fn read(file: &Path, tolerance: f64) -> Result<Self> {
        let shown = || file.display().to_string();
        let text =
            std::fs::read_to_string(file).map_err(|error| CheckError::BaselineUnreadable {
                file: shown(),
                reason: error.to_string(),
            })?;
        let mut rows = BTreeMap::new();
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.contains("\"summary\":"))
        {
            let row: CheckRow =
                serde_json::from_str(line).map_err(|error| CheckError::NotABaseline {
                    file: shown(),
                    line: number + 1,
                    reason: error.to_string(),
                })?;
            rows.insert((row.host.clone(), row.modules.clone()), row);
        }
        Ok(Self { rows, tolerance })
    }

    /// Compares a row with the baseline. Returns a note if its evaluation took much longer.
    pub fn compare(&self, row: &mut CheckRow) -> Option<String> {
        let before = self.rows.get(&(row.host.clone(), row.modules.clone()))?;
        row.changed = Some(row.drv != before.drv);
        // An evaluation that failed has no comparable counters or time.
        if row.status != CheckStatus::Ok || before.status != CheckStatus::Ok {
            return None;
        }
        // A fork inherits counters from its template, so compare counters only if both runs
        // evaluated in the same way.
        if row.forked == before.forked && row.shared_packages == before.shared_packages {
            row.regressions = self.regressions(&row.counters, &before.counters);
        }
        (row.milliseconds > before.milliseconds * SLOWER).then(|| {
            format!(
                "{}: took {:.0} ms, but {:.0} ms in the baseline",
                row.subject(),
                row.milliseconds,
                before.milliseconds
            )
        })
    }

    fn regressions(&self, now: &Counters, before: &Counters) -> Vec<Regression> {
        let counters = |c: &Counters| {
            [
                ("thunks", c.thunks),
                ("functionCalls", c.function_calls),
                ("primopCalls", c.primop_calls),
                ("lookups", c.lookups),
                ("values", c.values),
            ]
        };
        let allowed = 1.0 + self.tolerance / 100.0;
        let pairs = counters(now).into_iter().zip(counters(before));
        pairs
            .filter(|((_, now), (_, before))| *now as f64 > *before as f64 * allowed)
            .map(|((counter, now), (_, before))| Regression {
                counter: counter.into(),
                before,
                now,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EvaluationError;
    use crate::evaluation::Evaluated;
    use crate::pool::{EvaluationEnd, JobOutcome};

    fn row(ended: EvaluationEnd, thunks: u64, milliseconds: f64) -> CheckRow {
        let outcome = JobOutcome {
            milliseconds,
            counters: Counters {
                thunks,
                ..Counters::default()
            },
            ..JobOutcome::of(ended)
        };
        CheckRow::new("box", &[], outcome, None, "/source")
    }

    fn evaluated() -> EvaluationEnd {
        EvaluationEnd::Evaluated {
            evaluated: Box::new(Evaluated::default()),
        }
    }

    /// Returns the counters that grew, and whether there is a note about the time.
    fn compared(before: CheckRow, mut now: CheckRow) -> (Vec<String>, bool) {
        let baseline = Baseline {
            rows: BTreeMap::from([((before.host.clone(), Vec::new()), before)]),
            tolerance: 5.0,
        };
        let report = baseline.compare(&mut now).is_some();
        let grown = now.regressions.into_iter().map(|grown| grown.counter);
        (grown.collect(), report)
    }

    #[test]
    fn repaired_or_failed_row_is_not_compared() {
        let died = || EvaluationEnd::Died { why: "x".into() };
        let failed = EvaluationEnd::Failed {
            failed: EvaluationError::HostsFail { reason: "x".into() }.into(),
            places: Vec::new(),
            again: false,
            builds: false,
        };
        for ended in [
            EvaluationEnd::TimedOut,
            EvaluationEnd::TooLarge,
            died(),
            failed,
        ] {
            let before = row(ended, 0, 1.0);
            let nothing = (Vec::new(), false);
            assert_eq!(compared(before, row(evaluated(), 9, 9.0)), nothing);
        }
        let before = row(evaluated(), 1, 1.0);
        let nothing = (Vec::new(), false);
        assert_eq!(compared(before, row(died(), 9, 9.0)), nothing);
    }

    #[test]
    fn counters_above_tolerance_are_regressions() {
        let before = || row(evaluated(), 100, 10.0);
        let after = |thunks, milliseconds| row(evaluated(), thunks, milliseconds);
        let nothing = (Vec::new(), false);
        assert_eq!(compared(before(), after(105, 15.0)), nothing);
        let both = (vec!["thunks".to_string()], true);
        assert_eq!(compared(before(), after(106, 15.1)), both);
    }
}
