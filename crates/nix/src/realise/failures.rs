//! Error messages for failed builds and fetches.
//!
//! Takes the messages from libnix and the logs of builds. Returns a failure with its reason, the
//! last lines of the log, and a hint.

use crate::error::{BuildError, Failed, KnownError, known_hint};
use crate::interrupt::interrupted;
use crate::libnix::{BuildResult, Libnix, NixError};
use crate::progress::store_name;

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
        &["is required to build"],
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

/// Describes the failed builds, with the reason and the last log lines of each. A hint names the
/// command that shows the full log of the first one. Builds that failed only because of a failed
/// dependency are left out.
pub(super) fn build_failure(
    libnix: &Libnix,
    failures: &[&BuildResult],
    reported: &[String],
) -> Failed {
    // The error of a goal that failed because of another goal is not useful. libnix reports the
    // other goal separately, and earlier.
    let causes: Vec<&str> = reported
        .iter()
        .chain(failures.iter().map(|result| &result.message))
        .map(|message| message.trim())
        .filter(|message| !message.is_empty() && !message.contains("dependencies of derivation"))
        .collect();
    let mut derivations: Vec<&str> = Vec::new();
    let quoted = causes.iter().flat_map(|cause| cause.split('\''));
    // libnix names a build that timed out together with its outputs: `x.drv^out`.
    for part in quoted.map(|part| part.split('^').next().unwrap_or(part)) {
        if part.ends_with(".drv") && part.starts_with('/') && !derivations.contains(&part) {
            derivations.push(part);
        }
    }
    let Some(derivation) = derivations.first() else {
        let message = failures
            .first()
            .map(|result| result.message.trim())
            .unwrap_or_default();
        return whole(|reason| BuildError::NotStarted { reason }, message);
    };
    let why = |derivation: &str| {
        let cause = causes.iter().find(|cause| cause.contains(derivation));
        cause.map_or_else(String::new, |cause| reason(cause, derivation))
    };
    let mut failed = Failed::from(BuildError::Failed {
        name: store_name(derivation),
        reason: why(derivation),
    });
    for line in hashes(&causes) {
        failed = failed.detail(line);
    }
    let quote = |failed: Failed, derivation: &str, lines: usize| {
        let tail = log_tail(libnix, derivation, lines);
        let tail = tail.iter().map(|line| format!("> {line}"));
        tail.fold(failed, |failed, line| failed.detail(line))
    };
    failed = quote(failed, derivation, LOG_LINES);
    for other in derivations.iter().skip(1) {
        failed = failed.detail(format!("also failed: {other}: {}", why(other)));
        failed = quote(failed, other, FEW_LINES);
    }
    // If a builder runs out of memory or space, the error may be only in its log. Ignore other
    // texts in the log, because they are not about the store or the daemon.
    let log = failed.details.join("\n");
    let of_log = known_hint(KNOWN, &log)
        .filter(|_| log.contains("No space left") || log.contains("signal 9"));
    let hint = known_hint(KNOWN, &causes.join("\n")).or(of_log);
    let failed = hint.map_or(failed.clone(), |hint| failed.hint(hint));
    failed.hint(format!("run `nix log {derivation}` to see the full log"))
}

/// Returns the lines that give the specified and the actual hash of a mismatch.
fn hashes<'a>(causes: &[&'a str]) -> Vec<&'a str> {
    let lines = causes.iter().flat_map(|cause| cause.lines());
    let mut found: Vec<&str> = Vec::new();
    for line in lines.map(str::trim) {
        let hash = line.starts_with("specified:") || line.starts_with("got:");
        if hash && !found.contains(&line) {
            found.push(line);
        }
    }
    found
}

/// Returns Nix's reason without the derivation's name and the log lines at its end.
fn reason(cause: &str, derivation: &str) -> String {
    let first = cause.lines().next().unwrap_or_default();
    let first = match first.split_once(" from .drv file ") {
        Some((build, why)) if build.starts_with("building of ") => why,
        _ => first,
    };
    first
        .replace(&format!("builder for '{derivation}' "), "the builder ")
        .trim_end_matches([';', '.', ':'])
        .to_string()
}

fn log_tail(libnix: &Libnix, derivation: &str, count: usize) -> Vec<String> {
    let log = libnix
        .store
        .build_log(derivation)
        .ok()
        .flatten()
        .unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| console::strip_ansi_codes(line).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_omits_the_derivation_name() {
        assert_eq!(
            reason(
                "builder for '/s/a.drv' failed with exit code 1;\nlast 2 log lines:\n> x",
                "/s/a.drv"
            ),
            "the builder failed with exit code 1"
        );
        assert_eq!(
            reason(
                "building of '/s/a.drv^out' from .drv file timed out after 1 seconds",
                "/s/a.drv"
            ),
            "timed out after 1 seconds"
        );
    }
}
