//! `bench eval`: measures the cold, warm and cached evaluation of a host, alone and with modules.

use std::cell::RefCell;

use anyhow::Result;

use super::outcome::{About, BenchRun};
use super::own_program::own_program;
use super::rounds::{BenchTask, NamedSample};
use super::samples::times;
use super::samples::{BenchResult, Cost, Sample, Series};
use super::statistics::SeriesDifference;
use super::subject::{Subject, run_rounds};
use runtime_module_core::command::Rules;
use runtime_module_nix::evaluation::Measure;
use runtime_module_nix::session::NixSession;

/// Measures the host alone, with all given modules together, and with each of them separately.
pub fn run(session: &NixSession, names: &[String], rules: Rules) -> Result<BenchResult> {
    let libnix = super::open(session)?;
    let subject = Subject::lock(session, &libnix, None)?;
    let names = if names.is_empty() {
        subject.wanted()
    } else {
        names
    }
    .to_vec();
    let run = BenchRun::begin(session, rules);

    let sets = sets(&names);
    let overheads = RefCell::new(Vec::new());
    let why_not = RefCell::new(None);
    let measure = Measure {
        forced: None,
        again: true,
    };
    let mut tasks = Vec::new();
    for (name, names) in &sets {
        let modules = subject.modules(names)?;
        let (subject, measure, overheads) = (&subject, &measure, &overheads);
        let mut reported = false;
        tasks.push(BenchTask {
            name: name.clone(),
            optional: false,
            work: Box::new(move || {
                let measured = subject.measure(&modules, measure)?;
                overheads.borrow_mut().push(measured.overhead());
                if !std::mem::replace(&mut reported, true) {
                    session.reporter.warnings(&measured.evaluated.warnings);
                }
                Ok(measured.samples(&[&cold(name), &warm(name)]))
            }),
        });
    }
    if !names.is_empty() && !session.options.no_cache {
        let (names, why_not) = (&names, &why_not);
        tasks.push(BenchTask {
            name: cached(&names.join("+")),
            optional: false,
            work: Box::new(move || measure_cache_lookup(session, names, why_not)),
        });
    }
    let rounds = run_rounds(session, tasks, rules, &[&subject])?;
    let about = about(&subject, &names, &sets);
    let mut outcome = run.end(about, &rounds, &overheads.into_inner());
    outcome.costs = costs(&outcome.series, &names);
    if let Some(why) = why_not.into_inner() {
        let name = cached(&names.join("+"));
        outcome.warnings.push(format!(
            "{name}: skipped because the cache has no result: {why}"
        ));
    }
    Ok(outcome)
}

fn about(subject: &Subject<'_>, names: &[String], sets: &[(String, Vec<String>)]) -> About {
    About {
        bench: "eval",
        title: title(subject, names),
        flakes: vec![subject.record()],
        modules: names.to_vec(),
        strict: true,
        own_process: true,
        result_cache: Some("cached-series-only"),
        series: series(sets),
    }
}

/// Lists the sets of modules to measure, with their names: none, all, and each module separately if
/// there are several.
fn sets(names: &[String]) -> Vec<(String, Vec<String>)> {
    let mut sets = vec![("base".to_string(), Vec::new())];
    if !names.is_empty() {
        sets.push((names.join("+"), names.to_vec()));
    }
    if names.len() > 1 {
        sets.extend(names.iter().map(|name| (name.clone(), vec![name.clone()])));
    }
    sets
}

fn cold(name: &str) -> String {
    format!("{name}, cold")
}

fn warm(name: &str) -> String {
    format!("{name}, warm")
}

fn cached(name: &str) -> String {
    format!("{name}, cached")
}

/// Lists all series with their descriptions.
fn series(sets: &[(String, Vec<String>)]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (index, (name, _)) in sets.iter().enumerate() {
        all.push((
            cold(name),
            "in a new evaluator, which reads and parses all files".into(),
        ));
        let about = "again in the same evaluator: the files are already parsed, but everything else is evaluated again";
        all.push((warm(name), about.into()));
        if index == 1 {
            all.push((
                cached(name),
                "read from the result cache instead of evaluated".into(),
            ));
        }
    }
    all
}

/// Measures a lookup in the result cache instead of an evaluation. The first run stores the result.
/// If the result is not cached, returns no sample and puts the reason into `why_not`.
fn measure_cache_lookup(
    session: &NixSession,
    names: &[String],
    why_not: &RefCell<Option<String>>,
) -> Result<Vec<NamedSample>> {
    let document = own_program(session, "enable", names, &["--dry-run", "--force"])?;
    let cache = &document["cache"];
    let time = cache["milliseconds"].as_f64();
    let (Some(milliseconds), true) = (time, cache["hit"] == true) else {
        *why_not.borrow_mut() = cache["why"].as_str().map(String::from);
        return Ok(Vec::new());
    };
    *why_not.borrow_mut() = None;
    Ok(vec![NamedSample {
        series: cached(&names.join("+")),
        sample: Sample {
            milliseconds,
            process: document["phases"]["total"].as_f64(),
            ..Sample::default()
        },
    }])
}

fn title(subject: &Subject<'_>, names: &[String]) -> String {
    let with = if names.is_empty() {
        String::new()
    } else {
        format!(" with {}", names.join(", "))
    };
    format!(
        "evaluation of host '{}'{with}, {}",
        subject.host(),
        subject.url()
    )
}

/// Computes the cost of each module, compared with the host alone.
fn costs(series: &[Series], names: &[String]) -> Vec<Cost> {
    let find = |name: &str| series.iter().find(|one| one.name == cold(name));
    let Some(base) = find("base") else {
        return Vec::new();
    };
    let cost = |name: &String| {
        let with = find(name)?;
        let (a, b) = (base.counters.as_ref()?, with.counters.as_ref()?);
        let more = |with: u64, base: u64| i64::try_from(with).ok()?.checked_sub_unsigned(base);
        Some(Cost {
            module: name.clone(),
            milliseconds: with.summary.median - base.summary.median,
            verdict: SeriesDifference::between(&times(base), &times(with)).verdict,
            thunks: more(b.thunks, a.thunks)?,
            function_calls: more(b.function_calls, a.function_calls)?,
        })
    };
    names.iter().filter_map(cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_module_is_measured_once() {
        let names = |names: &[&str]| -> Vec<String> {
            let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
            sets(&names).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(&[]), ["base"]);
        assert_eq!(names(&["a"]), ["base", "a"]);
        assert_eq!(names(&["a", "b"]), ["base", "a+b", "a", "b"]);
    }
}
