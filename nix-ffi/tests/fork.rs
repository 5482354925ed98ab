//! Forks of this process, and their restrictions.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use common::{absent_path, evaluate, folder, path, store, string};
use nix_ffi::{ForkError, NixStore, fork_child, threads};
use unix::sys::wait::{WaitStatus, waitpid};

fn main() -> ExitCode {
    common::main(&common::trials![
        child_inherits_the_parents_state,
        crashed_child_does_not_affect_the_parent,
        fork_is_refused_with_another_thread,
        child_cannot_write_to_the_store,
        child_opens_its_own_daemon_connection,
        child_is_killed_first_if_memory_runs_out,
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
        store().reconnect();
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

/// A daemon for the store of this run, which is killed at the end of the test.
struct DaemonProcess(Child);

impl Drop for DaemonProcess {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Starts a daemon, and opens the store through it. Returns `None` without the command `nix`.
fn daemon() -> Option<(DaemonProcess, NixStore)> {
    let nix = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.libnix/bin/nix");
    if !nix.exists() {
        return None;
    }
    let at = |name: &str| folder().join(name);
    let socket = at("socket");
    let process = Command::new(nix)
        .args(["daemon", "--extra-experimental-features", "nix-command"])
        .env("NIX_STORE_DIR", at("store"))
        .env("NIX_STATE_DIR", at("var"))
        .env("NIX_LOG_DIR", at("log"))
        .env("NIX_DAEMON_SOCKET_PATH", &socket)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = DaemonProcess(process);
    let begun = Instant::now();
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no daemon");
        std::thread::sleep(Duration::from_millis(10));
    }
    let url = format!(
        "unix://{}?store={}&state={}&log={}",
        socket.display(),
        at("store").display(),
        at("var").display(),
        at("log").display()
    );
    Some((process, NixStore::open(Some(&url)).unwrap()))
}

/// A request over an inherited connection fails. After `reconnect`, requests succeed.
fn child_opens_its_own_daemon_connection() {
    let Some((_process, store)) = daemon() else {
        println!("skipped: no nix command is installed (run scripts/libnix --with-nix)");
        return;
    };
    // The connection that the children inherit. Each request is about another path, because the
    // store caches answers.
    assert_eq!(store.is_valid(&absent_path("parent")), Ok(false));
    let answer = |name: &str| format!("{:?}", store.is_valid(&absent_path(name)).ok());
    let (text, _) = child(|| answer("first") + &answer("second"));
    assert_eq!(text, "NoneSome(false)");
    let (text, _) = child(|| {
        store.reconnect();
        answer("first") + &answer("second")
    });
    assert_eq!(text, "Some(false)Some(false)");
    assert_eq!(answer("after"), "Some(false)");
}
