//! Failed changes: the system that runs afterwards, and the message.

use std::time::{Duration, Instant};

use serde_json::json;

use super::failures::{obedient, says};
use crate::support::TestEnv;

#[test]
fn on_failed_units_is_baked_and_overridden() {
    let env = TestEnv::new();
    let base = env.running();
    // The default is to roll back.
    env.quiet(&["enable", "failing-unit"]).ends_with(6);
    assert_eq!(env.running(), base);

    let keep = [("onFailedUnits", json!("keep"))];
    env.bake(&keep);
    let rollback = ["--on-failed-units", "rollback"];
    env.quiet(&[&["enable", "failing-unit"][..], &rollback].concat())
        .ends_with(6);
    assert_eq!((env.running(), env.active()), (base.clone(), vec![]));

    env.bake(&keep);
    env.quiet(&["enable", "failing-unit"])
        .ends_with(7)
        .golden("failing-unit-kept");
    assert_eq!(env.active(), ["failing-unit"]);
    assert_ne!(env.running(), base);
    assert_eq!(env.unit("failing.service").as_deref(), Some("failed"));
    let history = env.json(&["history"]);
    let last = history["transactions"]
        .as_array()
        .and_then(|all| all.last());
    assert_eq!(
        last.expect("a record")["outcome"],
        "units-failed",
        "{history:#}"
    );
    env.quiet(&["reset"]).ok();
    assert_eq!(env.running(), base);
}

#[test]
fn settle_is_a_duration_and_only_waits_for_units() {
    let env = TestEnv::new();
    env.run(&["enable", "inline", "--settle", "soon"])
        .ends_with(2)
        .golden("settle-no-time");
    // Without systemd there are no units to watch, so even a long time causes no delay.
    let begun = Instant::now();
    env.bake(&[("settle", json!("9999h"))]);
    env.quiet(&["enable", "inline"]).ok();
    env.quiet(&["reset", "--settle", "1h"]).ok();
    assert!(begun.elapsed() < Duration::from_secs(300));
    env.bake(&[("settle", json!("3x"))]);
    let refused = env.quiet(&["enable", "inline"]).ends_with(5);
    assert!(
        refused.stderr.contains("settle is \"3x\""),
        "{}",
        refused.stderr
    );
}

#[test]
fn switch_program_without_effect_is_detected() {
    let place = "[ \"$action\" != boot ] || exit 0\n";
    let idle = "[ ! -e \"$root/idle\" ] || exit 0\n";
    let env = TestEnv::fixture()
        .edit("activation/switch-to-configuration.sh", |text| {
            text.replacen(place, &format!("{place}{idle}"), 1)
        })
        .start("box");
    let base = env.running();
    std::fs::write(env.root("idle"), "").expect("a file");
    env.quiet(&["enable", "inline"])
        .ends_with(5)
        .golden("switch-idle");
    assert_eq!((env.running(), env.active()), (base, vec![]));
    assert!(env.state()["pending"].is_null(), "{:#}", env.state());
    std::fs::remove_file(env.root("idle")).expect("removed");
    env.quiet(&["enable", "inline"]).ok();
}

#[test]
fn failed_activation_restores_the_specialisation() {
    let hello = "modules.hello = ../runtime/hello.nix;";
    let failing = "modules.failing-activation = ../runtime/failing-activation.nix;";
    let env = TestEnv::fixture()
        .edit("hosts/spec.nix", |text| {
            text.replacen(hello, &format!("{hello}\n    {failing}"), 1)
        })
        .start("spec");
    env.quiet(&["enable", "hello"]).ok();
    let travel = env.running().join("specialisation/travel");
    let travel = travel.canonicalize().expect("a specialisation");
    // Fail once after `apply` has pinned the specialisation, and once directly after an external
    // switch to it.
    for ours in [true, false] {
        let switch = travel.join("bin/switch-to-configuration");
        let mut switch = env.other(switch);
        let switched = switch.arg("test").output().expect("the switch program");
        assert!(switched.status.success(), "{switched:?}");
        if ours {
            env.quiet(&["apply"]).ok();
            assert_eq!(env.state()["pin"]["specialisation"], "travel");
        }
        assert_eq!(env.running(), travel);
        let ran = env.quiet(&["enable", "failing-activation"]).ends_with(6);
        assert_eq!(env.running(), travel, "ours: {ours}");
        assert_eq!(env.etc("motd").as_deref(), Some("On the way.\n"));
        assert_eq!(env.unit("hello.service").as_deref(), Some("active"));
        assert!(env.state()["pending"].is_null(), "{:#}", env.state());
        let history = env.json(&["history"]);
        let last = history["transactions"]
            .as_array()
            .and_then(|all| all.last());
        let last = last.expect("a record");
        assert_eq!(last["outcome"], "returned", "{history:#}");
        assert_eq!(last["from"], travel.display().to_string(), "{history:#}");
        if ours {
            ran.golden("failing-activation-of-a-specialisation");
            assert_eq!(env.active(), ["hello"]);
            assert_eq!(env.state()["pin"]["specialisation"], "travel");
            // Leave the specialisation, for the external switch.
            env.quiet(&["apply", "--specialisation", ""]).ok();
            assert_ne!(env.running(), travel);
        } else {
            // `apply` recognises the running specialisation.
            env.quiet(&["apply"]).ok();
            assert_eq!(
                (env.running(), env.active()),
                (travel.clone(), vec!["hello".into()])
            );
        }
    }
}

#[test]
fn failed_units_of_a_rollback_are_reported() {
    let env = obedient();
    let base = env.running();
    let broken = "say 'warning: the following units failed: gate.service'; exit 4";
    says(&env, "way-back", broken);
    says(&env, "late", "mv \"$root/way-back\" \"$root/late\"; exit 3");
    env.quiet(&["enable", "inline"])
        .ends_with(6)
        .golden("returned-with-failed-units");
    assert_eq!(env.running(), base);
    std::fs::remove_file(env.root("late")).expect("removed");
    // The timer has no user to report to: the history records the failed units.
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    says(&env, "late", broken);
    let name = env.state()["pending"]["transaction"].clone();
    let name = name.as_str().expect("a pending transaction");
    env.quiet(&["__expire", name, "0", "--after"]).ok();
    assert_eq!(env.running(), base);
    env.run(&["status"])
        .ok()
        .golden("status-undone-with-failed-units");
    env.processes().end();
}

#[test]
fn unwritten_commit_can_be_finished_later() {
    let env = TestEnv::new();
    let base = env.running();
    env.faulty("activator.commit:before:enospc", &["enable", "inline"])
        .ok()
        .golden("commit-unwritten");
    env.quiet(&["enable", "hello"]).ends_with(5);
    env.quiet(&["recover", "--finish"]).ok();
    assert_eq!(env.active(), ["inline"]);
    assert_ne!(env.running(), base);
}
