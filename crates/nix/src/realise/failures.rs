//! Error messages for failed builds and fetches.
//!
//! Takes the messages from libnix and the logs of builds. Returns a failure with its reason, the
//! last lines of the log, and a hint.

use super::causes::{Cause, causes};
use crate::error::{BuildError, Failed, KnownError, known_hint};
use crate::interrupt::interrupted;
use crate::libnix::{BuildResult, Libnix, NixError, setting};
use crate::progress::{ReportedError, store_name};
use crate::wordings;

/// Number of log lines to show for the first failed build.
const LOG_LINES: usize = 15;

/// Number of log lines to show for each other failed build.
const FEW_LINES: usize = 4;

/// Texts of known failures, with hints.
pub(super) const KNOWN: &[KnownError] = &[
    (
        &["hash mismatch in fixed-output derivation"],
        "check whether the downloaded content is correct; if it is, replace the specified hash with the one after `got:`",
    ),
    (
        &["signal 9 (Killed)"],
        "memory probably ran out (see `dmesg`); use --option max-jobs 1 to build one derivation at a time",
    ),
    (
        &["failed to produce output path"],
        "make the builder write to $out; it succeeded but created no output",
    ),
    (
        wordings::NO_MACHINE,
        "use a remote builder (nix.buildMachines in the configuration), or a binary cache that has the output (--option substituters)",
    ),
    (
        &["seconds of silence"],
        "use --option max-silent-time 0 to disable the timeout for builds that print nothing",
    ),
    (
        &["timed out after", "timed out"],
        "use --option timeout 0 to disable the timeout",
    ),
    (
        &[
            "No space left on device",
            "database or disk is full",
            "disk is full",
        ],
        "run nix-collect-garbage to free space in the store, then run the command again; this may also delete the builds that have finished",
    ),
    (
        &[
            "disconnected unexpectedly",
            "unexpected end-of-file",
            "Broken pipe",
            "Connection reset",
        ],
        "check that the Nix daemon is running (systemctl status nix-daemon) and run the command again; nothing was changed, and finished builds are kept",
    ),
    (
        &[
            "no substituter that can build it",
            "some substitutes for",
            "unable to download",
        ],
        "check the network and the binary cache, or use --option fallback true to build locally",
    ),
    (
        &["read-only", "Read-only"],
        "make the store writable, start the Nix daemon, or use another store with --store",
    ),
];

/// Adds the hint for a known failure.
fn advise(failed: Failed, text: &str) -> Failed {
    match known_hint(KNOWN, text) {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

/// Makes the failure for a failed request to the store. `error_for` makes the message from the
/// reason.
pub(super) fn nix_failure(
    error_for: impl FnOnce(String) -> BuildError,
    error: &NixError,
) -> Failed {
    if error.interrupted {
        return interrupted();
    }
    whole(error_for, &error.message)
}

fn whole(error_for: impl FnOnce(String) -> BuildError, message: &str) -> Failed {
    let mut lines = message.trim().lines();
    let first = lines.next().unwrap_or_default().trim().to_string();
    let failed = lines.fold(Failed::from(error_for(first)), Failed::detail);
    let advised = advise(failed, message);
    match advised.hints.is_empty() {
        true => advised.hint("nothing was changed; use -v to see more messages from libnix"),
        false => advised,
    }
}

/// Makes the failure for an error that ended a build call. Up to 2.29, a derivation that no machine
/// can build ends the call.
pub(super) fn call_failure(libnix: &Libnix, error: &NixError) -> Failed {
    let cause = Cause::of(&error.message);
    match wordings::says(wordings::NO_MACHINE, &cause.message) {
        true => of_causes(libnix, &[cause]),
        false => nix_failure(|reason| BuildError::NotStarted { reason }, error),
    }
}

/// Describes the failed builds, with the reason and the last log lines of each. A hint names the
/// command that shows the full log of the first one. Builds that failed only because of a failed
/// dependency are left out.
pub(super) fn build_failure(
    libnix: &Libnix,
    failures: &[&BuildResult],
    reported: &[ReportedError],
) -> Failed {
    let silence = setting("max-silent-time").ok().flatten();
    let silence = silence.and_then(|seconds| seconds.parse().ok());
    let closure = |path: &str| libnix.store.closure(path).unwrap_or_default();
    of_causes(libnix, &causes(failures, reported, silence, closure))
}

fn of_causes(libnix: &Libnix, causes: &[Cause]) -> Failed {
    let mut failed = causes.iter().filter_map(|cause| {
        let derivation = cause.derivation.as_deref()?;
        Some((derivation, wordings::reason(&cause.message)))
    });
    let Some((derivation, reason)) = failed.next() else {
        let message = causes.first().map_or("", |cause| cause.message.as_str());
        return whole(|reason| BuildError::NotStarted { reason }, message);
    };
    let mut failure = Failed::from(BuildError::Failed {
        name: store_name(derivation),
        reason,
    });
    for line in hashes(causes) {
        failure = failure.detail(line);
    }
    let quote = |failure: Failed, log: &[String], lines: usize| {
        let tail = log[log.len().saturating_sub(lines)..].iter();
        tail.fold(failure, |failure, line| failure.detail(format!("> {line}")))
    };
    let log = build_log(libnix, derivation);
    failure = quote(failure, log.as_deref().unwrap_or_default(), LOG_LINES);
    for (other, reason) in failed {
        failure = failure.detail(format!("also failed: {other}: {reason}"));
        let log = build_log(libnix, other).unwrap_or_default();
        failure = quote(failure, &log, FEW_LINES);
    }
    // If a builder runs out of memory or space, the error may be only in its log. Ignore other
    // texts in the log, because they are not about the store or the daemon.
    let shown = failure.details.join("\n");
    let of_log = known_hint(KNOWN, &shown)
        .filter(|_| shown.contains("No space left") || shown.contains("signal 9"));
    let messages: Vec<&str> = causes.iter().map(|cause| cause.message.as_str()).collect();
    if let Some(hint) = known_hint(KNOWN, &messages.join("\n")).or(of_log) {
        failure = failure.hint(hint);
    }
    match log {
        Some(_) => failure.hint(format!("run `nix log {derivation}` to see the full log")),
        None => failure,
    }
}

/// Returns the lines that give the specified and the actual hash of a mismatch.
fn hashes(causes: &[Cause]) -> Vec<&str> {
    let lines = causes.iter().flat_map(|cause| cause.message.lines());
    let mut found: Vec<&str> = Vec::new();
    for line in lines.map(str::trim) {
        let hash = line.starts_with("specified:") || line.starts_with("got:");
        if hash && !found.contains(&line) {
            found.push(line);
        }
    }
    found
}

/// Returns the lines of a build's log; `None` if the builder was not started.
fn build_log(libnix: &Libnix, derivation: &str) -> Option<Vec<String>> {
    let log = libnix.store.build_log(derivation).ok().flatten()?;
    let lines = log.lines();
    Some(
        lines
            .map(|line| console::strip_ansi_codes(line).into_owned())
            .collect(),
    )
}
