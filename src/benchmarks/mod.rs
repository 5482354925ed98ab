//! Benchmarks of the user's own configuration: what is measured, how often, and what it amounts to.
//!
//! One file a benchmark; each says which series there are and how one sample of them is taken, and returns an [`Outcome`].
//! `rounds.rs` repeats, `outcome.rs` sums up, `warnings.rs` says what to know before believing it. Nothing here draws on
//! the terminal; the text for it is made in `table.rs` and `plot.rs`.

mod columns;
mod compare;
mod csv;
mod diff;
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
pub use eval::run as eval;
pub use exports::Exports;
pub use options::run as options;
pub use overrides::run as overrides;
pub use plot::draw as plot;
pub use presets::Preset;
pub use rounds::{Enough, Rules};
pub use samples::Outcome;
pub use table::human as table;
pub use toggle::run as toggle;
pub use verdict::differences;

use anyhow::Result;

use crate::libnix::{Event, Libnix};
use crate::session::Session;

/// The one libnix of this process; it keeps what was locked from the collector of the store while it lives.
fn open(session: &Session) -> Result<Libnix> {
    Libnix::open(session.settings(false, 1), |_: Event| {})
}
