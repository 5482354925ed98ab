//! Recoveries and rollbacks after an external switch, a crash at the last step, or a refusal. They
//! must not undo external switches, report unfinished changes as finished, or offer states that
//! were never active.

use std::path::Path;
use std::process::Child;

use serde_json::{Value, json};
use unix::sys::signal::{Signal, kill};

use super::failures::{obedient, says};
use super::transactions::undone;
use crate::support::TestEnv;

/// The system that an external switch activates.
const ANOTHER: &str = "/nix/store/another";

/// Starts an external switch that holds NixOS's lock for this many seconds and then replaces the
/// running system.
fn foreign_switch(env: &TestEnv, seconds: u32) -> Child {
    let lock = env.root("run/nixos/switch-to-configuration.lock");
    let link = env.root("run/current-system");
    let script = format!("sleep {seconds}.0; ln -sfn {ANOTHER} '{}'", link.display());
    let mut flock = env.other("/usr/bin/flock");
    let child = flock.arg(&lock).args(["sh", "-c", &script]).spawn();
    let child = child.expect("flock");
    env.processes().wait_for(&format!("sleep {seconds}.0"));
    child
}

/// Checks that the external system is running and nothing is pending.
fn is_left_alone(env: &TestEnv) {
    assert_eq!(env.running(), Path::new(ANOTHER));
    assert!(env.state()["pending"].is_null(), "{:#}", env.state());
}

fn outcomes(env: &TestEnv) -> Vec<Value> {
    let history = env.json(&["history"]);
    let all = history["transactions"].as_array().expect("a list").iter();
    all.map(|one| one["outcome"].clone()).collect()
}

#[test]
fn change_after_waiting_checks_again() {
    let env = TestEnv::new();
    let mut other = foreign_switch(&env, 3);
    env.quiet(&["enable", "inline", "--wait", "60s"])
        .ends_with(5)
        .golden("enable-after-another-switch");
    other.wait().expect("the external switch");
    is_left_alone(&env);
}

#[test]
fn blocked_switch_program_is_stopped() {
    // Like NixOS's Perl switch program, this one waits for the lock.
    let env = TestEnv::fixture()
        .edit("activation/switch-to-configuration.sh", |text| {
            text.replacen("\"$flock\" -n 9", "\"$flock\" 9", 1)
        })
        .start("box");
    let base = env.running();
    let mut command = env.command(["enable", "inline", "--progress", "off"]);
    command.env("RUNTIME_MODULE_FAULT", "activator.switch:before:stop");
    let change = env.start_running(command);
    let stopped = env.processes().wait_for_stop(change.pid());
    // The lock was free when the activator checked it.
    let mut other = foreign_switch(&env, 4);
    kill(stopped.expect("the activator"), Signal::SIGCONT).expect("continued");
    change.end().ends_with(5).golden("switch-that-waits");
    assert_eq!(env.running(), base);
    assert!(env.state()["pending"].is_null(), "{:#}", env.state());
    other.wait().expect("the external switch");
    is_left_alone(&env);
}

#[test]
fn recovery_after_waiting_checks_again() {
    let env = TestEnv::new();
    env.faulty("activator.switch:after", &["enable", "inline"])
        .ends_with(8);
    let mut other = foreign_switch(&env, 3);
    env.quiet(&["recover"])
        .ends_with(5)
        .golden("recover-switch-elsewhere");
    env.quiet(&["recover", "--wait", "60s"])
        .ok()
        .golden("recover-after-another-switch");
    other.wait().expect("the external switch");
    is_left_alone(&env);
    assert_eq!(outcomes(&env).last(), Some(&json!("superseded")));
}

#[test]
fn timer_after_external_switch_undoes_nothing() {
    let env = TestEnv::new();
    env.quiet(&["enable", "inline", "--confirm", "1s"]).ok();
    let mut other = foreign_switch(&env, 4);
    other.wait().expect("the external switch");
    env.processes().wait_to_end();
    is_left_alone(&env);
    assert_eq!(outcomes(&env).last(), Some(&json!("superseded")));
}

#[test]
fn refused_rollback_leaves_the_change_unconfirmed() {
    let env = obedient();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    let refuses = "say 'Pre-switch checks failed'; exit 1";
    says(&env, "early", refuses);
    env.quiet(&["rollback"])
        .ends_with(5)
        .golden("rollback-refused");
    assert_eq!(env.state()["pending"]["step"], "confirming");
    // The timer fails, so systemd starts it again.
    let name = env.state()["pending"]["transaction"].clone();
    let name = name.as_str().expect("a pending transaction");
    env.quiet(&["__expire", name, "0", "--after"])
        .ends_with(5)
        .golden("expire-refused");
    assert_eq!(env.state()["pending"]["step"], "confirming");
    std::fs::remove_file(env.root("early")).expect("removed");
    env.quiet(&["__expire", name, "0", "--after"]).ok();
    undone(&env, &base);
    env.processes().end();
}

