//! Forks of this process, and their restrictions.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use common::{evaluate, folder, path, store, string};
use nix_ffi::{ForkError, fork_child, threads};
use unix::sys::wait::{WaitStatus, waitpid};

fn main() -> ExitCode {
    common::main(&[
        (
            "child_inherits_the_parents_state",
            child_inherits_the_parents_state,
        ),
        (
            "crashed_child_does_not_affect_the_parent",
            crashed_child_does_not_affect_the_parent,
        ),
        (
            "fork_is_refused_with_another_thread",
            fork_is_refused_with_another_thread,
        ),
        (
            "child_cannot_write_to_the_store",
            child_cannot_write_to_the_store,
        ),
        (
            "child_is_killed_first_if_memory_runs_out",
            child_is_killed_first_if_memory_runs_out,
        ),
    ])
}

/// Runs a child; returns its output and its status.
fn child(work: impl FnOnce() -> String) -> (String, WaitStatus) {
    let mut forked =
        fork_child(&[], |mut pipe| pipe.write_all(work().as_bytes()).unwrap()).unwrap();
    let mut text = String::new();
    forked.output.read_to_string(&mut text).unwrap();
    (text, waitpid(forked.pid, None).unwrap())
}

fn child_inherits_the_parents_state() {
    let before = evaluate(|evaluator| evaluator.json("1 + 1").unwrap());
    let (text, status) =
        child(|| before.clone() + &evaluate(|evaluator| evaluator.json("2 + 2").unwrap()));
    assert_eq!(text, "24");
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

fn crashed_child_does_not_affect_the_parent() {
    let (text, status) = child(|| std::process::abort());
    assert_eq!(text, "");
    assert!(matches!(status, WaitStatus::Signaled(..)), "{status:?}");
    let (_, status) = child(|| panic!("on purpose"));
    assert!(matches!(status, WaitStatus::Exited(_, 101)), "{status:?}");
    assert_eq!(evaluate(|evaluator| evaluator.json("3").unwrap()), "3");
}

fn fork_is_refused_with_another_thread() {
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv().is_err());
    assert_eq!(threads().unwrap(), 2);
    assert!(matches!(
        fork_child(&[], |_| ()),
        Err(ForkError::Threads(2))
    ));
    drop(end);
    assert!(thread.join().unwrap());
}

fn child_is_killed_first_if_memory_runs_out() {
    let score = || std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let (text, _) = child(score);
    assert_eq!(text, "1000\n");
    assert_ne!(score(), text);
}

/// The child can read the databases that it inherits, but cannot write to them.
fn child_cannot_write_to_the_store() {
    let make = |name: &str| {
        evaluate(|evaluator| evaluator.json(&format!("builtins.toFile \"{name}\" \"x\"")))
    };
    let before = path(&string(&make("before").unwrap()));
    let database = folder().join("var/db/db.sqlite");
    let bytes = || {
        (
            std::fs::read(&database).unwrap(),
            std::fs::read(database.with_extension("sqlite-wal")).unwrap(),
        )
    };
    let was = bytes();
    let (text, _) = child(|| {
        store().reconnect(&before);
        format!(
            "{} {}",
            store().is_valid(&before).unwrap(),
            make("after").is_err()
        )
    });
    assert_eq!(text, "true true");
    assert!(was == bytes(), "the database has changed");
    let later = path(&string(&make("later").unwrap()));
    assert_eq!(store().is_valid(&later), Ok(true));
}
