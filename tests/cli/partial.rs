//! Overrides that are applied without a new toplevel.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{TestEnv, nix};

const MOTD: &str = "environment.etc.motd.text";
const COLOUR: &str = "systemd.services.heartbeat.environment.COLOUR";
const UNIT: &str = "run/systemd/system.control/heartbeat.service";

/// Returns a machine whose base has been compared with its source.
fn env() -> TestEnv {
    let env = TestEnv::new();
    env.run(&["enable", "hello"]).ok();
    env
}

impl TestEnv {
    fn set(&self, option: &str, value: &str) -> crate::support::Ran {
        self.run(&["set", option, &json!(value).to_string()])
    }

    /// Returns the content of the unit file that replaces the heartbeat service.
    fn runtime_unit(&self) -> Option<String> {
        fs::read_to_string(self.root(UNIT)).ok()
    }

    fn collect_garbage(&self, nix: &Path) {
        let mut collect = self.other(nix);
        collect
            .args(["--extra-experimental-features", "nix-command"])
            .args(["store", "gc", "--store", &self.store()]);
        let done = collect.output().expect("nix");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
    }

    fn verification(&self) -> Value {
        self.state()["verification"]["result"]["kind"].clone()
    }
}

#[test]
fn unit_is_replaced_without_a_new_toplevel() {
    let env = env();
    let toplevel = env.running();
    env.set(COLOUR, "red").ok().golden("partial-set");
    assert_eq!(env.running(), toplevel);
    let text = env.runtime_unit().expect("a unit file");
    assert!(text.contains("Environment=\"COLOUR=red\"\n"), "{text}");
    env.run(&["status"]).ok().golden("partial-status");

    // The whole toplevel has the same unit.
    let done = env.json(&["overrides", "verify"]);
    assert_eq!(done["result"], "same", "{done}");
    let whole = Path::new(done["toplevel"].as_str().expect("a toplevel"));
    let built = fs::read_to_string(whole.join("etc/systemd/system/heartbeat.service"));
    assert_eq!(built.expect("a unit"), text);
    assert_eq!(env.verification(), "same");
    assert_eq!(env.running(), toplevel);

    env.run(&["unset", COLOUR]).ok().golden("partial-unset");
    assert_eq!((env.runtime_unit(), env.running()), (None, toplevel));
    assert_eq!(env.state().get("runtime"), None);
}

#[test]
fn etc_entry_is_replaced_by_a_link() {
    let env = env();
    let toplevel = env.running();
    env.set(MOTD, "one\n").ok();
    assert_eq!(env.etc("motd").as_deref(), Some("one\n"));
    assert_eq!(env.running(), toplevel);
    env.set(MOTD, "two\n").ok();
    assert_eq!(env.etc("motd").as_deref(), Some("two\n"));
    assert_eq!(env.json(&["overrides", "verify"])["result"], "same");
    env.run(&["overrides", "reset"]).ok();
    assert_eq!(env.etc("motd").as_deref(), Some("Welcome to minios.\n"));
    assert_eq!(env.running(), toplevel);
}

#[test]
fn preview_shows_the_difference_of_each_file() {
    let env = env();
    env.set(MOTD, "one\n").ok();
    let before = env.everything();
    env.run(&["set", COLOUR, "\"red\"", MOTD, "\"two\\n\"", "--dry-run"])
        .ok()
        .golden("partial-dry-run");
    before.is_still(&env.everything());
}

#[test]
fn whole_toplevel_is_made_if_parts_are_not_enough() {
    let env = env();
    let toplevel = env.running();
    // The program has no guess for this option.
    env.run(&[
        "set",
        "boot.kernelParams",
        "[\"quiet\"]",
        "--merge",
        "--allow",
        "space",
    ])
    .ok();
    assert_ne!(env.running(), toplevel);
    let toplevel = env.running();
    // Another target would start the service.
    let wanted = r#"["other.target"]"#;
    env.run(&[
        "set",
        "--merge",
        "systemd.services.heartbeat.wantedBy",
        wanted,
    ])
    .ok()
    .golden("partial-whole-wanted-by");
    assert_ne!(env.running(), toplevel);
    let toplevel = env.running();
    env.run(&["set", COLOUR, "\"red\"", "--full"]).ok();
    assert_ne!(env.running(), toplevel);
    assert_eq!(env.runtime_unit(), None);
}

