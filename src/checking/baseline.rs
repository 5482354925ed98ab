//! Comparing with an earlier run: derivations, exact counters, times.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::{Regression, Row};
use crate::error::Failure;
use crate::timings::Counters;

/// A time is told when it is more than this many times what it was; times alone fail nothing.
const SLOWER: f64 = 1.5;

/// An earlier run, by host and modules.
#[derive(Debug)]
pub struct Baseline {
    rows: BTreeMap<(String, Vec<String>), Row>,
    tolerance: f64,
}

impl Baseline {
    /// Reads what `check --format jsonl` printed. `tolerance`: by what percentage a counter may grow.
    pub fn read(file: &Path, tolerance: f64) -> Result<Self> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::Usage
                .error(format!("read the baseline {shown}: {error}"))
                .hint("`runtime-module check --format jsonl > FILE` makes one")
        })?;
        let mut rows = BTreeMap::new();
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.contains("\"summary\":"))
        {
            let row: Row = serde_json::from_str(line).map_err(|error| {
                Failure::Usage
                    .error(format!(
                        "read the baseline {shown}: line {}: {error}",
                        number + 1
                    ))
                    .hint("it is to be what `runtime-module check --format jsonl` printed")
            })?;
            rows.insert((row.host.clone(), row.modules.clone()), row);
        }
        Ok(Self { rows, tolerance })
    }

    /// Compares a row; what is to be told of its time.
    pub fn compare(&self, row: &mut Row) -> Option<String> {
        let before = self.rows.get(&(row.host.clone(), row.modules.clone()))?;
        row.changed = Some(row.drv != before.drv);
        // A fork counts from where its template stood: counts of another kind say nothing.
        if row.forked == before.forked && row.shared_packages == before.shared_packages {
            row.regressions = self.regressions(&row.counters, &before.counters);
        }
        (row.milliseconds > before.milliseconds * SLOWER).then(|| {
            format!(
                "{}: took {:.0} ms, and {:.0} ms in the baseline",
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
