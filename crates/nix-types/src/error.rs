//! libnix errors with all their details.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A position in a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// The path of the file, usually below a store path; empty if the code did not come from a
    /// file.
    pub file: String,
    /// The line number, starting at 1.
    pub line: u32,
    /// The column number, starting at 1.
    pub column: u32,
}

/// A step of an error's trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Nix's description of the step, such as `while evaluating the option …`.
    pub hint: String,
    /// The position, if known.
    pub position: Option<Position>,
}

/// A libnix error with all its details.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NixError {
    /// The C++ class, such as `nix::ThrownError`; empty for an error of `nix-ffi` itself.
    pub class: String,
    /// The message without traces.
    pub message: String,
    /// The complete text that `nix` would print, with excerpts and traces, without terminal
    /// escapes.
    pub rendered: String,
    /// The position of the error, if known.
    pub position: Option<Position>,
    /// The trace, innermost step last.
    pub traces: Vec<Trace>,
    /// The verbosity of the report: 0 is an error, 1 a warning.
    pub level: u8,
    /// Whether one of our interrupts caused the error.
    pub interrupted: bool,
}

impl NixError {
    /// Creates an error without a C++ class, for failures outside libnix.
    pub fn ours(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            rendered: message.clone(),
            message,
            ..Self::default()
        }
    }
}

impl fmt::Display for NixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim())
    }
}

impl std::error::Error for NixError {}
