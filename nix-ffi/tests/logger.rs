//! The logger: reports of builds, evaluations and many threads.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{evaluate, evaluate_with, fresh_folder, store, take_events, write};
use nix_ffi::{Activity, Event, Progress, StorePath};

fn main() -> ExitCode {
    common::main(&common::trials![
        build_reports_activities_lines_and_phases,
        every_activity_ends,
        verbosity_limits_messages,
        warning_is_reported_once,
        failed_build_reports_an_error,
        many_threads_can_report,
        // This test must be the last one, because it replaces the logger.
        panic_in_the_sink_is_dropped,
    ])
}

fn built(attributes: &str) -> (StorePath, Vec<Event>) {
    let drv = evaluate(|e| e.derivation(attributes));
    take_events();
    let results = store().build(std::slice::from_ref(&drv)).unwrap();
    assert_eq!(results.len(), 1);
    (drv, take_events())
}

fn build_reports_activities_lines_and_phases() {
    let script = "echo first; echo '@nix {\\\"action\\\":\\\"setPhase\\\",\\\"phase\\\":\\\"checkPhase\\\"}' >&2; echo second >&2; echo 1 > $out";
    let (drv, events) = built(&format!("{{ name = \"logged\"; script = \"{script}\"; }}"));
    let build = events.iter().find_map(|event| match event {
        Event::Start {
            id,
            activity:
                Activity::Build {
                    derivation,
                    machine,
                },
            text,
            ..
        } => {
            assert_eq!((derivation.as_str(), machine.as_str()), (drv.as_str(), ""));
            assert_eq!(text, &format!("building '{drv}'"));
            Some(*id)
        }
        _ => None,
    });
    let of_build: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { id, progress } if Some(*id) == build => Some(progress.clone()),
            _ => None,
        })
        .collect();
    let line = |line: &str| Progress::LogLine { line: line.into() };
    let at = |wanted: &Progress| {
        of_build
            .iter()
            .position(|p| p == wanted)
            .unwrap_or_else(|| panic!("{wanted:?}: {of_build:?}"))
    };
    let phase = Progress::Phase {
        phase: "checkPhase".into(),
    };
    assert!(
        at(&line("first")) < at(&phase) && at(&phase) < at(&line("second")),
        "{of_build:?}"
    );
    assert_totals_of_one_build(&events);
}

/// Checks that the build call reports its totals.
fn assert_totals_of_one_build(events: &[Event]) {
    let start = |wanted: Activity| {
        events.iter().find_map(|event| match event {
            Event::Start { id, activity, .. } if *activity == wanted => Some(*id),
            _ => None,
        })
    };
    assert!(start(Activity::Realise).is_some() && start(Activity::CopyPaths).is_some());
    let builds = start(Activity::Builds).unwrap();
    // Since 2.29, a requested derivation and its build are both expected.
    let ended = |event: &Event| {
        matches!(
            event,
            Event::Progress {
                id,
                progress: Progress::Amount { done, expected, running: 0, failed: 0 },
            } if *id == builds && *done == 1 && (1..=2).contains(expected)
        )
    };
    assert!(events.iter().any(ended), "{events:?}");
}

