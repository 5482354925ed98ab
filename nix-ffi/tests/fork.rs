//! Children that are copies of this process, and what they cannot do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use common::{evaluate, folder, store, string};
use nix_ffi::{ForkError, fork_child, threads};
use unix::sys::wait::{WaitStatus, waitpid};

fn main() -> ExitCode {
    common::main(&[
        (
            "a_child_has_what_its_parent_had",
            a_child_has_what_its_parent_had,
        ),
        ("a_child_that_dies_dies_alone", a_child_that_dies_dies_alone),
        (
            "with_another_thread_nothing_is_forked",
            with_another_thread_nothing_is_forked,
        ),
        ("a_child_writes_nothing", a_child_writes_nothing),
        (
            "a_child_is_the_first_to_die_where_memory_runs_out",
            a_child_is_the_first_to_die_where_memory_runs_out,
        ),
    ])
}

/// What a child says, and how it ended.
fn child(work: impl FnOnce() -> String) -> (String, WaitStatus) {
    let mut forked =
        fork_child(&[], |mut pipe| pipe.write_all(work().as_bytes()).unwrap()).unwrap();
    let mut text = String::new();
    forked.output.read_to_string(&mut text).unwrap();
    (text, waitpid(forked.pid, None).unwrap())
}

fn a_child_has_what_its_parent_had() {
    let before = evaluate(|evaluator| evaluator.json("1 + 1").unwrap());
    let (text, status) =
        child(|| before.clone() + &evaluate(|evaluator| evaluator.json("2 + 2").unwrap()));
    assert_eq!(text, "24");
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

fn a_child_that_dies_dies_alone() {
    let (text, status) = child(|| std::process::abort());
    assert_eq!(text, "");
    assert!(matches!(status, WaitStatus::Signaled(..)), "{status:?}");
    let (_, status) = child(|| panic!("on purpose"));
    assert!(matches!(status, WaitStatus::Exited(_, 101)), "{status:?}");
    assert_eq!(evaluate(|evaluator| evaluator.json("3").unwrap()), "3");
}

fn with_another_thread_nothing_is_forked() {
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

fn a_child_is_the_first_to_die_where_memory_runs_out() {
    let score = || std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let (text, _) = child(score);
    assert_eq!(text, "1000\n");
    assert_ne!(score(), text);
}

/// The databases that the child inherits are open in it, and can be read, and not be written to.
fn a_child_writes_nothing() {
    let make = |name: &str| {
        evaluate(|evaluator| evaluator.json(&format!("builtins.toFile \"{name}\" \"x\"")))
    };
    let before = string(&make("before").unwrap());
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
    let later = string(&make("later").unwrap());
    assert_eq!(store().is_valid(&later), Ok(true));
}
