//! `bench overrides`: measures how evaluation time grows with the number of overriding definitions
//! of one option.

use std::cell::RefCell;

use anyhow::Result;

use super::error::BenchError;
use super::outcome::{About, BenchRun};
use super::rounds::BenchTask;
use super::samples::BenchResult;
use super::subject::{Subject, run_rounds};
use runtime_module_core::attributes::parse;
use runtime_module_core::command::OverridesBenchmark;
use runtime_module_core::command::Rules;
use runtime_module_core::progress::grouped;
use runtime_module_nix::evaluation::{Forced, Measure, RepeatedOverrides};
use runtime_module_nix::session::NixSession;

/// Measures one value with each number of overrides.
pub fn run(session: &NixSession, asked: &OverridesBenchmark, rules: Rules) -> Result<BenchResult> {
    let path = parse(&asked.path)?;
    let value = serde_json::from_str(&asked.value).map_err(|error| BenchError::ValueNotJson {
        value: asked.value.clone(),
        reason: error.to_string(),
    })?;
    let force = match &asked.force {
        Some(force) => parse(force)?,
        None => path.clone(),
    };
    let libnix = super::open(session)?;
    let subject = Subject::lock(session, &libnix, None)?;
    let modules = subject.modules(&asked.with)?;
    let run = BenchRun::begin(session, rules);
    let overheads = RefCell::new(Vec::new());
    let tasks = asked.counts.iter().map(|count| {
        let measure = Measure {
            forced: Some(Forced {
                path: force.clone(),
                strict: true,
                overrides: Some(RepeatedOverrides {
                    path: path.clone(),
                    value: serde_json::Value::clone(&value),
                    count: *count,
                }),
                ..Forced::default()
            }),
            again: false,
        };
        let (subject, modules, overheads) = (&subject, &modules, &overheads);
        BenchTask {
            name: name(*count),
            optional: false,
            work: Box::new(move || {
                let measured = subject.measure(modules, &measure)?;
                overheads.borrow_mut().push(measured.overhead());
                Ok(measured.samples(&[&name(*count)]))
            }),
        }
    });
    let rounds = run_rounds(session, tasks.collect(), rules, &[&subject])?;
    let about = about(asked, &subject);
    Ok(run.end(about, &rounds, &overheads.into_inner()))
}

fn about(asked: &OverridesBenchmark, subject: &Subject<'_>) -> About {
    let forced = asked.force.as_ref().unwrap_or(&asked.path);
    About {
        bench: "overrides",
        title: format!(
            "evaluation of {forced} on host '{}', by number of overrides of {}, {}",
            subject.host(),
            asked.path,
            subject.url()
        ),
        flakes: vec![subject.record()],
        modules: asked.with.clone(),
        strict: true,
        own_process: true,
        result_cache: None,
        series: asked
            .counts
            .iter()
            .map(|count| (name(*count), format!("{forced} with {}", name(*count))))
            .collect(),
    }
}

/// Makes a name such as `10,000 overrides`.
fn name(count: u64) -> String {
    format!("{} overrides", grouped(count))
}
