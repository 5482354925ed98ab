//! `bench options`: measures individual options, and compares them with each other and with the
//! whole system.

use std::cell::{Cell, RefCell};

use anyhow::Result;

use super::error::BenchError;
use super::outcome::{About, BenchRun};
use super::rounds::BenchTask;
use super::samples::{BenchResult, Published};
use super::subject::{Subject, run_rounds};
use runtime_module_core::attributes::parse;
use runtime_module_core::choice::Preset;
use runtime_module_core::command::OptionsBenchmark;
use runtime_module_core::command::Rules;
use runtime_module_nix::evaluation::{Forced, Measure};
use runtime_module_nix::session::NixSession;

/// A row of the table, with the value to measure.
struct OptionRow {
    name: String,
    forced: Forced,
    published: Option<f64>,
    optional: bool,
}

/// Measures each requested option.
pub fn run(session: &NixSession, asked: &OptionsBenchmark, rules: Rules) -> Result<BenchResult> {
    let rows = rows(asked)?;
    let libnix = super::open(session)?;
    let subject = Subject::lock(session, &libnix, None)?;
    let modules = subject.modules(&asked.with)?;
    let run = BenchRun::begin(session, rules);
    let overheads = RefCell::new(Vec::new());
    let tasks = rows.iter().map(|row| {
        let measure = Measure {
            forced: Some(row.forced.clone()),
            again: false,
        };
        let (subject, modules, overheads) = (&subject, &modules, &overheads);
        let reported = Cell::new(false);
        BenchTask {
            name: row.name.clone(),
            optional: row.optional,
            work: Box::new(move || {
                let measured = subject.measure(modules, &measure)?;
                overheads.borrow_mut().push(measured.overhead());
                if measured.evaluated.measured.what == "derivation" && !reported.replace(true) {
                    session.reporter.note(format!(
                        "{} is a derivation: only its outPath is forced",
                        row.name
                    ));
                }
                Ok(measured.samples(&[&row.name]))
            }),
        }
    });
    let rounds = run_rounds(session, tasks.collect(), rules, &[&subject])?;
    let about = About {
        bench: "options",
        title: title(&subject, asked),
        flakes: vec![subject.record()],
        modules: asked.with.clone(),
        strict: !asked.shallow,
        own_process: true,
        result_cache: None,
        series: rows
            .iter()
            .map(|row| (row.name.clone(), row.forced.name(subject.host())))
            .collect(),
    };
    let mut outcome = run.end(about, &rounds, &overheads.into_inner());
    publish(&mut outcome, &rows);
    Ok(outcome)
}

fn title(subject: &Subject<'_>, asked: &OptionsBenchmark) -> String {
    let of = match &asked.of {
        Some(attribute) => attribute.clone(),
        None => format!("host '{}'", subject.host()),
    };
    let with = if asked.with.is_empty() {
        String::new()
    } else {
        format!(" with {}", asked.with.join(", "))
    };
    format!("options of {of}{with}, {}", subject.url())
}

/// Lists the rows of the requested paths, then those of the presets. Each requested path has a row
/// for its complete value. If attributes are excluded, a row for the value without them comes
/// first.
fn rows(asked: &OptionsBenchmark) -> Result<Vec<OptionRow>> {
    if asked.of.is_some() && !asked.with.is_empty() {
        return Err(BenchError::WithAndOf.into());
    }
    let root = asked.of.as_deref().map(parse).transpose()?;
    let forced = |path: &str, without: &[&str]| -> Result<Forced> {
        Ok(Forced {
            root: root.clone(),
            path: parse(path)?,
            strict: !asked.shallow,
            without: without
                .iter()
                .map(|path| parse(path))
                .collect::<Result<_, _>>()?,
            overrides: None,
        })
    };
    let mut rows = Vec::new();
    for path in &asked.paths {
        let mut add = |without: &[&str]| -> Result<()> {
            rows.push(OptionRow {
                name: name(path, without),
                forced: forced(path, without)?,
                published: None,
                optional: false,
            });
            Ok(())
        };
        if !asked.without.is_empty() {
            let all: Vec<&str> = asked.without.iter().map(String::as_str).collect();
            add(&all)?;
        }
        add(&[])?;
    }
    for row in asked
        .presets
        .iter()
        .flat_map(|preset: &Preset| super::presets::rows(*preset))
    {
        let without: Vec<&str> = row.without.into_iter().collect();
        let name = name(row.path, &without);
        // All presets have the same first row. Measure it only once.
        if rows.iter().any(|other: &OptionRow| other.name == name) {
            continue;
        }
        rows.push(OptionRow {
            name,
            forced: forced(row.path, &without)?,
            published: row.published,
            optional: true,
        });
    }
    Ok(rows)
}

fn name(path: &str, without: &[&str]) -> String {
    if without.is_empty() {
        path.to_string()
    } else {
        format!("{path} without {}", without.join(", "))
    }
}

/// Adds the published figures to the measured ones. The ratios are valid only for a single preset,
/// because each table has its own figure for the first row.
fn publish(outcome: &mut BenchResult, rows: &[OptionRow]) {
    let Some(first) = rows.first().and_then(|row| row.published) else {
        return;
    };
    for series in &mut outcome.series {
        let row = rows.iter().find(|row| row.name == series.name);
        series.published = row
            .and_then(|row| row.published)
            .map(|milliseconds| Published {
                milliseconds,
                ratio: milliseconds / first,
            });
    }
}
