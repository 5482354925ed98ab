//! Tests of the built program on the fixture `tests/minios`. Each test has its own store and root.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(
    clippy::panic,
    reason = "tests and their helpers report failures by panicking"
)]

mod support;

mod cli {
    mod bad_input;
    mod bench;
    mod boot;
    mod cache;
    mod changes;
    mod checking;
    mod completions;
    mod corpus;
    mod crashes;
    mod daemon;
    mod disk;
    mod documents;
    mod explanations;
    mod extras;
    mod extremes;
    mod failures;
    mod files;
    mod full_disk;
    mod guests;
    mod hosts_elsewhere;
    mod inputs;
    mod interrupts;
    mod linked_flakes;
    mod listing;
    mod load;
    mod options;
    mod other_module;
    mod overrides;
    mod partial;
    mod programs;
    mod progress;
    mod references;
    mod refusals;
    mod returns;
    mod roots;
    mod screens;
    mod sources;
    mod stores;
    mod terminals;
    mod traced;
    mod transactions;
    mod user_messages;
    mod ways_back;
    mod writes;
}
