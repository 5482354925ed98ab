//! `bench diff`: compares two result files series by series, and tests whether each difference is
//! significant.

use std::path::Path;

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;

use super::error::BenchError;
use super::exports::read;
use super::samples::times;
use super::samples::{BenchResult, Series};
use super::statistics::SeriesDifference;

/// The differences between two results.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Differences {
    schema: u64,
    /// Always `diff`.
    #[schemars(extend("const" = "diff"))]
    bench: String,
    /// Reasons to doubt the comparison.
    pub warnings: Vec<String>,
    /// Series that are in both results.
    #[schemars(length(min = 1))]
    pub series: Vec<ChangedSeries>,
    /// The series that only the old result has.
    pub only_old: Vec<String>,
    /// The series that only the new result has.
    pub only_new: Vec<String>,
}

/// A series that is in both results.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedSeries {
    /// The name of the series.
    pub name: String,
    /// Median of the old result in milliseconds.
    pub old: f64,
    /// Median of the new result in milliseconds.
    pub new: f64,
    /// The difference between the samples.
    pub difference: SeriesDifference,
    /// The change in the number of thunks, which is exact even on a busy machine; absent if one of
    /// the two results has no counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thunks: Option<i64>,
    /// The change in the number of function calls; absent if one of the two results has no counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_calls: Option<i64>,
}

/// Reads two result files and compares them.
pub fn run(old: &Path, new: &Path) -> Result<Differences> {
    let (old, new) = (read(old)?, read(new)?);
    let find = |outcome: &'_ BenchResult, name: &str| -> Option<Series> {
        outcome.series.iter().find(|one| one.name == name).cloned()
    };
    let series: Vec<ChangedSeries> = old
        .series
        .iter()
        .filter_map(|one| Some(changed(one, &find(&new, &one.name)?)))
        .collect();
    if series.is_empty() {
        let (old, new) = (old.title, new.title);
        return Err(BenchError::NoCommonSeries { old, new }.into());
    }
    let only = |a: &BenchResult, b: &BenchResult| -> Vec<String> {
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

fn changed(old: &Series, new: &Series) -> ChangedSeries {
    let more = |count: fn(&runtime_module_core::timings::Counters) -> u64| {
        let (a, b) = (old.counters.as_ref()?, new.counters.as_ref()?);
        i64::try_from(count(b)).ok()?.checked_sub_unsigned(count(a))
    };
    ChangedSeries {
        name: old.name.clone(),
        old: old.summary.median,
        new: new.summary.median,
        difference: SeriesDifference::between(&times(old), &times(new)),
        thunks: more(|counters| counters.thunks),
        function_calls: more(|counters| counters.function_calls),
    }
}

fn warnings(old: &BenchResult, new: &BenchResult) -> Vec<String> {
    let mut warnings = Vec::new();
    if !old.machine.is_like(&new.machine) {
        warnings.push(
            "the results are from different machines: compare only the counters, not the times"
                .into(),
        );
    }
    if old.subject.initial_heap_bytes != new.subject.initial_heap_bytes {
        warnings.push("the initial heap sizes of the garbage collector differ".into());
    }
    if old.subject.version != new.subject.version {
        warnings.push(format!(
            "the results are from different versions of runtime-module: {} and {}",
            old.subject.version, new.subject.version
        ));
    }
    for (which, outcome) in [("old", old), ("new", new)] {
        warnings.extend(
            outcome
                .warnings
                .iter()
                .map(|text| format!("{which} result: {text}")),
        );
    }
    warnings
}
