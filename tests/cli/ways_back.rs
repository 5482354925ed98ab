//! Ways back that cross something else: a switch by others, a death at the end, a refusal. What others have activated is
//! never undone, what had not ended is never called so, and nothing is offered to go back to that nobody had.

use std::path::Path;
use std::process::Child;

use serde_json::{Value, json};
use unix::sys::signal::{Signal, kill};

use super::failures::{obedient, says};
use super::transactions::undone;
use crate::support::TestEnv;

/// A system of somebody else's.
const ANOTHER: &str = "/nix/store/another";

/// Another switch: it has NixOS's lock for so many seconds, and then another system runs.
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

/// What the other one has activated runs, and nothing of ours is pending.
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
fn a_change_that_has_waited_for_another_switch_looks_again() {
    let env = TestEnv::new();
    let mut other = foreign_switch(&env, 3);
    env.quiet(&["enable", "inline", "--wait", "60s"])
        .ends_with(5)
        .golden("enable-after-another-switch");
    other.wait().expect("it ended");
    is_left_alone(&env);
}

#[test]
fn a_switch_program_that_waits_for_another_switch_without_a_word_is_ended() {
    // As the one in Perl does.
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
    // Nobody switched when it was looked.
    let mut other = foreign_switch(&env, 4);
    kill(stopped.expect("the activator"), Signal::SIGCONT).expect("let go");
    change.end().ends_with(5).golden("switch-that-waits");
    assert_eq!(env.running(), base);
    assert!(env.state()["pending"].is_null(), "{:#}", env.state());
    other.wait().expect("it ended");
    is_left_alone(&env);
}

#[test]
fn what_recovers_and_has_waited_for_another_switch_looks_again() {
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
    other.wait().expect("it ended");
    is_left_alone(&env);
    assert_eq!(outcomes(&env).last(), Some(&json!("superseded")));
}

#[test]
fn the_timer_that_has_waited_for_another_switch_undoes_nothing() {
    let env = TestEnv::new();
    env.quiet(&["enable", "inline", "--confirm", "1s"]).ok();
    let mut other = foreign_switch(&env, 4);
    other.wait().expect("it ended");
    env.processes().wait_to_end();
    is_left_alone(&env);
    assert_eq!(outcomes(&env).last(), Some(&json!("superseded")));
}

#[test]
fn what_the_way_back_refuses_still_waits_to_be_confirmed() {
    let env = obedient();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    let refuses = "say 'Pre-switch checks failed'; exit 1";
    says(&env, "early", refuses);
    env.quiet(&["rollback"])
        .ends_with(5)
        .golden("rollback-refused");
    assert_eq!(env.state()["pending"]["step"], "confirming");
    // The timer says that it has to be tried again.
    let name = env.state()["pending"]["transaction"].clone();
    let name = name.as_str().expect("one waits");
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
fn what_could_not_be_written_down_is_undone_once_more() {
    let env = TestEnv::new();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    let name = env.state()["pending"]["transaction"].clone();
    let expire = [
        "__expire",
        name.as_str().expect("one waits"),
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
fn what_does_not_run_any_more_is_not_confirmed() {
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
fn units_that_failed_are_not_forgotten_by_who_confirms() {
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
fn what_was_gone_back_from_is_not_offered() {
    let env = TestEnv::fixture();
    // The first change of all: what runs was booted.
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
    // A change that stays has one before it.
    env.quiet(&["enable", "inline"]).ok();
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.running(), booted);
    env.processes().end();
}

#[test]
fn rollback_goes_to_what_was_before_whatever_the_history_lacks() {
    let env = TestEnv::new();
    env.quiet(&["enable", "inline"]).ok();
    let one = env.running();
    // It is done, and dies before it has said so to the history.
    env.faulty("activator.history:before", &["enable", "conflict-a"])
        .ok()
        .golden("activator-died-before-the-history");
    assert_eq!(env.active(), ["inline", "conflict-a"]);
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.running(), one);
    // Somebody else has switched: before that was what is on.
    env.switch_by_hand(Path::new(ANOTHER));
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.running(), one);
}

#[test]
fn rollback_waits_for_a_change_before_it_asks_what_was_before_it() {
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
    kill(stopped, Signal::SIGCONT).expect("let go");
    change.end().ok();
    rollback.end().ok();
    assert_eq!(env.running(), one);
}

#[test]
fn whoever_dies_on_the_way_back_is_told_of() {
    let env = TestEnv::new();
    env.faulty("activator.switch:after", &["enable", "inline"])
        .ends_with(8);
    env.faulty("activator.return:after", &["recover"])
        .ends_with(8)
        .golden("activator-died-recovering");
    // Whoever dies before it has begun leaves the machine as it was: between two systems.
    env.faulty("activator.lock:after", &["recover"])
        .ends_with(8);
    // It is over, and only that was not told.
    env.faulty("activator.history:before", &["recover"])
        .ends_with(1)
        .golden("activator-died-untold");
    assert!(env.state()["pending"].is_null());
    env.quiet(&["enable", "hello"]).ok();
}
