//! A result as text: a table for people, Markdown, lines of values for other programs.

use std::fmt::Write as _;

use anyhow::Result;
use console::{Alignment, measure_text_width, pad_str, truncate_str};

use super::diff::Differences;
use super::samples::{Cost, Outcome, Series};
use super::statistics::{Difference, Verdict};
use crate::progress::{bytes, duration};
use std::time::Duration;

/// Columns that a name may take, on a narrow terminal and on a wide one.
const NAME: [usize; 2] = [36, 60];

/// A column: its head, and what stands in it for a series.
struct Column {
    head: &'static str,
    cell: fn(&Series) -> String,
    /// From which width of the terminal on it is there.
    from: usize,
}

/// All columns, in their order; those that do not fit go by their width.
const COLUMNS: [Column; 13] = [
    Column {
        head: "median",
        cell: |one| time(one.summary.median),
        from: 0,
    },
    Column {
        head: "mean ± dev",
        cell: |one| spread(one),
        from: 0,
    },
    Column {
        head: "min",
        cell: |one| time(one.summary.minimum),
        from: 90,
    },
    Column {
        head: "max",
        cell: |one| time(one.summary.maximum),
        from: 90,
    },
    Column {
        head: "on CPU",
        cell: |one| one.ran.map_or_else(String::new, |ran| time(ran.median)),
        from: 0,
    },
    Column {
        head: "ratio",
        cell: |one| format!("{:.3}", one.ratio),
        from: 0,
    },
    Column {
        head: "published",
        cell: published,
        from: 0,
    },
    Column {
        head: "thunks",
        cell: |one| count(one, |c| c.thunks),
        from: 0,
    },
    Column {
        head: "calls",
        cell: |one| count(one, |c| c.function_calls),
        from: 110,
    },
    Column {
        head: "primops",
        cell: |one| count(one, |c| c.primop_calls),
        from: 130,
    },
    Column {
        head: "allocated",
        cell: |one| size(one, |c| c.allocated_bytes),
        from: 130,
    },
    Column {
        head: "GCs",
        cell: |one| count(one, |c| c.collections),
        from: 110,
    },
    Column {
        head: "peak",
        cell: |one| size(one, |c| c.peak_bytes),
        from: 110,
    },
];

/// For a person, on a terminal of this width.
pub fn human(outcome: &Outcome, width: usize) -> String {
    let mut text = format!("{}\n{}\n\n", outcome.title, how(outcome));
    text += &grid(&outcome.series, width);
    text += &costs(&outcome.costs);
    if let Some(difference) = &outcome.difference {
        let names: Vec<&str> = outcome.series.iter().map(|one| one.name.as_str()).collect();
        if let [_, second] = names[..] {
            let _ = writeln!(text, "\n{second} {}", verdict(difference));
        }
    }
    text
}

/// How it was measured, in a line.
fn how(outcome: &Outcome) -> String {
    let method = &outcome.method;
    let runs = outcome
        .series
        .iter()
        .map(|one| one.summary.samples)
        .max()
        .unwrap_or(0);
    let mut parts = vec![format!("{runs} runs after {} of warm-up", method.warmup)];
    if method.interleaved && outcome.bench != "toggle" {
        parts.push("taking turns".into());
    }
    parts.push(match outcome.bench.as_str() {
        "toggle" => "each by the program itself".into(),
        _ => "each in an evaluator of its own".into(),
    });
    if let Some(overhead) = &outcome.overhead {
        parts.push(format!("{} of it our own", time(overhead.median)));
    }
    parts.join(", ")
}