#[test]
fn unwritten_rollback_is_repeated() {
    let env = TestEnv::new();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    let name = env.state()["pending"]["transaction"].clone();
    let expire = [
        "__expire",
        name.as_str().expect("a pending transaction"),
        "0",
        "--after",
    ];
    env.faulty("activator.commit:before:enospc", &expire)
        .ends_with(5)
        .golden("expire-unwritten");
    env.quiet(&expire).ok();
    undone(&env, &base);
    env.processes().end();
}

#[test]
fn confirm_is_refused_after_external_switch() {
    let env = TestEnv::new();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    env.switch_by_hand(&base);
    env.quiet(&["confirm"])
        .ends_with(5)
        .golden("confirm-another-runs");
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.active(), Vec::<String>::new());
    assert!(env.state()["pending"].is_null());
    env.processes().end();
}

#[test]
fn confirm_keeps_the_failed_units() {
    let env = TestEnv::new();
    let keep = ["enable", "failing-unit", "--on-failed-units", "keep"];
    env.quiet(&[&keep[..], &["--confirm", "600s"]].concat())
        .ends_with(7)
        .golden("failing-unit-unconfirmed");
    env.quiet(&["confirm"])
        .ok()
        .golden("failing-unit-confirmed");
    let history = env.json(&["history"]);
    let last = &history["transactions"][1];
    assert_eq!(last["outcome"], "units-failed", "{last:#}");
    assert_eq!(last["failedUnits"], json!(["failing.service"]));
    env.processes().end();
}

#[test]
fn abandoned_states_are_not_offered() {
    let env = TestEnv::fixture();
    // Simulate a first change on a booted system, without earlier records.
    let env = env.start("box");
    let booted = env.running();
    for file in ["state.json", "history"] {
        std::fs::remove_file(env.root("run/runtime-modules").join(file)).expect("removed");
    }
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.running(), booted);
    env.quiet(&["rollback"]).ends_with(5);
    env.quiet(&["rollback", "0"]).ends_with(2);
    env.faulty("activator.switch:after", &["enable", "inline"])
        .ends_with(8);
    env.quiet(&["recover"]).ok();
    env.quiet(&["rollback"]).ends_with(5);
    // After a change that lasts, there is a state to roll back to.
    env.quiet(&["enable", "inline"]).ok();
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.running(), booted);
    env.processes().end();
}

#[test]
fn rollback_works_with_an_incomplete_history() {
    let env = TestEnv::new();
    env.quiet(&["enable", "inline"]).ok();
    let one = env.running();
    // The change succeeds, but the activator dies before the change is in the history.
    env.faulty("activator.history:before", &["enable", "conflict-a"])
        .ok()
        .golden("activator-died-before-the-history");
    assert_eq!(env.active(), ["inline", "conflict-a"]);
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.running(), one);
    // After an external switch, the previous state is the last one that the program recorded.
    env.switch_by_hand(Path::new(ANOTHER));
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.running(), one);
}

#[test]
fn rollback_waits_before_it_reads_the_history() {
    let env = TestEnv::new();
    env.quiet(&["enable", "inline"]).ok();
    let one = env.running();
    let mut command = env.command(["enable", "conflict-a", "--progress", "off"]);
    command.env("RUNTIME_MODULE_FAULT", "activator.switch:before:stop");
    let change = env.start_running(command);
    let stopped = env.processes().wait_for_stop(change.pid());
    let stopped = stopped.expect("the activator");
    let mut rollback = env.start_running(env.command(["rollback", "--wait", "60s"]));
    rollback.until("waiting for");
    kill(stopped, Signal::SIGCONT).expect("continued");
    change.end().ok();
    rollback.end().ok();
    assert_eq!(env.running(), one);
}

#[test]
fn killed_recovery_is_reported() {
    let env = TestEnv::new();
    env.faulty("activator.switch:after", &["enable", "inline"])
        .ends_with(8);
    env.faulty("activator.return:after", &["recover"])
        .ends_with(8)
        .golden("activator-died-recovering");
    // If an activator dies before it begins, the system stays partly switched.
    env.faulty("activator.lock:after", &["recover"])
        .ends_with(8);
    // The recovery is complete; only its report is missing.
    env.faulty("activator.history:before", &["recover"])
        .ends_with(1)
        .golden("activator-died-untold");
    assert!(env.state()["pending"].is_null());
    env.quiet(&["enable", "hello"]).ok();
}
