//! Prints an error, once.

use std::io::Write as _;

use crate::error::describe;
use crate::progress::for_stderr;

/// A marker error: the document was printed on stdout, and only the exit code is left to be set.
#[derive(Debug)]
pub struct Printed;

impl std::fmt::Display for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("printed")
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
