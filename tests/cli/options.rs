//! Global options, in runs that succeed and runs that fail.

use std::fs;

use crate::support::{TestEnv, strings};

#[test]
fn every_result_is_one_json_document() {
    let env = TestEnv::fixture();
    let flake = env.flake();
    env.run(&["apply", "--flake", &flake, "--host", "box", "--json"])
        .ok()
        .golden("json-apply");
    env.run(&["enable", "hello", "--json", "--dry-run"])
        .ok()
        .golden("json-dry-run");
    env.run(&["enable", "inline", "--json"])
        .ok()
        .golden("json-enable");
    env.run(&["enable", "inline", "--json"])
        .ok()
        .golden("json-nothing-to-do");
    env.run(&["disable", "inline", "--json"]).ok().json();
    env.run(&["rebuild", "--flake", &flake, "--json"])
        .ok()
        .json();
    env.run(&["reset", "--json"]).ok().json();
    // Failed commands also print one document.
    env.run(&["enable", "helo", "-j"])
        .ends_with(2)
        .golden("json-unknown-module");
    env.run(&["enable", "type-error", "--json"])
        .ends_with(3)
        .golden("json-type-error");
    env.run(&["enable", "failing-unit", "--json"])
        .ends_with(6)
        .golden("json-failing-unit");
    env.run(&["enable", "failing-activation", "--json"])
        .ends_with(6)
        .json();
    env.run(&["rebuild", "--json", "--flake", "./nowhere"])
        .ends_with(3)
        .json();
    for wrong in [
        &["--json"][..],
        &["enable", "-j"],
        &["enable", "--json", "--nonsense"],
        &["nonsense", "--json"],
    ] {
        let document = env.run(wrong).ends_with(2).json();
        assert_eq!(document["error"]["kind"], "usage", "{wrong:?}: {document}");
    }
    env.run(&["status", "--json", "--progress", "sideways"])
        .ends_with(2)
        .golden("json-wrong-usage");
}

#[test]
fn wrong_usage_is_explained() {
    let env = TestEnv::fixture();
    env.run(&[]).ends_with(2).golden("usage-nothing");
    env.run(&["enable"])
        .ends_with(2)
        .golden("usage-enable-nothing");
    env.run(&["enabel", "hello"])
        .ends_with(2)
        .golden("usage-unknown-command");
    env.run(&["status", "--flaek", "x"])
        .ends_with(2)
        .golden("usage-unknown-option");
    env.run(&["list", "--override-input", "one"])
        .ends_with(2)
        .golden("usage-one-value-of-two");
}

#[test]
fn help_and_version_succeed() {
    let env = TestEnv::fixture();
    let run = |arguments: &[&str]| {
        let mut command = env.command(arguments);
        // The help text would show the value of this variable.
        command.env_remove("RUNTIME_MODULE_STORE");
        env.start_running(command).end()
    };
    run(&["--version"]).ok().golden("version");
    assert_eq!(run(&["-V"]).ok().stdout, run(&["--version"]).ok().stdout);
    run(&["--help"]).ok().golden("help");
    run(&["enable", "--help"]).ok().golden("help-enable");
    assert!(!run(&["-h"]).ok().stdout.contains("__evaluate"));
}

#[test]
fn another_host_can_be_selected() {
    let env = TestEnv::new();
    let flake = env.flake();
    env.run(&["apply", "--host", "other-kernel"])
        .ok()
        .golden("apply-another-host");
    assert_eq!(env.state()["pin"]["host"], "other-kernel");
    env.run(&["apply", "--host", "bx"])
        .ends_with(2)
        .golden("unknown-host");
    env.run(&["apply", "--flake", &flake, "--host", "server"])
        .ends_with(2)
        .golden("unknown-host-of-a-flake");
    assert_eq!(env.state()["pin"]["host"], "other-kernel");
}

