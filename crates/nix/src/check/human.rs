//! Human-readable output of `check`: a table that is printed row by row, and Markdown.

use std::fmt::Write as _;

use super::{CheckRow, CheckStatus, CheckSummary};
use crate::error::neutral;
use crate::progress::{bytes, duration};
use crate::timings::time_of;

pub(super) fn head() -> String {
    format!("{:9}  {:>7}  {:>9}  {}\n", "", "time", "memory", "what")
}

/// Formats a row, with its errors below it.
pub(super) fn row(row: &CheckRow) -> String {
    let took = duration(time_of(row.milliseconds));
    let mut text = format!(
        "{:9}  {took:>7}  {:>9}  {}",
        row.status.word(),
        bytes(row.bytes),
        row.subject()
    );
    let remarks = remarks(row);
    if !remarks.is_empty() {
        let _ = write!(text, " ({})", remarks.join("; "));
    }
    let mut lines = vec![text];
    for warning in &row.warnings {
        lines.extend(
            warning
                .trim()
                .lines()
                .map(|line| format!("  warning: {line}")),
        );
    }
    if let Some(error) = &row.error {
        lines.push(format!("  {}", error.message));
        lines.extend(error.details.iter().map(|detail| format!("    {detail}")));
        lines.extend(error.hints.iter().map(|hint| format!("  hint: {hint}")));
    }
    for regression in &row.regressions {
        lines.push(format!(
            "  {}: {}, but {} in the baseline",
            regression.counter, regression.now, regression.before
        ));
    }
    lines.iter().map(|line| neutral(line) + "\n").collect()
}

fn remarks(row: &CheckRow) -> Vec<String> {
    let mut remarks = Vec::new();
    if !row.needs_reboot.is_empty() {
        remarks.push(format!("needs a reboot: {}", row.needs_reboot.join(", ")));
    }
    if row.import_from_derivation {
        remarks.push("evaluation needs builds".into());
    }
    if row.changed == Some(true) {
        remarks.push("differs from the baseline".into());
    }
    if let Some(why) = &row.why_not_shared
        && row.status == CheckStatus::Ok
    {
        remarks.push(format!("packages not shared: {why}"));
    }
    if row.status == CheckStatus::Ok && row.same_as_host && !row.modules.is_empty() {
        remarks.push("changes nothing".into());
    }
    remarks
}

/// Returns the notes and the summary, which are printed last.
pub(super) fn foot(summary: &CheckSummary, notes: &[String]) -> String {
    let mut text = String::new();
    for note in notes {
        let _ = writeln!(text, "{}", neutral(note));
    }
    let took = duration(time_of(summary.milliseconds));
    let skipped = match summary.skipped {
        0 => String::new(),
        count => format!(", {count} skipped"),
    };
    let hosts = match summary.hosts {
        0 | 1 => String::new(),
        count => format!(" on {count} hosts"),
    };
    let _ = writeln!(
        text,
        "{} checked{hosts}, {} failed{skipped}, in {took}",
        summary.checked, summary.failed
    );
    text
}

/// Returns a summary for a pull request.
pub(super) fn markdown(rows: &[CheckRow], summary: &CheckSummary, notes: &[String]) -> String {
    let mut text = format!("{}\n", foot(summary, notes));
    text += "| | host | modules | time | memory | |\n|---|---|---|---|---|---|\n";
    for row in rows {
        let took = duration(time_of(row.milliseconds));
        let error = row.error.as_ref().map(|error| error.message.clone());
        let what: Vec<String> = error.into_iter().chain(remarks(row)).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {took} | {} | {} |",
            row.status.word(),
            cell(&row.host),
            cell(&row.modules.join(", ")),
            bytes(row.bytes),
            cell(&what.join("; "))
        );
    }
    text
}

/// Escapes text for a cell of a Markdown table.
fn cell(text: &str) -> String {
    let text = neutral(text).replace('\\', "\\\\").replace('|', "\\|");
    text.replace('<', "&lt;").replace('`', "'")
}
