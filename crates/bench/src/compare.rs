//! `bench compare`: compares the evaluation times of two sources, with interleaved runs.

use std::cell::RefCell;

use anyhow::Result;

use super::error::BenchError;
use super::outcome::{About, BenchRun};
use super::rounds::BenchTask;
use super::samples::BenchResult;
use super::samples::times;
use super::statistics::SeriesDifference;
use super::subject::{Subject, run_rounds};
use runtime_module_core::attributes::parse;
use runtime_module_core::command::CompareBenchmark;
use runtime_module_core::command::Rules;
use runtime_module_nix::evaluation::{Forced, Measure};
use runtime_module_nix::session::NixSession;

/// Measures both sources and compares their times.
pub fn run(session: &NixSession, asked: &CompareBenchmark, rules: Rules) -> Result<BenchResult> {
    let forced = match &asked.path {
        Some(path) => Some(Forced {
            path: parse(path)?,
            strict: true,
            ..Forced::default()
        }),
        None => None,
    };
    let measure = Measure {
        forced,
        again: false,
    };
    let libnix = super::open(session)?;
    let usual = || -> Result<String> {
        let subject = Subject::lock(session, &libnix, None)?;
        Ok(subject.url().to_string())
    };
    let first = Subject::lock(session, &libnix, Some(&reference(&asked.first, usual)?))?;
    let second = Subject::lock(session, &libnix, Some(&reference(&asked.second, usual)?))?;
    // The series are always named A and B, so that `bench diff` can compare two results with
    // different references.
    let names = ["A".to_string(), "B".to_string()];
    let run = BenchRun::begin(session, rules);
    let overheads = RefCell::new(Vec::new());
    let mut tasks = Vec::new();
    for (subject, name) in [&first, &second].into_iter().zip(&names) {
        let modules = subject.modules(&asked.with)?;
        let (measure, overheads) = (&measure, &overheads);
        tasks.push(BenchTask {
            name: name.clone(),
            optional: false,
            work: Box::new(move || {
                let measured = subject.measure(&modules, measure)?;
                overheads.borrow_mut().push(measured.overhead());
                Ok(measured.samples(&[name]))
            }),
        });
    }
    let rounds = run_rounds(session, tasks, rules, &[&first, &second])?;
    let about = about(asked, &first, &second, &names);
    let mut outcome = run.end(about, &rounds, &overheads.into_inner());
    if let [first, second] = &outcome.series[..] {
        outcome.difference = Some(SeriesDifference::between(&times(first), &times(second)));
    }
    Ok(outcome)
}

fn about(
    asked: &CompareBenchmark,
    first: &Subject<'_>,
    second: &Subject<'_>,
    names: &[String],
) -> About {
    let what = asked.path.as_deref().unwrap_or("the full evaluation");
    let hosts = match (first.host(), second.host()) {
        (one, other) if one == other => format!("host '{one}'"),
        (one, other) => format!("hosts '{one}' and '{other}'"),
    };
    About {
        bench: "compare",
        title: format!(
            "{what} of {hosts}: A is {}, B is {}",
            asked.first, asked.second
        ),
        flakes: vec![first.record(), second.record()],
        modules: asked.with.clone(),
        strict: true,
        own_process: true,
        result_cache: None,
        series: names
            .iter()
            .map(|name| (name.clone(), what.to_string()))
            .collect(),
    }
}

/// Turns an argument into a flake reference. A commit hash names a commit of the flake that the
/// other commands would use.
fn reference(text: &str, usual: impl Fn() -> Result<String>) -> Result<String> {
    let is_hex = text.len() >= 7 && text.chars().all(|c| c.is_ascii_hexdigit());
    if !is_hex || std::path::Path::new(text).exists() {
        return Ok(text.to_string());
    }
    if text.len() != 40 {
        let hash = text.into();
        return Err(BenchError::ShortHash { hash }.into());
    }
    let url = usual()?;
    if url.starts_with("path:") {
        let (commit, flake) = (text.into(), url);
        return Err(BenchError::NoGitRepository { commit, flake }.into());
    }
    let url = without_revision(&url);
    let mark = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{mark}rev={text}"))
}

fn without_revision(url: &str) -> String {
    let Some((place, query)) = url.split_once('?') else {
        return url.to_string();
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|one| {
            !["rev=", "ref=", "narHash=", "lastModified=", "revCount="]
                .iter()
                .any(|it| one.starts_with(it))
        })
        .collect();
    if kept.is_empty() {
        place.to_string()
    } else {
        format!("{place}?{}", kept.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_hash_belongs_to_default_flake() {
        let rev = "0123456789012345678901234567890123456789";
        let usual = || Ok("git+file:///etc/nixos?dir=host&ref=main".to_string());
        assert_eq!(
            reference(rev, usual).expect("a reference"),
            format!("git+file:///etc/nixos?dir=host&rev={rev}")
        );
        assert_eq!(reference("./x", usual).expect("a reference"), "./x");
        assert!(reference("0123456", usual).is_err());
        assert!(reference(rev, || Ok("path:/x".into())).is_err());
    }
}