fn grid(series: &[Series], width: usize) -> String {
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| {
            column.from <= width && series.iter().any(|one| !(column.cell)(one).is_empty())
        })
        .collect();
    let mut rows: Vec<Vec<String>> = vec![
        std::iter::once(String::new())
            .chain(columns.iter().map(|column| column.head.into()))
            .collect(),
    ];
    for one in series {
        let name = truncate_str(&one.name, NAME[usize::from(width >= 100)], "…").into_owned();
        rows.push(
            std::iter::once(name)
                .chain(columns.iter().map(|column| (column.cell)(one)))
                .collect(),
        );
    }
    // What does not fit is left out from the right, but never the first three.
    let mut widths = widths(&rows);
    while widths.len() > 3 && widths.iter().map(|width| width + 2).sum::<usize>() > width + 2 {
        widths.pop();
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let side = if index == 0 {
                Alignment::Left
            } else {
                Alignment::Right
            };
            line += &pad_str(cell, *width, side, None);
            line += "  ";
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .map(|row| measure_text_width(&row[column]))
            .max()
    };
    (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect()
}

fn costs(costs: &[Cost]) -> String {
    let mut text = String::new();
    if !costs.is_empty() {
        text += "\nWhat each module adds to the host by itself:\n";
    }
    let width = costs
        .iter()
        .map(|cost| measure_text_width(&cost.module))
        .max()
        .unwrap_or(0);
    for cost in costs {
        let sign = if cost.milliseconds < 0.0 { "-" } else { "+" };
        let doubt = match cost.verdict {
            Verdict::Slower | Verdict::Faster => "",
            Verdict::NotShown => " (no more than chance)",
            Verdict::TooFew => " (too few runs to tell)",
        };
        let _ = writeln!(
            text,
            "  {}  {sign}{}{doubt}, {} thunks, {} calls",
            pad_str(&cost.module, width, Alignment::Left, None),
            time(cost.milliseconds.abs()),
            signed(cost.thunks),
            signed(cost.function_calls)
        );
    }
    text
}

/// A difference in words.
pub fn verdict(difference: &Difference) -> String {
    let percent = (difference.ratio - 1.0).abs() * 100.0;
    let between = format!(
        "{:.3} of the other's median, between {:.3} and {:.3} with 95 % confidence",
        difference.ratio, difference.ratio_low, difference.ratio_high
    );
    let chance = match difference.probability {
        p if p < 0.001 => "p < 0.001".to_string(),
        p => format!("p = {p:.3}"),
    };
    match difference.verdict {
        Verdict::Slower => format!("takes {percent:.1} % longer ({chance}): {between}"),
        Verdict::Faster => format!("takes {percent:.1} % less ({chance}): {between}"),
        Verdict::NotShown => {
            format!("takes no other time as far as this shows ({chance}): {between}")
        }
        Verdict::TooFew => format!(
            "takes {:.3} of the other's median; so few runs could never show a difference",
            difference.ratio
        ),
    }
}

/// Two results against each other.
pub fn differences(differences: &Differences) -> String {
    let mut text = String::new();
    for one in &differences.series {
        let _ = writeln!(text, "{}: {} → {}", one.name, time(one.old), time(one.new));
        let _ = writeln!(text, "  {}", verdict(&one.difference));
        if let (Some(thunks), Some(calls)) = (one.thunks, one.function_calls) {
            let _ = match (thunks, calls) {
                (0, 0) => writeln!(
                    text,
                    "  the same evaluation: thunks and calls are the same to the last one"
                ),
                _ => writeln!(text, "  {} thunks, {} calls", signed(thunks), signed(calls)),
            };
        }
    }
    for (names, which) in [
        (&differences.only_old, "old"),
        (&differences.only_new, "new"),
    ] {
        if !names.is_empty() {
            let _ = writeln!(text, "only in the {which} one: {}", names.join(", "));
        }
    }
    text
}

