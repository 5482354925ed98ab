//! The cache: data that makes the next run faster or gives it a better estimate. No command needs
//! it, and every entry is checked before use.
//!
//! `key.rs` computes the key of a result from everything that the result depends on. `results.rs`
//! stores evaluation results by their key. `roots.rs` keeps the outputs of results in the store, up
//! to a size limit.

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result};

mod key;
mod results;
mod roots;

pub use key::{Key, KeyComponents, may_be_kept, visible, why_not, why_not_with};
pub use results::{CachedResult, Lookup, Results};

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
