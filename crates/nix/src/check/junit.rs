//! Results of `check` as JUnit XML: a test suite for each host, a test case for each checked set of
//! modules.

use std::time::Duration;

use anyhow::{Context as _, Result};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::formats::whole;
use super::{CheckRow, CheckStatus, CheckSummary};
use crate::error::neutral;
use crate::timings::time_of;

pub(super) fn junit(rows: &[CheckRow], summary: &CheckSummary) -> Result<String> {
    let mut report = Report::new("runtime-module check");
    report.set_time(rounded(summary.milliseconds));
    report.add_test_suites(rows.chunk_by(|a, b| a.host == b.host).map(suite));
    report.to_string().context("cannot write JUnit XML")
}

fn suite(rows: &[CheckRow]) -> TestSuite {
    let mut suite = TestSuite::new(rows.first().map_or("", |row| row.host.as_str()));
    suite.add_test_cases(rows.iter().map(case));
    suite
}

fn case(row: &CheckRow) -> TestCase {
    let mut case = TestCase::new(row.subject(), status(row));
    case.set_classname(row.host.as_str());
    case.set_time(rounded(row.milliseconds));
    if !row.notes.is_empty() {
        case.set_system_out(printable(&row.notes.join("\n")));
    }
    case
}

fn status(row: &CheckRow) -> TestCaseStatus {
    let Some(why) = whole(row) else {
        return TestCaseStatus::success();
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(match row.status {
        CheckStatus::Ok => "regression",
        status => status.word(),
    });
    let why = printable(&why);
    status.set_message(why.lines().next().unwrap_or_default());
    status.set_description(why);
    status
}

/// Replaces control characters on each line with visible ones, so that readers of a report notice
/// them.
fn printable(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(neutral).collect();
    lines.join("\n")
}

/// Rounds to whole milliseconds, because JUnit XML has times with three decimals.
fn rounded(milliseconds: f64) -> Duration {
    time_of(milliseconds.round())
}
