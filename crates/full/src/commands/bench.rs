//! `bench`: starts benchmarks and shows their results. The measurements are in `crates/bench`.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use runtime_module_bench::error::BenchError;
use runtime_module_bench::{self as benchmarks, BenchResult};
use runtime_module_core::command::{BenchCommand, Benchmark, Measuring};
use runtime_module_core::error::neutral;
use runtime_module_core::error_output::AlreadyPrinted;
use runtime_module_core::output::{document, say};
use runtime_module_core::progress::{for_stderr, for_stdout};
use runtime_module_nix::session::NixSession;

/// Widths of a table and of a plot if the output is not a terminal.
const COLUMNS: (usize, usize) = (240, 100);

/// Time limit for an interrupted run to write its result.
const WAIT_LIMIT: Duration = Duration::from_secs(5);

/// Runs a benchmark, or compares two results.
pub fn run(session: &NixSession, command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Measure {
            benchmark,
            measuring,
        } => measure(session, benchmark, measuring),
        BenchCommand::Diff { old, new } => diff(session, old, new),
    }
}

/// Runs a benchmark, and writes and prints its result. Checks first that all result files can be
/// written.
fn measure(session: &NixSession, benchmark: &Benchmark, measuring: &Measuring) -> Result<()> {
    benchmarks::check_exports(&measuring.exports)?;
    session.interrupts.extend_deadline(WAIT_LIMIT);
    let rules = measuring.rules;
    let outcome = match benchmark {
        Benchmark::Eval { names } => benchmarks::eval(session, names, rules),
        Benchmark::Toggle(toggle) => benchmarks::toggle(session, toggle, rules),
        Benchmark::Options(options) => benchmarks::options(session, options, rules),
        Benchmark::Overrides(overrides) => benchmarks::overrides(session, overrides, rules),
        Benchmark::Compare(compare) => benchmarks::compare(session, compare, rules),
    }?;
    if outcome.interrupted && outcome.series.is_empty() {
        return Err(BenchError::NothingMeasured.into());
    }
    benchmarks::write_exports(&measuring.exports, &outcome)?;
    show(session, measuring, &outcome)
}

/// Prints the result. Then returns an error if the run was interrupted.
fn show(session: &NixSession, measuring: &Measuring, outcome: &BenchResult) -> Result<()> {
    session.interrupts.settle();
    session.reporter.finish();
    let text = if session.options.json {
        document(outcome)?
    } else {
        let size = console::Term::stdout().size_checked();
        let (width, plot) = size.map_or(COLUMNS, |(_, columns)| (columns.into(), columns.into()));
        let mut text = benchmarks::table(outcome, width);
        if measuring.plot {
            text.push('\n');
            text += &benchmarks::plot(outcome, plot);
        }
        for_stdout(&harmless(&text))
    };
    say(text)?;
    if !session.options.json {
        warn(&outcome.warnings);
    }
    if !outcome.interrupted {
        return Ok(());
    }
    let error = anyhow::Error::from(BenchError::FewerSamples);
    Err(match session.options.json {
        true => error.context(AlreadyPrinted),
        false => error,
    })
}

fn diff(session: &NixSession, old: &Path, new: &Path) -> Result<()> {
    let differences = benchmarks::diff(old, new)?;
    session.reporter.finish();
    if session.options.json {
        return say(document(&differences)?);
    }
    say(for_stdout(&harmless(&benchmarks::differences(
        &differences,
    ))))?;
    warn(&differences.warnings);
    Ok(())
}

/// Makes each line safe for a terminal, even if it contains names with control characters.
fn harmless(text: &str) -> String {
    text.lines().map(|line| neutral(line) + "\n").collect()
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        // Ignore a closed stderr: JSON and Markdown exports contain the warnings too.
        let text = format!("warning: {}", neutral(warning));
        let _ = writeln!(std::io::stderr(), "{}", for_stderr(&text));
    }
}
