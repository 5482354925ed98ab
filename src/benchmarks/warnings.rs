//! What to know before believing a result: noise, outliers, a busy machine, numbers that should be exact and are not.
//!
//! The promise is that two runs of the same benchmark give medians within [`CLOSE`] of each other, or that one of these
//! lines says why that could not be had.

use super::outcome::{first_is_slow, times};
use super::samples::{Outcome, Series};

/// How close the medians of two runs are to be, as a share.
pub const CLOSE: f64 = 0.05;

/// Others may use so much of one processor before we say so.
const OTHERS: f64 = 0.10;

/// An evaluation may wait for a processor for this share of its time before we say so.
const WAITED: f64 = 0.02;

/// Fewer samples than this say nothing about how far a median may be off.
const ENOUGH: usize = 6;

/// What is to be said about a result.
pub fn of(outcome: &Outcome) -> Vec<String> {
    let mut warnings = Vec::new();
    if outcome.interrupted {
        warnings.push("interrupted: this is what was measured until then".into());
    }
    warnings.extend(busy(outcome));
    warnings.extend(each(
        outcome,
        "so few runs do not say how far the median may be off: --runs 10",
        |one| (one.summary.samples < ENOUGH).then(String::new),
    ));
    let uncertain = format!(
        "the median is not known to within {:.0} %: more --runs, or a quiet machine",
        CLOSE * 100.0
    );
    warnings.extend(each(outcome, &uncertain, |one| {
        let off = one.summary.uncertainty();
        (one.summary.samples >= ENOUGH && off > CLOSE).then(|| format!("±{:.0} %", off * 100.0))
    }));
    warnings.extend(each(
        outcome,
        "the first run was much slower than the others: --warmup 1 or more",
        |one| first_is_slow(&times(one)).then(String::new),
    ));
    warnings.extend(each(
        outcome,
        "samples far from the others: something else was going on",
        |one| {
            let far = one.summary.outliers - usize::from(first_is_slow(&times(one)));
            (far > 0).then(|| format!("{far}"))
        },
    ));
    warnings.extend(each(
        outcome,
        "the counters differ between runs: the evaluation is not the same each time",
        |one| (one.same_counters == Some(false)).then(String::new),
    ));
    warnings.extend(each(
        outcome,
        "the collector ran: with more memory to begin with it need not",
        |one| {
            let runs = one
                .counters
                .as_ref()
                .map_or(0, |counters| counters.collections);
            (runs > 0).then(|| format!("{runs}"))
        },
    ));
    if let Some(governor) = outcome
        .machine
        .governor
        .as_deref()
        .filter(|it| *it != "performance")
    {
        warnings.push(format!(
            "the processor's speed is set by the governor '{governor}', and may change"
        ));
    }
    warnings
}

/// A machine on which others work gives other times the next time.
fn busy(outcome: &Outcome) -> Option<String> {
    let most = |part: fn(&Series) -> Option<f64>| {
        let parts = outcome.series.iter().filter_map(part);
        parts.fold(0.0, f64::max)
    };
    let (others, waited) = (most(|one| one.others), most(|one| one.waited));
    (others > OTHERS || waited > WAITED).then(|| {
        format!(
            "the machine was busy: others used up to {:.0} % of a processor meanwhile, and evaluation waited up to {:.0} % of its time for one; another run may give medians that differ by more than {:.0} %",
            others * 100.0,
            waited * 100.0,
            CLOSE * 100.0
        )
    })
}

/// One line for all series of which the same is to be said, with what is to be said about each.
fn each(
    outcome: &Outcome,
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
        all if all == outcome.series.len() && all > 2 => "all".to_string(),
        _ => named.join(", "),
    };
    Some(format!("{names}: {what}"))
}
