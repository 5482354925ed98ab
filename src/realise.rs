//! The stage that realises: from derivations to their outputs in the store.

use anyhow::Result;

use crate::error::{Failed, Failure};
use crate::evaluation::Derivation;
use crate::interrupt::Interrupts;
use crate::libnix::{BuildResult, Libnix, Missing, NixError, interrupt};
use crate::progress::{Reporter, store_name};
use crate::timings::Phase;

/// Lines of a failed build's log that are shown.
const LOG_LINES: usize = 15;

/// What the store has after this stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Realised {
    /// Store paths of the outputs, in the order of the derivations.
    pub outputs: Vec<String>,
    /// What was built and fetched.
    pub missing: Missing,
}

/// Asks what realising takes.
pub fn query(libnix: &Libnix, derivations: &[Derivation], reporter: &Reporter) -> Result<Missing> {
    let paths = drvs(derivations);
    let missing = reporter
        .phase(Phase::Query, || libnix.store.query_missing(&paths))
        .map_err(|error| nix_failure("ask the store what is missing", &error))?;
    reporter.missing(&missing);
    Ok(missing)
}

/// Builds and fetches what is missing. The outputs stay while this process lives.
pub fn realise(
    libnix: &Libnix,
    derivations: &[Derivation],
    missing: Missing,
    interrupts: &Interrupts,
    reporter: &Reporter,
) -> Result<Realised> {
    let paths = drvs(derivations);
    let guard = interrupts.on_interrupt(|| {
        let _ = interrupt();
    });
    // One call fetches and builds, both at once; the time is that of the larger part.
    let phase = if missing.build.is_empty() {
        Phase::Fetch
    } else {
        Phase::Build
    };
    let results =
        if missing.build.is_empty() && missing.fetch.is_empty() && missing.unknown.is_empty() {
            Ok(Vec::new())
        } else {
            reporter.phase(phase, || libnix.store.build(&paths))
        };
    drop(guard);
    interrupts.check()?;
    let results = results.map_err(|error| nix_failure("build", &error))?;
    let failures: Vec<&BuildResult> = results.iter().filter(|result| !result.success).collect();
    if !failures.is_empty() {
        return Err(build_failure(libnix, &failures, &reporter.errors()).into());
    }
    for derivation in derivations {
        libnix
            .store
            .add_temp_root(&derivation.out)
            .map_err(|error| nix_failure("keep what was built", &error))?;
    }
    Ok(Realised {
        outputs: derivations
            .iter()
            .map(|derivation| derivation.out.clone())
            .collect(),
        missing,
    })
}

fn drvs(derivations: &[Derivation]) -> Vec<&str> {
    derivations
        .iter()
        .map(|derivation| derivation.drv.as_str())
        .collect()
}

fn nix_failure(what: &str, error: &NixError) -> Failed {
    if error.interrupted {
        return Failure::Interrupted.error("interrupted; nothing was changed");
    }
    let mut lines = error.message.trim().lines();
    let first = lines.next().unwrap_or_default().trim().to_string();
    lines.fold(
        Failure::Build.error(format!("{what}: {first}")),
        |failed, line| failed.detail(line),
    )
}

/// What failed first, its last lines, and how to see the rest. What only failed because of it is not told.
fn build_failure(libnix: &Libnix, failures: &[&BuildResult], reported: &[String]) -> Failed {
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
        return message.lines().skip(1).fold(
            Failure::Build.error(format!(
                "build: {}",
                message.lines().next().unwrap_or_default()
            )),
            |failed, line| failed.detail(line),
        );
    };
    let why = causes
        .iter()
        .find(|cause| cause.contains(*derivation))
        .map(|cause| reason(cause, derivation))
        .unwrap_or_default();
    let failed = Failure::Build.error(format!("build {}: {why}", store_name(derivation)));
    let failed = log_tail(libnix, derivation)
        .iter()
        .fold(failed, |failed, line| failed.detail(format!("> {line}")));
    let failed = derivations.iter().skip(1).fold(failed, |failed, other| {
        failed.detail(format!("failed too: {other}"))
    });
    failed.hint(format!("the whole log: nix log {derivation}"))
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

fn log_tail(libnix: &Libnix, derivation: &str) -> Vec<String> {
    let log = libnix
        .store
        .build_log(derivation)
        .ok()
        .flatten()
        .unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..]
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