#[test]
fn first_change_of_a_boot_makes_a_whole_toplevel() {
    let env = TestEnv::new();
    let base = env.running();
    fs::remove_dir_all(env.root("run/runtime-modules")).expect("an empty /run");
    env.set(COLOUR, "red").ok().golden("partial-first");
    assert_ne!(env.running(), base);
}

#[test]
fn rollback_needs_no_evaluation() {
    let env = env();
    let toplevel = env.running();
    env.set(COLOUR, "red").ok();
    let red = env.runtime_unit();
    env.set(COLOUR, "blue").ok();
    let blue = env.runtime_unit();
    let rolled_back = env.json(&["overrides", "rollback"]);
    assert_eq!(rolled_back.get("counters"), None, "{rolled_back}");
    assert_eq!(env.runtime_unit(), red);
    env.run(&["rollback"]).ok();
    assert_eq!(env.runtime_unit(), blue);
    env.run(&["rollback", "2"]).ok();
    assert_eq!((env.runtime_unit(), env.running()), (None, toplevel));
}

#[test]
fn modules_and_partial_changes_are_independent() {
    let env = env();
    env.set(COLOUR, "red").ok();
    env.run(&["enable", "web"]).ok();
    // The new toplevel contains the override, so the unit file was removed.
    assert_eq!(env.runtime_unit(), None);
    let unit = env.running().join("etc/systemd/system/heartbeat.service");
    assert!(
        fs::read_to_string(unit)
            .expect("a unit")
            .contains("COLOUR=red")
    );
    // A rollback restores the previous toplevel with its runtime files.
    env.run(&["rollback"]).ok();
    let text = env.runtime_unit().expect("a unit file");
    assert!(text.contains("COLOUR=red"), "{text}");
    assert_eq!(env.active(), ["hello"]);
}

#[test]
fn verification_finishes_an_incomplete_change() {
    let env = env();
    let toplevel = env.running();
    // `--units` replaces the guess and names only one of both parts, so the change is incomplete.
    env.run(&[
        "set",
        MOTD,
        "\"one\\n\"",
        COLOUR,
        "\"red\"",
        "--units",
        "heartbeat.service",
    ])
    .ok();
    assert_eq!(env.running(), toplevel);
    assert_eq!(env.etc("motd").as_deref(), Some("Welcome to minios.\n"));
    assert_eq!(env.verification(), "waiting");
    env.run(&["overrides", "verify"])
        .ok()
        .golden("partial-finished");
    assert_ne!(env.running(), toplevel);
    assert_eq!(env.etc("motd").as_deref(), Some("one\n"));
    assert_eq!(
        (env.runtime_unit(), env.state().get("verification")),
        (None, None)
    );
}

#[test]
fn larger_guess_applies_only_what_differs() {
    let env = env();
    let units = "heartbeat.service,prepare.service,hello.service";
    env.run(&["set", COLOUR, "\"red\"", "--units", units]).ok();
    let files = env.state()["runtime"]["units"].clone();
    let names: Vec<&String> = files.as_object().expect("units").keys().collect();
    assert_eq!(names, ["heartbeat.service"]);
    assert_eq!(env.json(&["overrides", "verify"])["result"], "same");
}

#[test]
fn change_without_effect_on_the_guess_is_verified() {
    let env = env();
    let toplevel = env.running();
    env.run(&["set", MOTD, "\"one\\n\"", "--units", "heartbeat.service"])
        .ok()
        .golden("partial-no-file");
    assert_eq!(
        (env.running(), env.verification()),
        (toplevel, json!("waiting"))
    );
    env.run(&["status"]).ok().golden("partial-no-file-status");
    assert_eq!(env.json(&["overrides", "verify"])["result"], "finished");
    assert_eq!(env.etc("motd").as_deref(), Some("one\n"));
}

