//! Option overrides: values that replace or extend those of the configuration on the running system.
//!
//! An [`Edit`] is what one command changes. Each edit makes a [`Generation`], which `record/` appends
//! to a file. [`OverrideState`] is the result of all edits: the definitions that can still have an
//! effect. Everything here is computed from values. Nothing is read, written or evaluated.

mod definition;
mod diff;
mod edit;
mod export;
mod fold;
mod generation;
mod nix;
mod state;
mod value;
mod words;

pub use definition::{Definition, DerivationOutput, Mode, StorePath};
pub use diff::{Difference, diff};
pub use edit::Edit;
pub use export::export;
pub use generation::Generation;
pub use state::{OverrideState, state_at};
use value::check_path;
pub use value::{Part, check_value, value_place};
