//! Benchmarks of the user's own configuration: the series, the repetitions and the statistics.
//!
//! Each benchmark has its own file, which defines the series, takes the samples, and returns a
//! [`BenchResult`]. `rounds.rs` repeats the runs, `outcome.rs` summarises the samples, and
//! `warnings.rs` names reasons to doubt the result. This crate does not print results: `table.rs`
//! and `plot.rs` only make the text.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "tests prepare files and processes"
    )
)]

mod columns;
mod compare;
mod csv;
mod diff;
mod differences;
pub mod error;
mod eval;
mod exports;
mod machine;
mod numbers;
mod options;
mod outcome;
mod overrides;
mod own_program;
mod plot;
mod presets;
mod rounds;
mod samples;
mod statistics;
mod subject;
mod svg;
mod table;
mod toggle;
mod verdict;
mod warnings;

pub use compare::run as compare;
pub use diff::{Differences, run as diff};
pub use differences::differences;
pub use eval::run as eval;
pub use exports::{check as check_exports, write as write_exports};
pub use options::run as options;
pub use overrides::run as overrides;
pub use plot::draw as plot;
pub use samples::BenchResult;
pub use table::human as table;
pub use toggle::run as toggle;

use anyhow::Result;

use runtime_module_nix::libnix::{Event, Libnix};
use runtime_module_nix::session::NixSession;

/// Opens libnix once for this process. Until libnix is closed, the garbage collector keeps the
/// flakes that the benchmark has locked.
fn open(session: &NixSession) -> Result<Libnix> {
    session.open_libnix(|_: Event| {})
}
