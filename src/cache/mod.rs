//! The cache: data that makes the next run faster or gives it a better estimate. No command needs
//! it, and none trusts it blindly.
//!
//! `estimate.rs` remembers how evaluations went. `key.rs` is a pure function that computes
//! everything a result depends on. `option_names.rs` remembers options for completion. `results.rs` stores evaluation results by their key. `files.rs`
//! writes the files. `roots.rs` keeps outputs in the store for a limited time.

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result};

mod estimate;
mod files;
mod key;
mod option_names;
mod results;
mod roots;

pub use estimate::Estimate;
pub use key::{Ingredients, Key, may_be_kept, visible, why_not, why_not_with};
pub use option_names::OptionNames;
pub use results::{Entry, Lookup, Results};

/// Identifies this build of the program by path, size, modification time and version.
pub fn this_program() -> Result<String> {
    let file = std::env::current_exe().context("cannot find our own executable")?;
    let found = std::fs::metadata(&file).context("cannot inspect our own executable")?;
    let written = (found.mtime(), found.mtime_nsec());
    Ok(format!(
        "{} {} {written:?} {}",
        file.display(),
        found.len(),
        crate::VERSION
    ))
}
