//! What to say where realising fails.
//!
//! Takes what libnix reports and the logs of builds; returns a failure with its reason, the last lines of the log, and what
//! to do about it.

use crate::error::{Failed, Failure, Known, known_hint};
use crate::libnix::{BuildResult, Libnix, NixError};
use crate::progress::store_name;

/// Lines of a failed build's log that are shown.
const LOG_LINES: usize = 15;

/// The same of each other build that failed too.
const FEW_LINES: usize = 4;

/// Failures that are known by a text, and what to do about each.
pub(super) const KNOWN: &[Known] = &[
    (
        &["hash mismatch in fixed-output derivation"],
        "if what was fetched is what you want, put the hash that was got where the other one stands; else somebody changed the file",
    ),
    (
        &["signal 9 (Killed)"],
        "for want of memory as a rule, which `dmesg` tells; --option max-jobs 1 builds one thing at a time",
    ),
    (
        &["failed to produce output path"],
        "the builder ended well and made nothing: its script must write to $out",
    ),
    (
        &["is required to build"],
        "this machine cannot build it: a remote builder can (nix.buildMachines in the configuration), or a cache may have it (--option substituters)",
    ),
    (
        &["timed out after", "timed out"],
        "--option timeout 0 lets builds take as long as they take",
    ),
    (
        &[
            "No space left on device",
            "database or disk is full",
            "disk is full",
        ],
        "make room for the store (nix-collect-garbage), then run this again: what was built stays built",
    ),
    (
        &[
            "disconnected unexpectedly",
            "unexpected end-of-file",
            "Broken pipe",
            "Connection reset",
        ],
        "is the Nix daemon still running (systemctl status nix-daemon)? nothing was changed, and what was built stays built: run this again",
    ),
    (
        &[
            "no substituter that can build it",
            "some substitutes for",
            "unable to download",
        ],
        "is the network up, and the cache that has it? --option fallback true builds it here instead",
    ),
    (
        &["read-only", "Read-only"],
        "the store must be writable: is another store meant (--store), or a daemon not running?",
    ),
];

/// Adds what to do about a failure that is known by its text.
fn advise(failed: Failed, text: &str) -> Failed {
    match known_hint(KNOWN, text) {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

/// A request to the store that failed as a whole.
pub(super) fn nix_failure(what: &str, error: &NixError) -> Failed {
    if error.interrupted {
        return Failure::Interrupted.error("interrupted; nothing was changed");
    }
    whole(what, &error.message)
}

fn whole(what: &str, message: &str) -> Failed {
    let mut lines = message.trim().lines();
    let first = lines.next().unwrap_or_default().trim().to_string();
    let failed = lines.fold(
        Failure::Build.error(format!("{what}: {first}")),
        |failed, line| failed.detail(line),
    );
    let advised = advise(failed, message);
    match advised.hints.is_empty() {
        true => advised.hint("nothing was changed; -v shows more of what libnix does"),
        false => advised,
    }
}

/// What failed first, its last lines, and how to see the rest. What only failed because of it is not told.
pub(super) fn build_failure(
    libnix: &Libnix,
    failures: &[&BuildResult],
    reported: &[String],
) -> Failed {
    // A goal that failed because another did says little; libnix reported the other one beside, and before.
    let causes: Vec<&str> = reported
        .iter()
        .chain(failures.iter().map(|result| &result.message))
        .map(|message| message.trim())
        .filter(|message| !message.is_empty() && !message.contains("dependencies of derivation"))
        .collect();
    let mut derivations: Vec<&str> = Vec::new();
    let quoted = causes.iter().flat_map(|cause| cause.split('\''));
    // A build that took too long is named with its outputs: `x.drv^out`.
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
        return whole("build", message);
    };
    let why = |derivation: &str| {
        let cause = causes.iter().find(|cause| cause.contains(derivation));
        cause.map_or_else(String::new, |cause| reason(cause, derivation))
    };
    let name = store_name(derivation);
    let mut failed = Failure::Build.error(format!("build {name}: {}", why(derivation)));
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
        failed = failed.detail(format!("failed too: {other}: {}", why(other)));
        failed = quote(failed, other, FEW_LINES);
    }
    // What was killed for want of memory or space says so in its log at best.
    let said = [causes.as_slice(), &[failed.details.join("\n").as_str()]]
        .concat()
        .join("\n");
    advise(failed, &said).hint(format!("the whole log: nix log {derivation}"))
}

/// The hash that was wanted, and the one that was got, where that is what is wrong.
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

/// Nix's reason, without the derivation's name and without the log lines that it ends with.
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
    fn the_reason_does_not_repeat_the_name() {
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
