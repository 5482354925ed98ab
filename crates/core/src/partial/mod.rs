//! Partial changes: changes of option overrides that replace unit files and etc entries of the
//! running system, without a new toplevel.
//!
//! A partial change has three steps. First, `guess.rs` names the units and etc entries that an
//! override probably changes. Then the program evaluates only these, and `decide.rs` compares them
//! with the running toplevel. The result is a set of [`RuntimeFiles`] for the activator to apply,
//! or the reason why a whole toplevel is necessary. Finally, the program evaluates the whole
//! toplevel in the background, and `compare.rs` finds everything that the guess missed. This folder
//! only reads files and computes values.

mod compare;
mod decide;
mod effects;
mod evaluated;
mod files;
mod guess;
mod parts;
mod toplevel;
mod verification;

pub use compare::{Comparison, compare_in_store};
pub use decide::runtime_files;
pub use effects::{Effect, Effects};
pub use evaluated::{EvaluatedEntry, EvaluatedParts, EvaluatedUnit};
pub use files::{RuntimeFiles, RuntimeUnit, is_below_etc, unit_path};
pub use guess::guess;
pub use parts::Parts;
pub use toplevel::{LINK_FOLDERS, ToplevelFiles};
pub use verification::{Verification, VerificationResult};
