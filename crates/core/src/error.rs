//! The kinds of failure, and their exit codes.
//!
//! A [`Failed`] is an error that the user can act on. It contains the failed action, the reason,
//! details and hints. `anyhow::Error` carries it to `main`, which prints it once.

mod arguments;
mod elevation;
mod failure;
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

pub use arguments::ArgumentError;
pub use elevation::ElevationError;
pub use failure::{Failed, Failure};
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

/// Converts any error to a [`Failed`]. An error that does not contain one gets the kind `Internal`.
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

/// Returns the rows of this crate's messages in `docs/errors.md`.
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

/// Substrings that identify an error message, and the hint for that error.
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

/// Joins all words of a string into one line, separated by single spaces.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Makes the control characters of untrusted text visible, except for tabs. Otherwise, a name, a
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
