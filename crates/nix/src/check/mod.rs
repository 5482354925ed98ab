//! Evaluates all modules of a host, or of all hosts, alone and together.
//!
//! - `work.rs`: the combinations to check, and the limits
//! - `scheduler.rs`: assigns jobs to templates (`pool/`) and collects the outcomes
//! - `alone.rs`: an evaluator that is not a fork of a template
//! - `rows.rs`: the report about each combination
//! - `baseline.rs`: comparison with an earlier run
//! - `since.rs`: comparison with an earlier commit
//! - `builder.rs`: builds combinations that evaluate successfully
//! - `output.rs`, `people.rs`, `formats.rs` and `junit.rs`: print the report in one of its formats

mod baseline;
mod builder;
mod formats;
mod human;
mod junit;
mod output;
mod rows;
mod scheduler;
mod separate;
mod since;
mod work;

pub use baseline::Baseline;
pub use builder::Builder;
pub use output::{CheckDocument, CheckEnd, Output};
pub use rows::{CheckRow, CheckStatus, CheckSummary, Regression};
pub use scheduler::{CheckEvent, CheckProgress, Scheduler};
pub use since::reason as since;
pub use work::{CheckWork, Combinations, Limits, Shard};
