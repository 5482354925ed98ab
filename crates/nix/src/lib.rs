//! The stages that use libnix: locking, the cache, evaluation, realising, and checks of many
//! modules.
//!
//! `runtime-module-nix` is the only program that links this crate.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "tests prepare files and processes"
    )
)]

#[expect(
    clippy::disallowed_methods,
    reason = "writes the cached results and their GC roots"
)]
pub mod cache;
pub mod check;
pub mod error;
pub mod evaluation;
pub mod fuzz;
pub mod libnix;
mod notes;
pub mod pipeline;
pub mod pool;
pub mod realise;
pub mod session;
mod wordings;
#[expect(clippy::disallowed_types, reason = "starts evaluators")]
pub mod worker;

// Import the modules of the shared crate, so that paths such as `crate::error` work in this crate.
use runtime_module_core::{
    activation, attributes, cache_files, choice, clock, error_output, estimate, facts, fault, host,
    input_graph, interrupt, local, locations, messages, option_names, options, output, overrides,
    partial, percent, plan, progress, quoting, record, reference, registry, timings,
};

/// Our own version, and that of the libnix that this crate was compiled against.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (libnix ",
    env!("RUNTIME_MODULE_LIBNIX"),
    ")"
);

/// Returns the exit code of a forked process. If its work failed, prints the error.
fn end_of_role(ended: anyhow::Result<()>) -> u8 {
    ended.map_or_else(|error| error_output::print_error(&error, false), |()| 0)
}