/// The table as Markdown.
pub fn markdown(outcome: &Outcome) -> String {
    let escape = |text: &str| text.replace('|', "\\|");
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| {
            outcome
                .series
                .iter()
                .any(|one| !(column.cell)(one).is_empty())
        })
        .collect();
    let mut text = format!("{}; {}.\n\n|", escape(&outcome.title), how(outcome));
    for head in std::iter::once("").chain(columns.iter().map(|column| column.head)) {
        let _ = write!(text, " {head} |");
    }
    text += "\n|---|";
    text += &"---:|".repeat(columns.len());
    text.push('\n');
    for one in &outcome.series {
        let _ = write!(text, "| {} |", escape(&one.name));
        for column in &columns {
            let _ = write!(text, " {} |", (column.cell)(one));
        }
        text.push('\n');
    }
    for warning in &outcome.warnings {
        let _ = write!(text, "\n- {}", escape(warning));
    }
    if !outcome.warnings.is_empty() {
        text.push('\n');
    }
    text
}

/// A line for each sample.
pub fn csv(outcome: &Outcome) -> Result<String> {
    let mut text = String::from(
        "series,round,milliseconds,process,lock,ran,waited,others,thunks,functionCalls,primopCalls,allocatedBytes,collections,peakBytes\n",
    );
    for one in &outcome.series {
        let name = one.name.replace('"', "\"\"");
        for sample in &one.samples {
            let times = [
                sample.process,
                sample.lock,
                sample.ran,
                sample.waited,
                sample.others,
            ];
            let times = times.map(|time| time.map_or_else(String::new, |time| time.to_string()));
            let counters = sample.counters.as_ref().map(|counted| {
                [
                    counted.thunks,
                    counted.function_calls,
                    counted.primop_calls,
                    counted.allocated_bytes,
                    counted.collections,
                    counted.peak_bytes,
                ]
                .map(|number| number.to_string())
            });
            let counters = counters.unwrap_or_default();
            writeln!(
                text,
                "\"{name}\",{},{},{},{}",
                sample.round,
                sample.milliseconds,
                times.join(","),
                counters.join(",")
            )?;
        }
    }
    Ok(text)
}

/// Milliseconds with three digits that say something.
pub fn time(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 9.9995 => format!("{ms:.3} ms"),
        ms if ms < 99.995 => format!("{ms:.2} ms"),
        ms if ms < 999.95 => format!("{ms:.1} ms"),
        ms if ms < 9_999.5 => format!("{:.3} s", ms / 1e3),
        ms if ms < 60_000.0 => format!("{:.2} s", ms / 1e3),
        ms => duration(Duration::from_secs_f64(ms / 1e3)),
    }
}

/// The mean and its deviation in one unit.
fn spread(one: &Series) -> String {
    let (mean, deviation) = (one.summary.mean, one.summary.deviation);
    let (number, unit) = time(mean)
        .split_once(' ')
        .map_or((String::new(), ""), |(number, unit)| {
            (number.to_string(), if unit == "s" { "s" } else { "ms" })
        });
    let scale = if unit == "s" { 1e3 } else { 1.0 };
    let digits = number.split_once('.').map_or(0, |(_, digits)| digits.len());
    format!("{number} ± {:.digits$} {unit}", deviation / scale)
}

fn published(one: &Series) -> String {
    one.published
        .map_or_else(String::new, |figure| format!("{:.3}", figure.ratio))
}

fn count(one: &Series, what: fn(&crate::timings::Counters) -> u64) -> String {
    one.counters
        .as_ref()
        .map_or_else(String::new, |counters| grouped(what(counters)))
}

fn size(one: &Series, what: fn(&crate::timings::Counters) -> u64) -> String {
    one.counters
        .as_ref()
        .map_or_else(String::new, |counters| bytes(what(counters)))
}

/// `1234567` → `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "+" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_digits_that_say_something() {
        assert_eq!(
            [0.0123, 12.345, 123.45, 1_234.5, 12_345.0, 61_000.0].map(time),
            [
                "0.012 ms", "12.35 ms", "123.5 ms", "1.234 s", "12.35 s", "1 m 01 s"
            ]
        );
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(signed(-12), "-12");
    }
}
