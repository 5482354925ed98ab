//! Determines the outcome of a switch, its effect on the state, and its explanation.

use super::switch::Verdict;
use super::verify::Verification;
use crate::error::{Message as _, TransactionError};
use crate::record::{Outcome, StateEffect};

/// Returns the outcome of a rollback, given the verdict on its switch.
pub(super) fn of_rollback(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Well | Verdict::UnitsFailed => Outcome::Returned,
        Verdict::Refused | Verdict::Failed => Outcome::Stranded,
        Verdict::Superseded => Outcome::Superseded,
    }
}

/// Returns the outcome of a recovery, given the verdict on its switch.
pub(super) fn of_recovery(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Well => Outcome::Activated,
        Verdict::UnitsFailed => Outcome::UnitsFailed,
        Verdict::Superseded => Outcome::Superseded,
        Verdict::Refused | Verdict::Failed => Outcome::Stranded,
    }
}

/// Returns how an outcome changes the state.
pub(super) fn state_effect(outcome: Outcome) -> StateEffect {
    match outcome {
        Outcome::Activated | Outcome::UnitsFailed => StateEffect::Done,
        Outcome::Unchanged | Outcome::Returned | Outcome::Superseded => StateEffect::AsBefore,
        Outcome::Stranded => StateEffect::Stranded,
    }
}

/// Returns the explanation of an outcome, or an empty string on success.
pub(super) fn explanation(outcome: Outcome, purpose: &str, reason: &str) -> String {
    match (outcome, error(outcome, purpose, reason)) {
        (_, Some(error)) => error.text(),
        (Outcome::Activated, None) => String::new(),
        (_, None) => format!("{purpose}: {reason}"),
    }
}

/// Returns the message about an outcome. Returns `None` on success, and if the reason itself is the
/// message.
fn error(outcome: Outcome, purpose: &str, reason: &str) -> Option<TransactionError> {
    let (purpose, reason) = (purpose.to_string(), reason.to_string());
    match outcome {
        Outcome::Returned => Some(TransactionError::RolledBack { purpose, reason }),
        Outcome::Stranded => Some(TransactionError::RollbackFailed { purpose, reason }),
        Outcome::UnitsFailed => Some(TransactionError::ActiveWithFailedUnits { purpose, reason }),
        Outcome::Activated | Outcome::Unchanged | Outcome::Superseded => None,
    }
}

/// Returns a warning about the problems of a rollback.
pub(super) fn rollback_warning(verification: &Verification) -> String {
    let units = match verification.names() {
        units if units.is_empty() => String::new(),
        units => format!(": {}", units.join(", ")),
    };
    format!("while rolling back: {}{units}", verification.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activated;

    #[test]
    fn outcome_has_the_kind_of_its_message() {
        for outcome in [Outcome::Returned, Outcome::Stranded, Outcome::UnitsFailed] {
            let activated = Activated {
                outcome,
                ..Activated::new("/log".into(), 1)
            };
            let failed = activated.error().expect("a failure");
            let message = error(outcome, "enable hello", "a unit failed").expect("a message");
            assert_eq!(failed.failure, message.failed().failure);
        }
    }
}
