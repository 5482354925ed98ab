//! Interrupting builds, evaluations and an idle process.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::{evaluate, evaluate_with, fresh_folder, on_a_thread, store, take_events, write};
use nix_ffi::{
    Activity, Event, NixError, NixValue, apply, interrupt, interrupted, reset_interrupt,
};

/// The maximum time until an interrupt takes effect.
const AT_ONCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    common::main(&common::trials![
        interrupt_can_be_cleared,
        build_is_interrupted,
        build_during_evaluation_is_interrupted,
        reading_evaluation_is_interrupted,
        error_during_an_interrupt_is_safe,
        builds_work_after_an_interrupt,
        concurrent_interrupts_are_safe,
    ])
}

fn interrupt_can_be_cleared() {
    assert!(!interrupted());
    interrupt().unwrap();
    assert!(interrupted());
    reset_interrupt();
    assert!(!interrupted());
}

/// Runs `work` on its own thread, and interrupts it after `ready` returns true. Returns the error,
/// and the time from the interrupt to the end of `work`.
fn interrupted_error<T: Send>(
    ready: impl Fn() -> bool,
    work: impl FnOnce() -> Result<T, NixError> + Send,
) -> (NixError, Duration) {
    take_events();
    let ended = std::thread::scope(|scope| {
        let thread = scope.spawn(|| (on_a_thread(work).map(drop), Instant::now()));
        let start = Instant::now();
        while !ready() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the work does not start"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(50));
        let at = Instant::now();
        interrupt().unwrap();
        let (result, ended) = thread.join().unwrap();
        (result.unwrap_err(), ended - at)
    });
    reset_interrupt();
    assert!(ended.0.interrupted, "{ended:?}");
    ended
}

fn a_build_runs() -> bool {
    take_events().iter().any(|event| {
        matches!(
            event,
            Event::Start {
                activity: Activity::Build { .. },
                ..
            }
        )
    })
}

/// A busy loop in the shell, without child processes. The build timeout of these tests ends it
/// after 60 seconds.
const ENDLESS: &str = "script = \"while :; do :; done\"";

fn build_is_interrupted() {
    let drv = evaluate(|e| e.derivation(&format!("{{ name = \"endless\"; {ENDLESS}; }}")));
    let (error, took) =
        interrupted_error(a_build_runs, || store().build(std::slice::from_ref(&drv)));
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(
        (error.class.as_str(), error.message.as_str()),
        ("nix::Interrupted", "interrupted by the user")
    );
    assert_eq!(error.rendered, "error: interrupted by the user");
}

fn build_during_evaluation_is_interrupted() {
    let (error, took) = interrupted_error(a_build_runs, || {
        evaluate(|e| {
            let system = std::env::consts::ARCH;
            e.json(&format!(
                "import (derivation {{ name = \"endless-ifd\"; system = \"{system}-linux\"; builder = \"/bin/sh\"; args = [ \"-c\" \"while :; do :; done\" ]; }})"
            ))
        })
    });
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(error.class, "nix::Interrupted", "{error:?}");
}

fn reading_evaluation_is_interrupted() {
    let file = fresh_folder("interrupts").join("file");
    write(&file, "x");
    let started = Instant::now();
    let (error, took) = interrupted_error(
        || started.elapsed() > Duration::from_millis(300),
        || {
            evaluate_with(&[("pure-eval", "false")], |e| {
                e.json(&format!(
                    "builtins.foldl' (sum: n: sum + builtins.stringLength (builtins.readFile \"{}\")) 0 (builtins.genList (n: n) 1000000)",
                    file.display()
                ))
            })
        },
    );
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(error.class, "nix::Interrupted", "{error:?}");
}

/// Raises an error in a file while an interrupt is pending. Nix reads the file for the excerpt, and
/// checks for interrupts while reading. Inside `what()`, which must not throw, the check would end
/// the process. (2.26 reads the file earlier, to find the line.)
fn error_during_an_interrupt_is_safe() {
    let file = fresh_folder("interrupts").join("error.nix");
    write(&file, "x: builtins.seq x (1 + \"a\")\n");
    evaluate_with(&[("pure-eval", "false")], |e| {
        let path = NixValue::string(&e.state, file.to_str().unwrap()).unwrap();
        let text = "path: let f = import path; in { once = f 1; again = f 2; }";
        let calls = apply(&e.state, text, "calls.nix", &[&path]).unwrap();
        let error = |name| calls.select(&e.state, name).map(drop).unwrap_err();
        // This call parses the file.
        assert_eq!(error("once").class, "nix::EvalError");
        interrupt().unwrap();
        let error = error("again");
        reset_interrupt();
        // In 2.35, the class is that of the error. It is reported as an interrupt in every release.
        assert!(error.interrupted, "{error:?}");
    });
}

fn builds_work_after_an_interrupt() {
    let drv = evaluate(|e| e.derivation("{ name = \"after\"; script = \"echo 1 > $out\"; }"));
    assert!(store().build(std::slice::from_ref(&drv)).unwrap()[0].success);
}

/// Interrupts during many short calls must not hit a thread that has just left libnix.
fn concurrent_interrupts_are_safe() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let done = AtomicBool::new(false);
    let drv = evaluate(|e| e.derivation("{ name = \"storm\"; script = \"echo 1 > $out\"; }"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                interrupt().unwrap();
                reset_interrupt();
            }
        });
        let store = store();
        std::thread::scope(|inner| {
            for _ in 0..2 {
                inner.spawn(|| {
                    for _ in 0..500 {
                        // The call may be interrupted or not.
                        let _ = store.query_missing(std::slice::from_ref(&drv));
                    }
                });
            }
        });
        done.store(true, Ordering::SeqCst);
    });
    reset_interrupt();
}
