//! The built program, run as people run it, on the fixture `tests/minios`: each test in a store and a root of its own.

#![expect(
    clippy::panic,
    reason = "a test fails by a panic, also in what tests share"
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
    mod inputs;
    mod interrupts;
    mod listing;
    mod load;
    mod options;
    mod progress;
    mod refusals;
    mod returns;
    mod roots;
    mod screens;
    mod sources;
    mod stores;
    mod terminals;
    mod traced;
    mod transactions;
    mod ways_back;
    mod writes;
}