#[test]
fn another_flake_moves_the_pin_and_keeps_modules() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    let before = env.state()["pin"]["locked"].clone();
    let motd = env.fixture_path("hosts/common.nix");
    let text = fs::read_to_string(&motd).expect("read");
    fs::write(
        &motd,
        text.replace("Welcome to minios.", "Welcome to another day."),
    )
    .expect("written");
    let flake = env.flake();
    // A relative path is resolved from the current directory.
    env.run(&["apply", "--flake", "./source?dir=tests/minios"])
        .ok()
        .golden("apply-another-flake");
    assert_ne!(env.state()["pin"]["locked"], before);
    assert_eq!(
        (env.etc("motd").as_deref(), env.active()),
        (
            Some("Welcome to another day.\n"),
            vec!["inline".to_string()]
        )
    );
    env.run(&["enable", "hello", "--flake", &flake, "--host", "box"])
        .ok();
    assert_eq!(env.active(), ["inline", "hello"]);
}

/// Starts a machine whose flake has an unlocked input: the folder `greeting`. The module `web`
/// shows the content of this input. The folder `other` can replace it.
fn with_input() -> TestEnv {
    let env = TestEnv::fixture();
    let place = env.path("");
    let text = |folder: &str, text: &str| {
        fs::create_dir_all(place.join(folder)).expect("a folder");
        fs::write(place.join(folder).join("text"), text).expect("written");
    };
    text("greeting", "Hello.\n");
    text("other", "Good morning.\n");
    let input = format!(
        "inputs.greeting = {{ url = \"path:{}\"; flake = false; }};",
        env.path("greeting").display()
    );
    env.edit("flake.nix", |text| {
            text.replace("  outputs =\n    { self, ... }:", &format!("  {input}\n  outputs =\n    {{ self, greeting, ... }}:"))
                .replace("specialArgs = { inherit self; };", "specialArgs = { inherit self greeting; };")
        })
        .module(
            "web",
            "{ greeting, ... }: { environment.etc.greeting.text = builtins.readFile (greeting + \"/text\"); }",
        )
        .start("box")
}

#[test]
fn overridden_input_stays_with_the_pin() {
    let env = with_input();
    env.run(&["enable", "web"]).ok();
    assert_eq!(env.etc("greeting").as_deref(), Some("Hello.\n"));
    env.run(&["apply", "--override-input", "greeting", "path:./other"])
        .ok();
    assert_eq!(env.etc("greeting").as_deref(), Some("Good morning.\n"));
    // The next run starts in another directory.
    let mut command = env.command(["enable", "hello"]);
    command.current_dir("/");
    env.start_running(command).end().ok();
    assert_eq!(env.etc("greeting").as_deref(), Some("Good morning.\n"));
    env.run(&["status"]).ok().golden("status-override-input");
    env.run(&[
        "enable",
        "inline",
        "--override-input",
        "greeting",
        "path:./nowhere",
    ])
    .ends_with(3)
    .golden("override-input-nowhere");
    // Removing the folder does not affect the pin.
    fs::remove_dir_all(env.path("other")).expect("removed");
    env.run(&["disable", "hello"]).ok();
    assert_eq!(env.etc("greeting").as_deref(), Some("Good morning.\n"));
}

#[test]
fn unlocked_input_is_pinned_by_first_transaction() {
    let env = with_input();
    env.run(&["enable", "web"]).ok();
    fs::write(env.path("greeting/text"), "Good evening.\n").expect("written");
    env.run(&["enable", "hello"]).ok();
    assert_eq!(env.etc("greeting").as_deref(), Some("Hello.\n"));
    // Locking the flake again fetches the current content.
    let flake = env.flake();
    env.run(&["apply", "--flake", &flake, "--host", "box"]).ok();
    assert_eq!(env.etc("greeting").as_deref(), Some("Good evening.\n"));
    fs::remove_dir_all(env.path("greeting")).expect("removed");
    env.run(&["disable", "hello"]).ok();
    assert_eq!(env.etc("greeting").as_deref(), Some("Good evening.\n"));
}

