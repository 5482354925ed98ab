//! The kinds of failure there are, and the exit code of each.
//!
//! An error that a person can act on is a [`Failed`]: what was tried and why it failed, what there is to know about it,
//! and what to do next. It travels inside `anyhow::Error`; `main` prints it once.

mod table;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::libnix::Position;

pub use table::{Row, TABLE};

/// How a run may end other than well. The numbers are a promise to scripts (see README).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A bug of ours, or something that nobody foresaw.
    Internal,
    /// Wrong usage, or an unknown module.
    Usage,
    /// Evaluation failed.
    Evaluation,
    /// A build or a fetch failed.
    Build,
    /// Not done, for a reason that can be removed: lock held, state moved on, wrong host, rights.
    Refused,
    /// Activation failed; the previous system was activated again.
    Returned,
    /// Active, but some units failed.
    UnitsFailed,
    /// Activation failed, and so did the return to the previous system.
    Stranded,
    /// Not activated: the init interface changed, a reboot is needed.
    RebootNeeded,
    /// `status NAME`: not every named module is active.
    NotActive,
    /// Interrupted before activation; nothing changed.
    Interrupted,
}

impl Failure {
    /// All kinds.
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

    /// How it is called in JSON.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|name| name.as_str().map(String::from))
            .unwrap_or_default()
    }

    /// What it means, in a few words.
    pub fn means(self) -> &'static str {
        match self {
            Self::Internal => "internal error",
            Self::Usage => "wrong usage, or an unknown module",
            Self::Evaluation => "evaluation failed (for `check`: at least one module failed)",
            Self::Build => "a build or a fetch failed",
            Self::Refused => "refused, for a reason that can be removed",
            Self::Returned => "activation failed; the previous system is active again",
            Self::UnitsFailed => "active, but some units failed",
            Self::Stranded => "activation failed, and so did the rollback",
            Self::RebootNeeded => "not activated: a reboot is needed",
            Self::NotActive => "`status NAME`: not every module is active",
            Self::Interrupted => "interrupted before activation",
        }
    }

    /// The exit code.
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

    /// An error of this kind that says `message`.
    pub fn error(self, message: impl Into<String>) -> Failed {
        Failed {
            failure: self,
            message: message.into(),
            details: Vec::new(),
            hints: Vec::new(),
            places: Vec::new(),
        }
    }
}

/// An error that a person can act on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// Its kind.
    #[serde(rename = "kind")]
    pub failure: Failure,
    /// What was tried, on what, and why it failed; one line, lower case, no full stop.
    pub message: String,
    /// What there is to know: positions, last log lines.
    pub details: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
    /// Places in files, the nearest one first: whoever knows which files are whose can choose. For no document.
    #[serde(skip)]
    pub places: Vec<Position>,
}

impl Failed {
    /// Adds a line, or several, of what there is to know.
    pub fn detail(mut self, detail: impl AsRef<str>) -> Self {
        self.details
            .extend(detail.as_ref().lines().map(String::from));
        self
    }

    /// Adds what to do next.
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

/// The same for any error: what is not a [`Failed`] is internal.
pub fn describe(error: &anyhow::Error) -> Failed {
    let message = neutral(&format!("{error:#}"));
    match error.downcast_ref::<Failed>() {
        // Context around it comes first, as anyhow prints it.
        Some(failed) => Failed {
            message,
            details: failed.details.iter().map(|line| neutral(line)).collect(),
            hints: failed.hints.iter().map(|hint| neutral(hint)).collect(),
            ..failed.clone()
        },
        None => Failure::Internal.error(message),
    }
}

/// Texts that an error is known by, and what to do about it.
pub type Known = (&'static [&'static str], &'static str);

/// What to do about an error that says `text`.
pub fn known_hint(table: &[Known], text: &str) -> Option<&'static str> {
    let said = |texts: &[&str]| texts.iter().any(|one| text.contains(one));
    let found = table.iter().find(|(texts, _)| said(texts));
    found.map(|(_, hint)| *hint)
}

/// Text on one line, with one space between its words.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text from outside with every control character made visible: a name, a message or a log line must not be able to move
/// the cursor, set a title or ring. Tabs stay.
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
mod whole;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_goes_before_the_message_and_the_kind_stays() {
        let error = anyhow::Error::from(Failure::Refused.error("the lock is held").hint("wait"))
            .context("enable hello");
        let failed = describe(&error);
        assert_eq!(failed.failure, Failure::Refused);
        assert_eq!(failed.message, "enable hello: the lock is held");
        assert_eq!(failed.hints, ["wait"]);
    }

    #[test]
    fn anything_else_is_internal() {
        assert_eq!(describe(&anyhow::anyhow!("odd")).failure, Failure::Internal);
    }

    #[test]
    fn control_characters_cannot_reach_the_terminal() {
        assert_eq!(neutral("a\u{1b}[31mb\u{7}\tc"), "a␛[31mb\u{fffd}\tc");
    }

    #[test]
    fn each_kind_has_a_code_of_its_own() {
        let codes: std::collections::BTreeSet<u8> =
            Failure::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), Failure::ALL.len());
    }
}
