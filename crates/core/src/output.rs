//! Prints results on stdout, and notes on stderr.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::json;

use crate::error::{ProgramError, neutral};
use crate::progress::{for_stderr, for_stdout};
use crate::session::Session;

/// Prints a result as JSON or as human-readable text. Names in the text must already be safe for a
/// terminal.
pub fn print_result<T: Serialize>(
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

/// Like [`print_result`], but the fields of the JSON document are in alphabetical order, as in the
/// releases before these documents had types.
pub fn print_sorted_result<T: Serialize>(
    session: &Session,
    result: &T,
    human: impl FnOnce(&T) -> String,
) -> Result<()> {
    print_result(session, &json!(result), |_| human(result))
}

/// Formats a result as the JSON document of `--json`.
pub fn document(result: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(result).context("cannot write JSON")? + "\n")
}

/// Prints a result, or a part of a result, to stdout.
pub fn say(result: impl AsRef<[u8]>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(result.as_ref())
        .and_then(|()| out.flush())
        .map_err(|error| {
            let reason = error.to_string();
            ProgramError::ResultNotWritten { reason }.into()
        })
}

/// Prints notes on stderr.
pub fn note(notes: &[String]) {
    let mut err = std::io::stderr().lock();
    for text in notes {
        // Ignore errors, because stderr may be closed.
        let _ = writeln!(err, "{}", for_stderr(&format!("note: {}", neutral(text))));
    }
}
