//! Prints results on stdout, and notes on stderr.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::error::{Failure, describe, neutral};
use crate::progress::{for_stderr, for_stdout};
use crate::session::Session;

/// A marker error: the document was printed on stdout, and only the exit code is left to be set.
#[derive(Debug)]
pub struct Printed;

impl std::fmt::Display for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("printed")
    }
}

/// Prints a result as JSON or for humans. Names in human-readable text must already be safe for a terminal.
pub fn tell<T: Serialize>(
    session: &Session,
    result: &T,
    human: impl FnOnce(&T) -> String,
) -> Result<()> {
    session.reporter.finish();
    say(match session.options.json {
        true => document(result)?,
        false => for_stdout(&human(result)),
    })
}

/// Formats a result for `--json`.
pub fn document(result: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(result).context("cannot write JSON")? + "\n")
}

/// Prints a result, or a part of it, to stdout.
pub fn say(result: impl AsRef<[u8]>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(result.as_ref())
        .and_then(|()| out.flush())
        .map_err(|error| {
            Failure::Internal
                .error(format!("cannot write the result to stdout: {error}"))
                .hint("the command itself has succeeded; run `runtime-module status` to see which modules are active")
                .into()
        })
}

/// Prints notes on stderr.
pub fn note(notes: &[String]) {
    let mut err = std::io::stderr().lock();
    for text in notes {
        // Ignore a closed stderr.
        let _ = writeln!(err, "{}", for_stderr(&format!("note: {}", neutral(text))));
    }
}

/// Prints an error once, and returns its exit code.
pub fn complain(error: &anyhow::Error, json: bool) -> u8 {
    let failed = describe(error);
    if error.is::<Printed>() {
        return failed.failure.code();
    }
    if json {
        let document = serde_json::json!({ "schema": 1, "error": failed });
        // stdout may be closed, but the exit code still reports the failure.
        let _ = writeln!(std::io::stdout(), "{document:#}");
    } else {
        let mut text = format!("error: {}\n", failed.message);
        for detail in &failed.details {
            text += &format!("  {detail}\n");
        }
        for hint in &failed.hints {
            text += &format!("hint: {hint}\n");
        }
        let _ = write!(std::io::stderr(), "{}", for_stderr(&text));
    }
    failed.failure.code()
}
