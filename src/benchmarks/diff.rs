//! `bench diff`: two result files, series by series, and whether the differences are more than chance.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::exports::read;
use super::outcome::times;
use super::samples::{Outcome, Series};
use super::statistics::Difference;
use crate::error::Failure;

/// How two results differ.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Differences {
    schema: u64,
    bench: String,
    /// What to know before believing it.
    pub warnings: Vec<String>,
    /// What is in both.
    pub series: Vec<Changed>,
    /// What is in one of them only.
    pub only_old: Vec<String>,
    /// The same for the other.
    pub only_new: Vec<String>,
}

/// One series of both.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// The old median, milliseconds.
    pub old: f64,
    /// The new one.
    pub new: f64,
    /// What that amounts to.
    pub difference: Difference,
    /// Thunks more than before; exact, whatever the machine did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thunks: Option<i64>,
    /// Function calls more than before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_calls: Option<i64>,
}

/// Compares two files.
pub fn run(old: &Path, new: &Path) -> Result<Differences> {
    let (old, new) = (read(old)?, read(new)?);
    let find = |outcome: &'_ Outcome, name: &str| -> Option<Series> {
        outcome.series.iter().find(|one| one.name == name).cloned()
    };
    let series: Vec<Changed> = old
        .series
        .iter()
        .filter_map(|one| Some(changed(one, &find(&new, &one.name)?)))
        .collect();
    if series.is_empty() {
        return Err(Failure::Usage
            .error(format!(
                "bench diff: the two have no series in common: one is '{}', the other '{}'",
                old.title, new.title
            ))
            .hint("compare two runs of the same benchmark")
            .into());
    }
    let only = |a: &Outcome, b: &Outcome| -> Vec<String> {
        let names = a.series.iter().map(|one| one.name.clone());
        names.filter(|name| find(b, name).is_none()).collect()
    };
    Ok(Differences {
        schema: 1,
        bench: "diff".into(),
        warnings: warnings(&old, &new),
        only_old: only(&old, &new),
        only_new: only(&new, &old),
        series,
    })
}

fn changed(old: &Series, new: &Series) -> Changed {
    let more = |count: fn(&crate::timings::Counters) -> u64| {
        let (a, b) = (old.counters.as_ref()?, new.counters.as_ref()?);
        i64::try_from(count(b)).ok()?.checked_sub_unsigned(count(a))
    };
    Changed {
        name: old.name.clone(),
        old: old.summary.median,
        new: new.summary.median,
        difference: Difference::between(&times(old), &times(new)),
        thunks: more(|counters| counters.thunks),
        function_calls: more(|counters| counters.function_calls),
    }
}

fn warnings(old: &Outcome, new: &Outcome) -> Vec<String> {
    let mut warnings = Vec::new();
    if !old.machine.is_like(&new.machine) {
        warnings.push(
            "they were measured on two machines: their times say nothing, only the counters do"
                .into(),
        );
    }
    if old.subject.initial_heap_bytes != new.subject.initial_heap_bytes {
        warnings.push("the collector began with another heap".into());
    }
    if old.subject.version != new.subject.version {
        warnings.push(format!(
            "measured by {} and by {}",
            old.subject.version, new.subject.version
        ));
    }
    for (which, outcome) in [("old", old), ("new", new)] {
        warnings.extend(
            outcome
                .warnings
                .iter()
                .map(|text| format!("{which}: {text}")),
        );
    }
    warnings
}
