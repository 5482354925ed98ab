//! Prints an error.

use std::io::Write as _;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::error::{Failed, describe};
use crate::progress::for_stderr;

/// A marker in an error chain: the JSON document on stdout already contains the error, so only the
/// exit code must be set.
#[derive(Debug)]
pub struct AlreadyPrinted;

impl std::fmt::Display for AlreadyPrinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("printed")
    }
}

/// The document of a command that failed before it had a result.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FailureDocument {
    schema: u64,
    /// The error that ended the command.
    error: Failed,
}

/// Prints an error unless it was already printed. Returns its exit code.
pub fn print_error(error: &anyhow::Error, json: bool) -> u8 {
    let failed = describe(error);
    if error.is::<AlreadyPrinted>() {
        return failed.failure.code();
    }
    if json {
        let code = failed.failure.code();
        let document = json!(FailureDocument {
            schema: 1,
            error: failed,
        });
        // Ignore errors: even if stdout is closed, the exit code reports the failure.
        let _ = writeln!(std::io::stdout(), "{document:#}");
        return code;
    }
    let mut text = format!("error: {}\n", failed.message);
    for detail in &failed.details {
        text += &format!("  {detail}\n");
    }
    for hint in &failed.hints {
        text += &format!("hint: {hint}\n");
    }
    let _ = write!(std::io::stderr(), "{}", for_stderr(&text));
    failed.failure.code()
}