#[test]
fn impure_evaluation_sees_the_environment() {
    let env = TestEnv::fixture()
        .module(
            "web",
            r#"{ environment.etc.seen.text = "seen: ${builtins.getEnv "SEEN"}\n"; }"#,
        )
        .module(
            "users",
            r#"{ environment.etc.seen.text = builtins.readFile /etc/hostname; }"#,
        )
        .start("box");
    let run = |arguments: &[&str]| {
        let mut command = env.command(arguments);
        command.env("SEEN", "everything");
        env.start_running(command).end()
    };
    run(&["enable", "web"]).ok();
    assert_eq!(env.etc("seen").as_deref(), Some("seen: \n"));
    run(&["apply", "--force", "--impure"])
        .ok()
        .golden("apply-impure");
    assert_eq!(env.etc("seen").as_deref(), Some("seen: everything\n"));
    run(&["enable", "users"]).ends_with(3).golden("not-pure");
}

#[test]
fn nix_settings_can_be_set() {
    let env = TestEnv::new();
    env.run(&[
        "enable",
        "inline",
        "--option",
        "max-call-depth",
        "3",
        "--dry-run",
    ])
    .ends_with(3)
    .golden("option-max-call-depth");
    env.run(&["enable", "inline", "--option", "max-call-depth", "9000"])
        .ok();
    env.run(&["enable", "hello", "--option", "no-such-setting", "1"])
        .ends_with(2)
        .golden("option-unknown");
    env.run(&["enable", "hello", "--option", "max-jobs", "many"])
        .ends_with(2)
        .golden("option-wrong-value");
    // The setting `timeout` affects the build.
    env.run(&["enable", "ten-minutes", "--option", "timeout", "1"])
        .ends_with(4)
        .golden("option-timeout");
}

#[test]
fn another_store_can_be_selected() {
    let env = TestEnv::fixture();
    let flake = env.flake();
    let at = |name: &str| env.path(name).display().to_string();
    let store = format!(
        "local?store={}&state={}&log={}",
        at("other-store"),
        at("other-state"),
        at("other-log")
    );
    env.run(&[
        "apply", "--flake", &flake, "--host", "box", "--store", &store,
    ])
    .ok();
    assert!(
        env.running().starts_with(env.path("other-store")),
        "{}",
        env.running().display()
    );
    assert!(!env.path("store").exists());
    let third = at("third");
    env.run(&["enable", "inline", "--dry-run", "--store", &third])
        .ends_with(5)
        .golden("store-another");
    env.run(&["enable", "inline", "--store", "nonsense://x"])
        .ends_with(5)
        .golden("store-unknown");
    let nobody = format!("unix://{}", at("no-daemon"));
    env.run(&["enable", "inline", "--store", &nobody])
        .ends_with(5)
        .golden("store-no-daemon");
}

#[test]
fn show_trace_prints_the_full_trace() {
    let env = TestEnv::new();
    let short = env.run(&["enable", "infinite-recursion"]).ends_with(3);
    assert!(!short.stderr.contains("while "), "{}", short.stderr);
    let long = env
        .run(&["enable", "infinite-recursion", "--show-trace"])
        .ends_with(3);
    assert!(
        long.stderr
            .lines()
            .filter(|line| line.contains("while "))
            .count()
            > 3,
        "{}",
        long.stderr
    );
    assert!(!long.stderr.contains("--show-trace"), "{}", long.stderr);
}

#[test]
fn verbose_prints_evaluation_traces() {
    let env = TestEnv::fixture()
        .module(
            "web",
            r#"{ environment.etc.traced.text = builtins.trace "here we are" "x"; }"#,
        )
        .start("box");
    let ran = env.run(&["enable", "web", "-vvv", "--dry-run"]).ok();
    assert!(ran.stderr.contains("here we are"), "{}", ran.stderr);
    env.run(&["enable", "web", "-v", "-v", "--verbose", "--dry-run"])
        .ok();
}

#[test]
fn low_memory_builds_the_same_system() {
    let env = TestEnv::new();
    let plenty = env.json(&["enable", "hello", "--dry-run"]);
    let low = env.json(&["enable", "hello", "--dry-run", "--low-memory", "--no-cache"]);
    assert_eq!(plenty["drv"], low["drv"]);
    assert_eq!(low["counters"]["initialHeapBytes"], 0);
    assert_eq!(strings(&low["modules"]), ["hello"]);
}
