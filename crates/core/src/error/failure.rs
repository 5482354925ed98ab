//! The kinds of failure with their exit codes, and the error that the user can act on.

use std::fmt;

use nix_types::Position;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kinds of failure. Scripts rely on their exit codes (see `docs/errors.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A bug in the program, or an unexpected error.
    Internal,
    /// A usage error, or an unknown module.
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
            Self::Usage => "usage error, or an unknown module",
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
            by_configuration: false,
        }
    }
}

/// An error that the user can act on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// The kind of the error. docs/errors.md has the exit code of each kind.
    #[serde(rename = "kind")]
    pub failure: Failure,
    /// The failed action, its object and the reason, on one line, in lower case and without a full
    /// stop.
    pub message: String,
    /// Details, such as source positions and the last lines of a log.
    pub details: Vec<String>,
    /// Hints for the next step.
    pub hints: Vec<String>,
    /// Source positions, nearest first. The caller knows which files belong to the user, and
    /// selects one position. Not part of the JSON output.
    #[serde(skip)]
    pub places: Vec<Position>,
    /// Whether an evaluation ended with this error, so that the configuration is its cause. False
    /// if the evaluator was killed or ran out of memory. Not part of the JSON output.
    #[serde(skip)]
    pub by_configuration: bool,
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
