//! Reasons to doubt a result: noise, outliers, a busy machine, and counters that should be exact
//! but differ.
//!
//! The program promises that two runs of the same benchmark give medians within [`CLOSE`] of each
//! other. If they may differ more, a warning gives the reason.

use super::samples::{BenchResult, Series};
use super::samples::{first_is_slow, times};

/// Maximum relative difference between the medians of two runs.
pub const CLOSE: f64 = 0.05;

/// Share of one processor that other processes may use without a warning.
const OTHERS: f64 = 0.10;

/// Share of its time that an evaluation may spend waiting for a processor without a warning.
const WAITED: f64 = 0.02;

/// Minimum number of samples that allows an estimate of the median's error.
const ENOUGH: usize = 6;

/// Returns all warnings about a result.
pub fn of(outcome: &BenchResult) -> Vec<String> {
    let mut warnings = Vec::new();
    if outcome.interrupted {
        warnings.push(
            "the benchmark was interrupted: the result has only the samples taken until then"
                .into(),
        );
    }
    warnings.extend(busy(outcome));
    warnings.extend(each(
        outcome,
        "too few runs to estimate the error of the median: use --runs 10",
        |one| (one.summary.samples < ENOUGH).then(String::new),
    ));
    let uncertain = format!(
        "the median may be off by more than {:.0} %: raise --runs or --budget, or use a less busy machine",
        CLOSE * 100.0
    );
    warnings.extend(each(outcome, &uncertain, |one| {
        let off = one.summary.uncertainty();
        (one.summary.samples >= ENOUGH && off > CLOSE).then(|| format!("±{:.0} %", off * 100.0))
    }));
    warnings.extend(each(
        outcome,
        "the first run was much slower than the others: use --warmup 1 or more",
        |one| first_is_slow(&times(one)).then(String::new),
    ));
    warnings.extend(each(
        outcome,
        "some samples are outliers, probably because another process was running",
        |one| {
            let far = one.summary.outliers - usize::from(first_is_slow(&times(one)));
            (far > 0).then(|| format!("{far} of {}", one.summary.samples))
        },
    ));
    warnings.extend(each(
        outcome,
        "the counters differ between runs: the evaluation is not deterministic",
        |one| (one.same_counters == Some(false)).then(String::new),
    ));
    warnings.extend(each(
        outcome,
        "the garbage collector ran: set a larger GC_INITIAL_HEAP_SIZE to avoid this",
        |one| {
            let runs = one
                .counters
                .as_ref()
                .map_or(0, |counters| counters.collections);
            (runs > 0).then(|| format!("{runs}×"))
        },
    ));
    warnings.extend(slow_governor(outcome));
    warnings
}

/// Warns if the CPU governor may change the clock speed during a run.
fn slow_governor(outcome: &BenchResult) -> Option<String> {
    let governor = outcome.machine.governor.as_deref();
    let governor = governor.filter(|name| *name != "performance")?;
    Some(format!(
        "the CPU governor is '{governor}', so the clock speed may change"
    ))
}

/// Warns if other processes used the machine, because another run could then give different times.
fn busy(outcome: &BenchResult) -> Option<String> {
    let most = |part: fn(&Series) -> Option<f64>| {
        let parts = outcome.series.iter().filter_map(part);
        parts.fold(0.0, f64::max)
    };
    let (others, waited) = (most(|one| one.others), most(|one| one.waited));
    (others > OTHERS || waited > WAITED).then(|| {
        format!(
            "the machine was busy: other processes used up to {:.0} % of a CPU, and the evaluator spent up to {:.0} % of its time waiting for one; medians may differ by more than {:.0} % between runs",
            others * 100.0,
            waited * 100.0,
            CLOSE * 100.0
        )
    })
}

/// Makes one warning for all series that it applies to, with a remark about each series.
fn each(
    outcome: &BenchResult,
    what: &str,
    about: impl Fn(&Series) -> Option<String>,
) -> Option<String> {
    let named: Vec<String> = outcome
        .series
        .iter()
        .filter_map(|one| {
            about(one).map(|about| match about.as_str() {
                "" => one.name.clone(),
                about => format!("{} ({about})", one.name),
            })
        })
        .collect();
    let names = match named.len() {
        0 => return None,
        all if all == outcome.series.len() && all > 2 => "all series".to_string(),
        _ => named.join(", "),
    };
    Some(format!("{names}: {what}"))
}
