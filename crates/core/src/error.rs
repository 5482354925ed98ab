//! The kinds of failure, and their exit codes.
//!
//! A [`Failed`] is an error that the user can act on. It contains the failed action, the reason,
//! details and hints. `anyhow::Error` carries it to `main`, which prints it once.

mod arguments;
mod elevation;
mod fault;
mod message;
mod overrides;
mod preflight;
mod program;
mod record;
mod source;
mod store;
mod switch;
mod transaction;

use std::fmt;

use serde::{Deserialize, Serialize};

use nix_types::Position;

pub use arguments::ArgumentError;
pub use elevation::ElevationError;
pub use fault::FaultError;
pub use message::{Message, MessageRow, Purpose};
pub use overrides::OverrideError;
pub use preflight::PreflightError;
pub use program::ProgramError;
pub use record::RecordError;
pub use source::SourceError;
pub use store::StoreError;
pub use switch::SwitchError;
pub use transaction::TransactionError;

/// The kinds of failure. Scripts rely on their exit codes (see `docs/errors.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A bug in the program, or an unexpected error.
    Internal,
    /// Wrong usage, or an unknown module.
    Usage,
    /// Evaluation failed.
    Evaluation,
    /// A build or a fetch failed.
    Build,
    /// The change was refused, and the user can fix the cause. For example, the lock is held, the
    /// state has changed, the host is wrong, or the user is not root.
    Refused,
    /// The activation failed, and the previous system was activated again.
    Returned,
    /// The new system is active, but some units failed.
    UnitsFailed,
    /// The activation failed, and the rollback failed too.
    Stranded,
    /// The system was not activated: the init interface has changed, so a reboot is needed.
    RebootNeeded,
    /// The result of `status NAME`: not all of the named modules are active.
    NotActive,
    /// The user interrupted the run, or detached it from a running activation.
    Interrupted,
}

impl Failure {
    pub const ALL: [Self; 11] = [
        Self::Internal,
        Self::Usage,
        Self::Evaluation,
        Self::Build,
        Self::Refused,
        Self::Returned,
        Self::UnitsFailed,
        Self::Stranded,
        Self::RebootNeeded,
        Self::NotActive,
        Self::Interrupted,
    ];

    /// Returns the name that JSON output uses.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|name| name.as_str().map(String::from))
            .unwrap_or_default()
    }

    /// Returns a short description.
    pub fn means(self) -> &'static str {
        match self {
            Self::Internal => "internal error",
            Self::Usage => "wrong usage, or an unknown module",
            Self::Evaluation => "evaluation failed (for `check`: at least one module failed)",
            Self::Build => "a build or a fetch failed",
            Self::Refused => "refused; the cause can be fixed",
            Self::Returned => "activation failed; the previous system is active again",
            Self::UnitsFailed => "active, but some units failed",
            Self::Stranded => "activation failed, and so did the rollback",
            Self::RebootNeeded => "not activated: a reboot is needed",
            Self::NotActive => "`status NAME`: not every module is active",
            Self::Interrupted => "interrupted, or detached from a running activation",
        }
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Evaluation => 3,
            Self::Build => 4,
            Self::Refused => 5,
            Self::Returned => 6,
            Self::UnitsFailed => 7,
            Self::Stranded => 8,
            Self::RebootNeeded => 9,
            Self::NotActive => 10,
            Self::Interrupted => 130,
        }
    }

    /// Returns an error of this kind.
    pub(crate) fn error(self, message: impl Into<String>) -> Failed {
        Failed {
            failure: self,
            message: message.into(),
            details: Vec::new(),
            hints: Vec::new(),
            places: Vec::new(),
        }
    }
}

/// An error that the user can act on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    #[serde(rename = "kind")]
    pub failure: Failure,
    /// The failed action, its object and the reason. A single line in lower case without a full
    /// stop.
    pub message: String,
    /// Details, such as source positions and the last lines of a log.
    pub details: Vec<String>,
    /// Hints for the next step.
    pub hints: Vec<String>,
    /// Source positions, the nearest first. The caller knows which files belong to the user, and
    /// selects one position. Not part of the JSON output.
    #[serde(skip)]
    pub places: Vec<Position>,
}

impl Failed {
    /// Adds one or more lines of details.
    pub fn detail(mut self, detail: impl AsRef<str>) -> Self {
        self.details
            .extend(detail.as_ref().lines().map(String::from));
        self
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failed {}

/// Converts any error to a [`Failed`]. If the error does not contain one, its kind is `Internal`.
pub fn describe(error: &anyhow::Error) -> Failed {
    let message = neutral(&format!("{error:#}"));
    match error.downcast_ref::<Failed>() {
        // anyhow prints the contexts before the message, so do the same.
        Some(failed) => Failed {
            message,
            details: failed.details.iter().map(|line| neutral(line)).collect(),
            hints: failed.hints.iter().map(|hint| neutral(hint)).collect(),
            ..failed.clone()
        },
        None => Failure::Internal.error(message),
    }
}

/// Returns the rows of all messages of this crate.
pub fn rows() -> impl Iterator<Item = &'static MessageRow> {
    [
        ArgumentError::ROWS,
        ElevationError::ROWS,
        FaultError::ROWS,
        OverrideError::ROWS,
        PreflightError::ROWS,
        ProgramError::ROWS,
        RecordError::ROWS,
        SourceError::ROWS,
        StoreError::ROWS,
        SwitchError::ROWS,
        TransactionError::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// Texts that identify an error, and the hint for this error.
pub type KnownError = (&'static [&'static str], &'static str);

/// Returns the hint for an error message, if the table contains one.
pub fn known_hint(table: &[KnownError], text: &str) -> Option<&'static str> {
    let said = |texts: &[&str]| texts.iter().any(|one| text.contains(one));
    let found = table.iter().find(|(texts, _)| said(texts));
    found.map(|(_, hint)| *hint)
}

/// Returns a line with the number of omitted lines.
pub fn more_lines(count: usize) -> String {
    match count {
        1 => "… 1 more line".into(),
        count => format!("… {count} more lines"),
    }
}

/// Joins a text into one line, with a single space between words.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Makes the control characters of untrusted text visible, except for tabs. Without this, a name, a
/// message or a log line could move the cursor, set the window title or ring the bell.
pub fn neutral(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => '\t',
            '\u{1b}' => '␛',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_precedes_the_message_and_keeps_the_kind() {
        let error = anyhow::Error::from(Failure::Refused.error("the lock is held").hint("wait"))
            .context("enable hello");
        let failed = describe(&error);
        assert_eq!(failed.failure, Failure::Refused);
        assert_eq!(failed.message, "enable hello: the lock is held");
        assert_eq!(failed.hints, ["wait"]);
    }

    #[test]
    fn other_errors_are_internal() {
        assert_eq!(describe(&anyhow::anyhow!("odd")).failure, Failure::Internal);
    }

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(neutral("a\u{1b}[31mb\u{7}\tc"), "a␛[31mb\u{fffd}\tc");
    }

    #[test]
    fn exit_codes_are_unique() {
        let codes: std::collections::BTreeSet<u8> =
            Failure::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), Failure::ALL.len());
    }
}
