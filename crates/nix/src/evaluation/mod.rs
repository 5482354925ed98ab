//! Evaluation, from the requested modules to the toplevel's `.drv`.
//!
//! `process.rs` is the client's side, which evaluates nothing. `evaluator.rs` evaluates the expression
//! in `system.nix`, in a process of its own. `request.rs` and `evaluated.rs` are the messages between
//! the two.

mod advice;
mod answer;
mod assertions;
mod described_option;
mod evaluated;
mod evaluator;
mod explain;
mod expression;
mod expression_value;
mod expressions;
mod fetching;
mod heap;
mod in_file;
mod measure;
mod measurement;
mod misnamed;
mod missing_argument;
mod missing_file;
mod opened;
mod overridden;
mod packages;
mod pin;
mod process;
mod request;
mod trees;

use crate::error::KnownError;

pub use answer::read;
pub use described_option::DescribedOption;
pub(crate) use evaluated::EvaluatorMessage;
pub use evaluated::{Derivation, Evaluated};
pub use evaluator::{option_meant, run as evaluator_role};
pub use explain::error as explain_error;
pub use expression::{SYSTEM, SYSTEM_TEXT, text};
pub use expression_value::{DependentString, ExpressionValue, ValueExpression};
pub use heap::{Memory, available};
pub use measurement::{Forced, Measure, Measured, Pass, RepeatedOverrides};
pub use opened::Opened;
pub use pin::{ToPin, lock_inputs, lock_text, pin, revision_of, short_revision};
pub use process::{Evaluation, Waiting, evaluate};
pub use request::{EvaluationRequest, EvaluationSource, ExtraRequest, FlakeReference, Target};

use request::action;

/// Returns the known errors of Nix and nixpkgs, with hints.
pub fn known_errors() -> &'static [KnownError] {
    advice::KNOWN
}
