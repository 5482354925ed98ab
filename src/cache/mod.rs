//! What is remembered to be faster or to know more next time; never needed, and never believed blindly.
//!
//! `estimate.rs` how evaluations went; `key.rs` everything that a result depends on, a pure function; `results.rs` results
//! of evaluation by their key, on disk; `files.rs` how these are written; `roots.rs` what keeps their outputs in the store, and for how long.

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result};

mod estimate;
mod files;
mod key;
mod results;
mod roots;

pub use estimate::Estimate;
pub use key::{Ingredients, Key, may_be_kept, visible, why_not, why_not_with};
pub use results::{Entry, Lookup, Results};

/// Which build of this program this is: where it lies, how long it is and when it was written.
pub fn this_program() -> Result<String> {
    let file = std::env::current_exe().context("find our own executable")?;
    let found = std::fs::metadata(&file).context("look at our own executable")?;
    let written = (found.mtime(), found.mtime_nsec());
    Ok(format!(
        "{} {} {written:?} {}",
        file.display(),
        found.len(),
        crate::VERSION
    ))
}
