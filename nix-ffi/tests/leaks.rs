//! Tests that repeated calls, most of which fail, leak nothing. `scripts/check-ffi` runs them under
//! valgrind.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::ExitCode;

use common::{evaluate, store};
use nix_ffi::{LockRequest, Locked, NixValue, StorePath, apply, get_setting, set_setting};

/// The number of repetitions.
const TIMES: usize = 100;

fn main() -> ExitCode {
    common::main(&common::trials![
        failing_settings_leak_nothing,
        failing_evaluations_leak_nothing,
        failing_locks_leak_nothing,
        failing_store_calls_leak_nothing,
        values_and_views_leak_nothing,
        memory_does_not_grow,
    ])
}

fn failing_settings_leak_nothing() {
    for _ in 0..TIMES {
        assert!(set_setting("cores", "many").is_err());
        assert_eq!(set_setting("no-such-setting", "1"), Ok(false));
        assert!(get_setting("cores").unwrap().is_some());
    }
}

fn failing_evaluations_leak_nothing() {
    evaluate(|e| {
        let set = e
            .value("{ bad = throw \"no\"; deep.bad = [ (1 + \"a\") ]; }")
            .unwrap();
        for _ in 0..TIMES {
            assert!(e.value("{").is_err());
            assert!(e.value("throw \"no\"").is_err());
            assert!(set.select(&e.state, "bad").is_err());
            assert!(set.select(&e.state, "none").unwrap().is_none());
            assert!(
                set.select(&e.state, "deep")
                    .unwrap()
                    .unwrap()
                    .force_json(&e.state)
                    .is_err()
            );
        }
    });
}

fn failing_locks_leak_nothing() {
    evaluate(|e| {
        for reference in ["path:/no/such/flake", "no-such-scheme:x", "", "::"] {
            for _ in 0..TIMES / 4 {
                let request = LockRequest {
                    reference,
                    base_directory: &common::fresh_folder("base"),
                    input_overrides: &[("a".into(), "path:/b".into())],
                    lock: None,
                    allow_unlocked: true,
                    use_registries: false,
                };
                assert!(Locked::lock(&e.state, &request).is_err(), "{reference}");
            }
        }
    });
}

fn failing_store_calls_leak_nothing() {
    let (store, wrong) = (store(), foreign_path());
    for _ in 0..TIMES {
        assert!(store.is_valid(&wrong).is_err());
        assert!(store.closure_size(&wrong).is_err());
        assert!(store.build(std::slice::from_ref(&wrong)).is_err());
        assert!(store.query_missing(std::slice::from_ref(&wrong)).is_err());
        assert!(store.real_path("/wrong").is_err());
        assert!(store.add_root(&wrong, "/x".as_ref()).is_err());
    }
}

/// Returns the path of another store, which this store refuses.
fn foreign_path() -> StorePath {
    common::path("/nix/store/00000000000000000000000000000000-x")
}

fn values_and_views_leak_nothing() {
    evaluate(|e| {
        for _ in 0..TIMES {
            let text = NixValue::string(&e.state, "text").unwrap();
            let applied = apply(&e.state, "x: { a = [ x ]; }", "f.nix", &[&text]).unwrap();
            let a = applied.select(&e.state, "a").unwrap().unwrap();
            assert_eq!(a.force_json(&e.state).unwrap(), "[\"text\"]");
        }
    });
}

/// Compares resident memory in pages: a leak of a kilobyte per call would add more than two
/// thousand pages.
fn memory_does_not_grow() {
    let pages = || -> u64 {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse().unwrap()
    };
    let (store, wrong) = (store(), foreign_path());
    let rounds = |count: usize| {
        for _ in 0..count {
            assert!(store.is_valid(&wrong).is_err());
            assert!(set_setting("cores", "many").is_err());
        }
    };
    rounds(1000);
    let before = pages();
    rounds(5000);
    let grown = pages().saturating_sub(before);
    assert!(grown < 500, "{grown} pages more");
}