fn every_activity_ends() {
    let (_, events) = built("{ name = \"ends\"; script = \"echo 1 > $out\"; }");
    let mut open = std::collections::BTreeSet::new();
    for event in &events {
        match event {
            Event::Start { id, parent, .. } => {
                assert!(open.insert(*id), "{id} starts twice");
                assert!(
                    *parent == 0 || open.contains(parent),
                    "{parent} is not open"
                );
            }
            Event::Stop { id } => assert!(open.remove(id), "{id} ends without a start"),
            Event::Progress { id, .. } => assert!(open.contains(id), "{id} is not open"),
            Event::Message { .. } | Event::Error { .. } => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(events.len() > 6, "{events:?}");
}

fn verbosity_limits_messages() {
    let file = fresh_folder("talkative").join("one.nix");
    write(&file, "1");
    let import = |name: &str| {
        let again = file.with_file_name(name);
        std::fs::copy(&file, &again).unwrap();
        take_events();
        evaluate_with(&[("pure-eval", "false")], |e| {
            assert_eq!(e.json(&format!("import {}", again.display())).unwrap(), "1");
        });
        let wanted = format!("evaluating file '{}'", again.display());
        take_events().contains(&Event::Message {
            level: 4,
            text: wanted,
        })
    };
    nix_ffi::set_verbosity(4);
    assert!(import("two.nix"));
    nix_ffi::set_verbosity(3);
    assert!(!import("three.nix"));
}

fn warning_is_reported_once() {
    take_events();
    evaluate(|e| assert_eq!(e.json("builtins.warn \"careful\" 1").unwrap(), "1"));
    let texts: Vec<_> = take_events()
        .into_iter()
        .map(|event| match event {
            Event::Message { level, text } => (level, text),
            Event::Error { error } => (error.level, error.message),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(texts[0].0, 1);
    assert!(texts[0].1.contains("careful"), "{texts:?}");
}

fn failed_build_reports_an_error() {
    // The failure of the requested goal is in its result. The logger reports failures of
    // dependencies.
    let drv = evaluate(|e| {
        e.derivation("{ name = \"waits\"; script = \"\"; on = sh { name = \"reports\"; script = \"exit 3\"; }; }")
    });
    take_events();
    let results = store().build(std::slice::from_ref(&drv)).unwrap();
    assert_eq!(
        (results.len(), results[0].status.as_str()),
        (1, "DependencyFailed")
    );
    let events = take_events();
    let error = events.iter().find_map(|event| match event {
        Event::Error { error } => Some(error),
        _ => None,
    });
    let error = error.unwrap_or_else(|| panic!("{events:?}"));
    assert!(
        error.message.contains("failed with exit code 3"),
        "{error:?}"
    );
    assert_eq!(error.level, 0);
}

fn many_threads_can_report() {
    nix_ffi::set_setting("max-jobs", "4").unwrap();
    let drvs: Vec<StorePath> = evaluate(|e| {
        (0..4)
            .map(|n| e.derivation(&format!("{{ name = \"many-{n}\"; script = \"for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; echo 1 > $out\"; }}")))
            .collect()
    });
    take_events();
    std::thread::scope(|scope| {
        for drv in &drvs {
            scope.spawn(|| assert!(store().build(std::slice::from_ref(drv)).unwrap()[0].success));
        }
        for _ in 0..2 {
            scope.spawn(|| evaluate(|e| drop(e.json("builtins.trace \"t\" 1").unwrap())));
        }
    });
    let events = take_events();
    let lines = events
        .iter()
        .filter(|e| {
            matches!(
                e,
                Event::Progress {
                    progress: Progress::LogLine { .. },
                    ..
                }
            )
        })
        .count();
    assert_eq!(lines, 4 * 9);
    let builds = events
        .iter()
        .filter(|e| {
            matches!(
                e,
                Event::Start {
                    activity: Activity::Build { .. },
                    ..
                }
            )
        })
        .count();
    assert_eq!(builds, 4);
}

fn panic_in_the_sink_is_dropped() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("and again when it is dropped");
        }
    }
    std::panic::set_hook(Box::new(|_| {}));
    nix_ffi::install_logger(|_| {
        CALLS.fetch_add(1, Ordering::SeqCst);
        std::panic::panic_any(Bomb);
    })
    .unwrap();
    let drv =
        evaluate(|e| e.derivation("{ name = \"panics\"; script = \"echo line; echo 1 > $out\"; }"));
    let results = store().build(std::slice::from_ref(&drv)).unwrap();
    let _ = std::panic::take_hook();
    assert!(results[0].success);
    assert!(CALLS.load(Ordering::SeqCst) > 3);
}
