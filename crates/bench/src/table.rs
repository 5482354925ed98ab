//! A result as a table, for the terminal or as Markdown.

use std::fmt::Write as _;

use console::{Alignment, measure_text_width, pad_str, truncate_str};

use super::columns::filled;
use super::numbers::{signed, time};
use super::samples::{BenchResult, Cost, Series};
use super::statistics::DifferenceVerdict;
use super::verdict::verdict;

/// Maximum width of a name on a narrow terminal and on a wide one.
const NAME: [usize; 2] = [36, 60];

/// Formats the result for a terminal of this width.
pub fn human(outcome: &BenchResult, width: usize) -> String {
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

/// Describes in one line how the result was measured.
fn how(outcome: &BenchResult) -> String {
    let method = &outcome.method;
    let runs = outcome.runs();
    let mut parts = vec![format!("{runs} runs, {} warm-up", method.warmup)];
    if method.interleaved && outcome.bench != "toggle" {
        parts.push("interleaved".into());
    }
    parts.push(match outcome.bench.as_str() {
        "toggle" => "each run is a complete command".into(),
        _ => "each run uses a new evaluator".into(),
    });
    if let Some(overhead) = &outcome.overhead {
        parts.push(format!("{} own overhead", time(overhead.median)));
    }
    parts.join(", ")
}

fn grid(series: &[Series], width: usize) -> String {
    let columns = filled(series, width);
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
    // Drop columns from the right until the table fits, but keep the first three.
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
        text += "\nCost of each module compared with the host alone:\n";
    }
    let width = costs
        .iter()
        .map(|cost| measure_text_width(&cost.module))
        .max()
        .unwrap_or(0);
    for cost in costs {
        let sign = if cost.milliseconds < 0.0 { "-" } else { "+" };
        let doubt = match cost.verdict {
            DifferenceVerdict::Slower | DifferenceVerdict::Faster => "",
            DifferenceVerdict::NotShown => " (not significant)",
            DifferenceVerdict::TooFew => " (too few runs to tell)",
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

pub fn markdown(outcome: &BenchResult) -> String {
    let escape = |text: &str| text.replace('|', "\\|");
    let columns = filled(&outcome.series, usize::MAX);
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
