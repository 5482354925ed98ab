//! `bench`: starts benchmarks and shows their results. The measuring itself is in `benchmarks/`.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;

use super::{Printed, Session, document, say};
use crate::benchmarks::{self, Enough, Exports, Outcome, Rules};
use crate::cli::{Bench, BenchDiff, Measuring};
use crate::error::{Failure, neutral};
use crate::progress::{for_stderr, for_stdout};

/// Widths of a table and of a plot if the output is not a terminal.
const COLUMNS: (usize, usize) = (240, 100);

/// How long an interrupted run may take to write its result.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs a benchmark, or compares two results.
pub fn run(session: &Session, bench: &Bench) -> Result<()> {
    match bench {
        Bench::Eval(asked) => measured(session, &asked.measuring, |rules| {
            benchmarks::eval(session, &asked.names, rules)
        }),
        Bench::Toggle(asked) => measured(session, &asked.measuring, |rules| {
            benchmarks::toggle(session, asked, rules)
        }),
        Bench::Options(asked) => measured(session, &asked.measuring, |rules| {
            benchmarks::options(session, asked, rules)
        }),
        Bench::Overrides(asked) => measured(session, &asked.measuring, |rules| {
            benchmarks::overrides(session, asked, rules)
        }),
        Bench::Compare(asked) => measured(session, &asked.measuring, |rules| {
            benchmarks::compare(session, asked, rules)
        }),
        Bench::Diff(asked) => diff(session, asked),
    }
}

/// Measures and writes the result. Checks first that all result files can be written.
fn measured(
    session: &Session,
    measuring: &Measuring,
    measure: impl FnOnce(Rules) -> Result<Outcome>,
) -> Result<()> {
    let exports = Exports {
        json: measuring.export_json.clone(),
        markdown: measuring.export_markdown.clone(),
        csv: measuring.export_csv.clone(),
        svg: measuring.export_svg.clone(),
    };
    exports.check()?;
    session.interrupts.be_patient(PATIENCE);
    let outcome = measure(rules(measuring))?;
    if outcome.interrupted && outcome.series.is_empty() {
        return Err(Failure::Interrupted
            .error("interrupted; nothing was measured")
            .into());
    }
    exports.write(&outcome)?;
    show(session, measuring, &outcome)
}

fn rules(measuring: &Measuring) -> Rules {
    Rules {
        warmup: measuring.warmup,
        enough: match measuring.budget {
            Some(budget) => Enough::Budget(budget),
            None => Enough::Runs(measuring.runs),
        },
    }
}

/// Prints the result. An interrupt becomes an error after that.
fn show(session: &Session, measuring: &Measuring, outcome: &Outcome) -> Result<()> {
    session.interrupts.settle();
    session.reporter.finish();
    let text = if session.global.json {
        document(outcome)?
    } else {
        let size = console::Term::stdout().size_checked();
        let (width, plot) = size.map_or(COLUMNS, |(_, columns)| (columns.into(), columns.into()));
        let mut text = benchmarks::table(outcome, width);
        if !measuring.no_plot {
            text.push('\n');
            text += &benchmarks::plot(outcome, plot);
        }
        for_stdout(&harmless(&text))
    };
    say(text)?;
    if !session.global.json {
        warn(&outcome.warnings);
    }
    if !outcome.interrupted {
        return Ok(());
    }
    let error = Failure::Interrupted
        .error("interrupted; the result above has only the samples taken until then");
    if session.global.json {
        return Err(anyhow::Error::from(error).context(Printed));
    }
    Err(error.into())
}

fn diff(session: &Session, asked: &BenchDiff) -> Result<()> {
    let differences = benchmarks::diff(&asked.old, &asked.new)?;
    session.reporter.finish();
    if session.global.json {
        return say(document(&differences)?);
    }
    say(for_stdout(&harmless(&benchmarks::differences(
        &differences,
    ))))?;
    warn(&differences.warnings);
    Ok(())
}

/// Makes each line safe for a terminal, whatever names it contains.
fn harmless(text: &str) -> String {
    text.lines().map(|line| neutral(line) + "\n").collect()
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        // stderr may be closed, but the result contains the warnings too.
        let text = format!("warning: {}", neutral(warning));
        let _ = writeln!(std::io::stderr(), "{}", for_stderr(&text));
    }
}
