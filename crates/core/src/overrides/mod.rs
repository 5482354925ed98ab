//! Option overrides: values that replace or extend values of the configuration on the running
//! system.
//!
//! An [`Edit`] is the change that one command makes. Each edit makes a [`Generation`], which
//! `record/` appends to a file. An [`OverrideState`] is the result of all edits: the definitions
//! that can still have an effect. This folder only computes values. It does not read or write
//! files, and does not evaluate.

mod definition;
mod diff;
mod edit;
mod export;
mod fold;
mod generation;
mod nesting;
mod nix;
mod replay;
mod state;
mod value;
mod words;

pub use definition::{Definition, DerivationOutput, Mode, StringDependency};
pub use diff::{OverrideDifference, diff};
pub use edit::Edit;
pub use export::export;
pub use generation::Generation;
pub use replay::state_at;
pub use state::OverrideState;
use value::check_path;
pub use value::{ValuePart, check_value, value_place};
