//! Benchmarks of the user's own configuration: the series, the repetitions and the statistics.
//!
//! One file per benchmark. Each defines its series and how one sample is taken, and returns an
//! [`BenchResult`]. `rounds.rs` repeats the runs, `outcome.rs` summarises the samples, and
//! `warnings.rs` names reasons to doubt the result. Nothing here writes to the terminal: `table.rs`
//! and `plot.rs` only make the text.

mod columns;
mod compare;
mod csv;
mod diff;
mod differences;
mod eval;
mod exports;
mod machine;
mod numbers;
mod options;
mod ourselves;
mod outcome;
mod overrides;
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
pub use diff::run as diff;
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
use runtime_module_nix::session::Session;

/// Opens libnix, once for this process. Until it is closed, the store's garbage collector keeps the
/// flakes that it locked.
fn open(session: &Session) -> Result<Libnix> {
    Libnix::open(session.settings(false, 1), |_: Event| {})
}
