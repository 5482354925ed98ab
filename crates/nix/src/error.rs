//! The error messages of this crate. The kinds of failure, and the types of messages, are those of
//! `crates/core`.

mod build;
mod cache;
mod check;
mod evaluation;
mod expression;
mod hints;
mod libnix;
mod lock;
mod option;
mod pipeline;

pub use runtime_module_core::error::*;

pub use build::BuildError;
pub use cache::CacheError;
pub use check::CheckError;
pub use evaluation::{EvaluationAction, EvaluationError};
pub use expression::ExpressionError;
pub use libnix::LibnixError;
pub use lock::LockError;
pub use option::OptionError;
pub use pipeline::PipelineError;

/// Returns the rows of all messages of this crate.
pub fn rows() -> impl Iterator<Item = &'static MessageRow> {
    [
        EvaluationError::ROWS,
        OptionError::ROWS,
        ExpressionError::ROWS,
        LockError::ROWS,
        LibnixError::ROWS,
        PipelineError::ROWS,
        BuildError::ROWS,
        CheckError::ROWS,
        CacheError::ROWS,
    ]
    .into_iter()
    .flatten()
}
