//! The forked child: evaluates one extension on top of everything that its template has evaluated,
//! reports the result, and exits.
//!
//! A child writes nothing to the store: libnix only computes store paths, and the inherited
//! databases are read-only. The child opens its own connection to a daemon. If a job has to write
//! or build, the result requests another evaluation in an evaluator that is not a fork.

use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use anyhow::Result;

use super::{EvaluationEnd, JobOutcome, Sharing};
use crate::evaluation::{
    Evaluated, EvaluationRequest, SYSTEM, explain_error, option_meant, read, text,
};
use crate::libnix::{Evaluator, ForkError, Libnix, NixError, Outputs, print_to, touch_ahead};
use crate::timings::milliseconds;

/// Classes of errors whose cause is the configuration, and not the process that evaluates it.
const ITS_OWN: [&str; 10] = [
    "nix::Abort",
    "nix::AssertionError",
    "nix::EvalError",
    "nix::InfiniteRecursionError",
    "nix::MissingArgumentError",
    "nix::ParseError",
    "nix::StackOverflowError",
    "nix::ThrownError",
    "nix::TypeError",
    "nix::UndefinedVarError",
];

/// Everything that an evaluation in a child needs.
pub(super) struct ChildContext<'a> {
    pub(super) libnix: &'a Libnix,
    pub(super) evaluator: &'a Evaluator,
    pub(super) outputs: &'a Outputs,
    /// Whether children may share the host's packages.
    pub(super) share: bool,
}

/// Runs a child that evaluates the host with modules.
pub(super) fn evaluate_job(context: &ChildContext<'_>, request: &EvaluationRequest, pipe: File) {
    answer_on(context, request, pipe, Vec::new);
}

/// Runs a child that evaluates the host itself, and reports which files it evaluated. No other
/// child runs at that time, so a second thread may prepare the heap on another processor.
pub(super) fn evaluate_host(
    context: &ChildContext<'_>,
    request: &EvaluationRequest,
    pipe: File,
    files: impl FnOnce() -> Vec<String>,
) {
    if std::thread::available_parallelism().is_ok_and(|count| count.get() > 1) {
        // If this fails, the evaluation is only slower.
        let _ = touch_ahead();
    }
    answer_on(context, request, pipe, files);
}

fn answer_on(
    context: &ChildContext<'_>,
    request: &EvaluationRequest,
    mut pipe: File,
    files: impl FnOnce() -> Vec<String>,
) {
    context.libnix.store.reconnect();
    let begun = Instant::now();
    let (result, sharing) = evaluate(context, request);
    let ended = ended_on(context, request, result);
    let outcome = JobOutcome {
        milliseconds: milliseconds(begun.elapsed()),
        bytes: own_memory("self"),
        sharing,
        files: files(),
        ..JobOutcome::of(ended)
    };
    // If this fails, the template is gone.
    let sent = serde_json::to_vec(&outcome).map(|text| {
        let _ = pipe.write_all(&text).and_then(|()| pipe.write_all(b"\n"));
    });
    if sent.is_ok() && print_to(&pipe).is_ok() {
        let _ = context.evaluator.print_counters();
    }
}

fn evaluate(
    context: &ChildContext<'_>,
    request: &EvaluationRequest,
) -> (Result<Evaluated>, Sharing) {
    let first = attempt(context, request, context.share);
    let undecided = |error: &anyhow::Error| {
        is(error, "nix::InfiniteRecursionError")
            || format!("{error}").contains("runtime-module: the packages")
    };
    match &first.0 {
        // To decide whether packages can be shared, system.nix reads options that evaluation itself
        // may never need. If one of them fails, evaluate without sharing.
        Err(error) if context.share && undecided(error) => attempt(context, request, false),
        _ => first,
    }
}

fn attempt(
    context: &ChildContext<'_>,
    request: &EvaluationRequest,
    share: bool,
) -> (Result<Evaluated>, Sharing) {
    let mut sharing = Sharing::default();
    let mut run = || -> Result<Evaluated> {
        let value = context
            .evaluator
            .apply(&SYSTEM, context.outputs, &text(request, share))?;
        let mut evaluated = Evaluated::default();
        read(&value, request, &mut evaluated, |_| ())?;
        if share {
            sharing = value.get("sharing")?;
        }
        Ok(evaluated)
    };
    let result = run();
    (result, sharing)
}

fn is(error: &anyhow::Error, class: &str) -> bool {
    error
        .downcast_ref::<NixError>()
        .is_some_and(|error| error.class == class)
}

/// Turns a result into a report. If the configuration sets an option that does not exist, suggests
/// a similar one.
pub(super) fn ended_on(
    context: &ChildContext<'_>,
    request: &EvaluationRequest,
    result: Result<Evaluated>,
) -> EvaluationEnd {
    let hint = result
        .as_ref()
        .err()
        .and_then(|error| option_meant(context.evaluator, context.outputs, request, error));
    let mut ended = ended(request, result);
    if let (Some(hint), EvaluationEnd::Failed { failed, .. }) = (hint, &mut ended) {
        failed.hints.insert(0, hint);
    }
    ended
}

/// Turns a result into a report.
pub(super) fn ended(request: &EvaluationRequest, result: Result<Evaluated>) -> EvaluationEnd {
    let error = match result {
        Ok(evaluated) => {
            return EvaluationEnd::Evaluated {
                evaluated: Box::new(evaluated),
            };
        }
        Err(error) => error,
    };
    let nix = error.downcast_ref::<NixError>();
    // Import from derivation needs the derivation in the store, but a fork writes nothing.
    let unwritten = |error: &NixError| error.message.contains("is not valid");
    let builds = nix.is_some_and(|error| {
        error.message.contains("allow-import-from-derivation") || unwritten(error)
    });
    // Downloading an input leaves a thread of libnix behind, and then the process cannot fork.
    let not_forked = error.downcast_ref::<ForkError>().is_some();
    let not_its_own = nix.is_some_and(|error| !ITS_OWN.contains(&error.class.as_str()));
    let failed = explain_error(request, &error);
    EvaluationEnd::Failed {
        again: builds || not_forked || not_its_own,
        builds,
        places: failed.places.clone(),
        failed,
    }
}

/// Returns the number of bytes of memory that a process does not share with other processes; 0 if
/// the kernel does not report it.
pub fn own_memory(process: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    own(&text)
}

/// Sums up the unshared memory of a process: its private pages in RAM, and its proportional share
/// of swap, because swapped pages may be shared with its template.
fn own(text: &str) -> u64 {
    const OWN: [&str; 3] = ["Private_Dirty:", "Private_Clean:", "SwapPss:"];
    let kilobytes = text.lines().filter_map(|line| {
        let rest = OWN.iter().find_map(|name| line.strip_prefix(name))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    kilobytes.sum::<u64>() << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_out_memory_is_counted() {
        let text = "Rss:  9000 kB\nShared_Clean:  100 kB\nPrivate_Clean:  1 kB\nPrivate_Dirty:  20 kB\n\
                    Swap:  4000 kB\nSwapPss:  300 kB\nLocked:  0 kB\n";
        assert_eq!(own(text), 321 << 10);
        assert_eq!(own(""), 0);
        assert!(own_memory("self") > 1 << 20);
    }
}