#[test]
fn verification_can_come_first() {
    let env = env();
    let toplevel = env.running();
    let done = env.json(&["set", COLOUR, "\"red\"", "--verify", "wait"]);
    let result = &done["partial"]["verification"]["result"]["kind"];
    assert_eq!(result, "same", "{done}");
    assert_eq!(
        (env.verification(), env.running()),
        ("same".into(), toplevel)
    );
    // If the change is incomplete, the whole toplevel is activated instead.
    let units = ["--units", "heartbeat.service", "--verify", "wait"];
    let arguments = [&["set", MOTD, "\"one\\n\""][..], &units].concat();
    env.run(&arguments).ok().golden("partial-verified-first");
    assert_eq!(env.etc("motd").as_deref(), Some("one\n"));
    assert_eq!(
        (env.runtime_unit(), env.verification()),
        (None, Value::Null)
    );
}

#[test]
fn incomplete_change_is_undone_if_configured() {
    let env = env();
    env.bake(&[("onMismatch", json!("undo"))]);
    env.set(COLOUR, "red").ok();
    env.run(&["overrides", "verify"]).ok();
    let red = env.runtime_unit();
    let toplevel = env.running();
    env.run(&["set", MOTD, "\"one\\n\"", "--units", "heartbeat.service"])
        .ok();
    env.run(&["overrides", "verify"])
        .ok()
        .golden("partial-undone");
    assert_eq!((env.runtime_unit(), env.running()), (red, toplevel));
    assert_eq!(env.etc("motd").as_deref(), Some("Welcome to minios.\n"));
    let list = env.json(&["overrides"]);
    assert_eq!(
        list["overrides"].as_array().map(Vec::len),
        Some(1),
        "{list}"
    );
    assert_eq!(env.verification(), "same");
}

#[test]
fn override_that_breaks_an_assertion_is_undone() {
    let env = TestEnv::fixture().edit("hosts/common.nix", |text| {
        let assertion = "assertions = [ { assertion = (config.systemd.services.heartbeat.environment.COLOUR or null) != \"red\"; message = \"never red\"; } ];";
        text.replace("{ lib, ... }:\n{", &format!("{{ config, lib, ... }}:\n{{\n  {assertion}"))
    });
    let env = env.start("box");
    env.run(&["enable", "hello"]).ok();
    env.set(COLOUR, "red").ok();
    assert!(env.runtime_unit().is_some());
    env.run(&["overrides", "verify"])
        .ok()
        .golden("partial-assertion");
    assert_eq!(
        (env.runtime_unit(), env.verification()),
        (None, Value::Null)
    );
    assert_eq!(env.json(&["overrides"])["overrides"], json!([]));
}

#[test]
fn learned_effect_is_used_for_the_next_change() {
    let env = env();
    env.set(MOTD, "one\n").ok();
    env.run(&["overrides", "verify"]).ok();
    let effects = crate::support::read_json(&env.root("run/runtime-modules/effects.json"));
    assert_eq!(
        effects["options"][MOTD],
        json!({"parts": {"units": [], "etc": ["motd"]}, "whole": false})
    );
    // The program also records that an option changes more than units and files.
    let parameters = ["set", "--merge", "boot.kernelParams", "[\"x=1\"]"];
    let units = ["--units", "heartbeat.service"];
    env.run(&[&parameters[..], &units].concat()).ok();
    env.run(&["overrides", "verify"]).ok();
    let effects = crate::support::read_json(&env.root("run/runtime-modules/effects.json"));
    assert_eq!(effects["options"]["boot.kernelParams"]["whole"], true);
}

