//! The columns of a table, for the terminal and for Markdown.

use super::numbers::time;
use super::samples::Series;
use runtime_module_core::progress::{bytes, grouped};
use runtime_module_core::timings::Counters;

/// A column: its heading, and a function that makes its cell for a series.
pub struct Column {
    pub head: &'static str,
    pub cell: fn(&Series) -> String,
    /// Minimum width of the terminal at which the column is shown.
    pub from: usize,
}

const fn column(head: &'static str, from: usize, cell: fn(&Series) -> String) -> Column {
    Column { head, cell, from }
}

/// All columns, in order. A column is left out if the terminal is narrower than its `from`.
const COLUMNS: [Column; 13] = [
    column("median", 0, |one| time(one.summary.median)),
    column("mean ± dev", 0, spread),
    column("min", 90, |one| time(one.summary.minimum)),
    column("max", 90, |one| time(one.summary.maximum)),
    column("on CPU", 0, |one| {
        one.ran.map_or_else(String::new, |ran| time(ran.median))
    }),
    column("ratio", 0, |one| format!("{:.3}", one.ratio)),
    column("published", 0, published),
    column("thunks", 0, |one| count(one, |c| c.thunks)),
    column("calls", 110, |one| count(one, |c| c.function_calls)),
    column("primops", 130, |one| count(one, |c| c.primop_calls)),
    column("allocated", 130, |one| size(one, |c| c.allocated_bytes)),
    column("GCs", 110, |one| count(one, |c| c.collections)),
    column("peak", 110, |one| size(one, |c| c.peak_bytes)),
];

/// Returns the columns that fit this width and have a value for at least one series.
pub fn filled(series: &[Series], width: usize) -> Vec<&'static Column> {
    COLUMNS
        .iter()
        .filter(|column| {
            column.from <= width && series.iter().any(|one| !(column.cell)(one).is_empty())
        })
        .collect()
}

/// Formats the mean and the standard deviation, in the same unit if the mean is below a minute.
fn spread(one: &Series) -> String {
    let (mean, deviation) = (one.summary.mean, one.summary.deviation);
    let text = time(mean);
    let (number, scale, unit) = match text.split_once(' ') {
        Some((number, "ms")) => (number, 1.0, "ms"),
        Some((number, "s")) => (number, 1e3, "s"),
        // A time of a minute or more has two units.
        _ => return format!("{text} ± {}", time(deviation)),
    };
    let digits = number.split_once('.').map_or(0, |(_, digits)| digits.len());
    format!("{number} ± {:.digits$} {unit}", deviation / scale)
}

fn published(one: &Series) -> String {
    one.published
        .map_or_else(String::new, |figure| format!("{:.3}", figure.ratio))
}

fn count(one: &Series, what: fn(&Counters) -> u64) -> String {
    one.counters
        .as_ref()
        .map_or_else(String::new, |counters| grouped(what(counters)))
}

fn size(one: &Series, what: fn(&Counters) -> u64) -> String {
    one.counters
        .as_ref()
        .map_or_else(String::new, |counters| bytes(what(counters)))
}
