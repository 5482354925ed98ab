//! The code that both programs share: the command line, plans, the pipeline, records, overrides,
//! activation, progress and reports. Does not link libnix.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "tests prepare files and processes"
    )
)]

#[expect(
    clippy::disallowed_types,
    reason = "roles start each other, the switch program and systemd's programs"
)]
pub mod activation;
pub mod attributes;
pub mod baked;
#[expect(clippy::disallowed_methods, reason = "writes the files of the cache")]
pub mod cache_files;
pub mod choice;
#[expect(clippy::disallowed_methods, reason = "reads the environment")]
pub mod cli;
pub mod clock;
pub mod command;
pub mod duration;
pub mod error;
pub mod error_output;
pub mod estimate;
pub mod facts;
pub mod fault;
pub mod host;
pub mod input_graph;
pub mod interrupt;
pub mod json_schema;
pub mod local;
pub mod locations;
pub mod messages;
pub mod option_names;
pub mod options;
pub mod output;
pub mod overrides;
pub mod partial;
pub mod percent;
pub mod pipeline;
pub mod plan;
pub mod programs;
pub mod progress;
pub mod quoting;
#[expect(clippy::disallowed_methods, reason = "writes the records")]
pub mod record;
pub mod reference;
pub mod registry;
pub mod report;
pub mod role;
pub mod session;
#[expect(
    clippy::disallowed_methods,
    reason = "makes GC roots and opens the lock of the garbage collector"
)]
pub mod store;
pub mod timings;