#[test]
fn plan_for_an_old_revision_is_refused() {
    let env = env();
    env.set(COLOUR, "red").ok();
    // Another change increments the revision, so a plan for the old revision is refused.
    let mut command = env.command(["set", COLOUR, "\"blue\""]);
    command.env("RUNTIME_MODULE_FAULT", "client.request:before:stop");
    let running = env.start_running(command);
    let processes = env.processes().since(running.pid());
    let stopped = processes.wait_for_stop(running.pid()).expect("a stop");
    env.set(COLOUR, "green").ok();
    unix::sys::signal::kill(stopped, unix::sys::signal::Signal::SIGCONT).expect("continued");
    running.end().ends_with(5);
    assert!(env.runtime_unit().expect("a unit").contains("COLOUR=green"));
}

#[test]
fn garbage_collection_keeps_what_a_change_needs() {
    let Some(nix) = nix("garbage_collection_keeps_what_a_change_needs") else {
        return;
    };
    let env = env();
    let mut command = env.command(["set", MOTD, "\"one\\n\""]);
    command.env("RUNTIME_MODULE_FAULT", "activator.root:before:stop");
    let running = env.start_running(command);
    let processes = env.processes().since(running.pid());
    let stopped = processes.wait_for_stop(running.pid()).expect("a stop");
    // The client protects the new entry until the activator has its own GC root.
    env.collect_garbage(&nix);
    unix::sys::signal::kill(stopped, unix::sys::signal::Signal::SIGCONT).expect("continued");
    running.end().ok();
    assert_eq!(env.etc("motd").as_deref(), Some("one\n"));
    env.collect_garbage(&nix);
    assert_eq!(env.etc("motd").as_deref(), Some("one\n"));
}

#[test]
fn failed_write_restores_the_old_files() {
    let env = env();
    env.set(COLOUR, "red").ok();
    let (red, state) = (env.runtime_unit(), env.state());
    for fault in [
        "write.unit:before:enospc",
        "write.unit:before:short=10",
        "activator.replace-files:after:eio",
    ] {
        env.faulty(fault, &["set", COLOUR, "\"blue\"", MOTD, "\"one\\n\""])
            .ends_with(6);
        assert_eq!(env.runtime_unit(), red, "{fault}");
        assert_eq!(
            env.etc("motd").as_deref(),
            Some("Welcome to minios.\n"),
            "{fault}"
        );
        assert_eq!(env.state()["overrides"], state["overrides"], "{fault}");
    }
}

#[test]
fn interrupted_change_goes_to_one_of_both_generations() {
    let env = env();
    env.set(COLOUR, "red").ok();
    let red = env.runtime_unit();
    for point in [
        "stop-units",
        "replace-files",
        "reload-systemd",
        "start-units",
    ] {
        for (arguments, expected) in [
            (&["recover"][..], "red"),
            (&["recover", "--finish"], "blue"),
        ] {
            let fault = format!("activator.{point}:after");
            env.faulty(&fault, &["set", COLOUR, "\"blue\""])
                .ends_with(8);
            env.run(arguments).ok();
            let unit = env.runtime_unit().expect("a unit");
            assert!(
                unit.contains(&format!("COLOUR={expected}\"")),
                "{point}: {unit}"
            );
            env.set(COLOUR, "red").ok();
            assert_eq!(env.runtime_unit(), red);
        }
    }
}

#[test]
fn external_switch_removes_the_files() {
    let env = env();
    let hello = env.running();
    env.run(&["reset"]).ok();
    env.run(&["set", COLOUR, "\"red\"", MOTD, "\"one\\n\""])
        .ok();
    assert!(env.runtime_unit().is_some());
    env.switch_by_hand(&hello);
    // The activation script of the NixOS module does this.
    env.run(&["__switched", &hello.display().to_string()]).ok();
    assert_eq!(env.runtime_unit(), None);
    assert_eq!(env.etc("motd").as_deref(), Some("Welcome to minios.\n"));
    env.run(&["status"]).ok().golden("partial-external-switch");
}
