//! What becomes of a change that fails: which system runs afterwards, and what is said.

use serde_json::json;

use crate::support::{Ran, TestEnv};

fn quiet(env: &TestEnv, arguments: &[&str]) -> Ran {
    env.run(&[arguments, &["--progress", "off"]].concat())
}

#[test]
fn what_the_configuration_bakes_of_failed_units_holds_unless_the_command_line_says_otherwise() {
    let env = TestEnv::new();
    let base = env.running();
    // Nothing baked it: back.
    quiet(&env, &["enable", "failing-unit"]).ends_with(6);
    assert_eq!(env.running(), base);

    let keep = [("onFailedUnits", json!("keep"))];
    env.bake(&keep);
    let rollback = ["--on-failed-units", "rollback"];
    quiet(&env, &[&["enable", "failing-unit"][..], &rollback].concat()).ends_with(6);
    assert_eq!((env.running(), env.active()), (base.clone(), vec![]));

    env.bake(&keep);
    quiet(&env, &["enable", "failing-unit"])
        .ends_with(7)
        .golden("failing-unit-kept");
    assert_eq!(env.active(), ["failing-unit"]);
    assert_ne!(env.running(), base);
    assert_eq!(env.unit("failing.service").as_deref(), Some("failed"));
    let history = env.json(&["history"]);
    let last = history["transactions"]
        .as_array()
        .and_then(|all| all.last());
    assert_eq!(last.expect("one")["outcome"], "units-failed", "{history:#}");
    quiet(&env, &["reset"]).ok();
    assert_eq!(env.running(), base);
}

#[test]
fn a_switch_program_that_does_nothing_and_says_that_all_is_well_is_not_believed() {
    let place = "[ \"$action\" != boot ] || exit 0\n";
    let idle = "[ ! -e \"$root/idle\" ] || exit 0\n";
    let env = TestEnv::fixture()
        .edit("activation/switch-to-configuration.sh", |text| {
            text.replacen(place, &format!("{place}{idle}"), 1)
        })
        .start("box");
    let base = env.running();
    std::fs::write(env.root("idle"), "").expect("a file");
    quiet(&env, &["enable", "inline"])
        .ends_with(5)
        .golden("switch-idle");
    assert_eq!((env.running(), env.active()), (base, vec![]));
    assert!(env.state()["pending"].is_null(), "{:#}", env.state());
    std::fs::remove_file(env.root("idle")).expect("removed");
    quiet(&env, &["enable", "inline"]).ok();
}

#[test]
fn a_failed_activation_returns_to_the_very_specialisation_that_ran() {
    let hello = "modules.hello = ../runtime/hello.nix;";
    let failing = "modules.failing-activation = ../runtime/failing-activation.nix;";
    let env = TestEnv::fixture()
        .edit("hosts/spec.nix", |text| {
            text.replacen(hello, &format!("{hello}\n    {failing}"), 1)
        })
        .start("spec");
    quiet(&env, &["enable", "hello"]).ok();
    let travel = env.running().join("specialisation/travel");
    let travel = travel.canonicalize().expect("a specialisation");
    // One that is ours, and one that somebody else has just switched to.
    for ours in [true, false] {
        let switch = travel.join("bin/switch-to-configuration");
        let mut switch = env.other(switch);
        let switched = switch.arg("test").output().expect("it ran");
        assert!(switched.status.success(), "{switched:?}");
        if ours {
            quiet(&env, &["apply"]).ok();
            assert_eq!(env.state()["pin"]["specialisation"], "travel");
        }
        assert_eq!(env.running(), travel);
        let ran = quiet(&env, &["enable", "failing-activation"]).ends_with(6);
        assert_eq!(env.running(), travel, "ours: {ours}");
        assert_eq!(env.etc("motd").as_deref(), Some("On the way.\n"));
        assert_eq!(env.unit("hello.service").as_deref(), Some("active"));
        assert!(env.state()["pending"].is_null(), "{:#}", env.state());
        let history = env.json(&["history"]);
        let last = history["transactions"]
            .as_array()
            .and_then(|all| all.last());
        let last = last.expect("one");
        assert_eq!(last["outcome"], "returned", "{history:#}");
        assert_eq!(last["from"], travel.display().to_string(), "{history:#}");
        if ours {
            ran.golden("failing-activation-of-a-specialisation");
            assert_eq!(env.active(), ["hello"]);
            assert_eq!(env.state()["pin"]["specialisation"], "travel");
            // And out of it again, for somebody else to come.
            quiet(&env, &["apply", "--specialisation", ""]).ok();
            assert_ne!(env.running(), travel);
        } else {
            // What is known of ours is not forgotten: it is still the specialisation that is meant.
            quiet(&env, &["apply"]).ok();
            assert_eq!(
                (env.running(), env.active()),
                (travel.clone(), vec!["hello".into()])
            );
        }
    }
}
