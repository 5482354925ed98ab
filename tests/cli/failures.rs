//! The complete message and exit code of every refusal and failure of an activation.
//!
//! The fixture's switch program runs two scripts of the test: `early` once it holds its lock, and
//! `late` before it exits. Both systems have the same switch program, so a rollback fails in the
//! same way.

use std::fs;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{PROGRAM_IN_SHELL, Ran, TestEnv, compare, has, skip};

/// Starts a machine whose switch program runs the scripts written by [`says`].
pub(super) fn obedient() -> TestEnv {
    let place = "[ \"$action\" != boot ] || exit 0\n";
    let early = "[ ! -e \"$root/early\" ] || . \"$root/early\"\n";
    let late = "[ ! -e \"$root/late\" ] || . \"$root/late\"\nexit $status\n";
    TestEnv::fixture()
        .edit("activation/switch-to-configuration.sh", |text| {
            text.replacen(place, &format!("{place}{early}"), 1)
                .replacen("exit $status\n", late, 1)
        })
        .start("box")
}

pub(super) fn says(env: &TestEnv, when: &str, script: &str) {
    fs::write(env.root(when), script).expect("a script");
}

/// Checks that nothing changed.
fn is_as_before(env: &TestEnv, base: &Path) {
    assert_eq!(env.running(), base);
    assert_eq!(env.active(), Vec::<String>::new());
    assert!(env.state()["pending"].is_null(), "{:#}", env.state());
}

#[test]
fn early_switch_failure_changes_nothing() {
    let env = obedient();
    let base = env.running();
    for (name, script) in [
        // The exit code of NixOS's Perl switch program without D-Bus.
        (
            "255",
            "say 'Failed to connect to bus: No such file or directory'; exit 255",
        ),
        ("11", "say 'Could not acquire lock'; exit 11"),
        (
            "100",
            "say 'Warning: do not know how to make this configuration bootable'; exit 100",
        ),
        ("1", "say 'Pre-switch checks failed'; exit 1"),
        ("killed", "say 'about to begin'; kill -9 $$"),
    ] {
        says(&env, "early", script);
        let code = if name == "100" { 9 } else { 5 };
        env.quiet(&["enable", "inline"])
            .ends_with(code)
            .golden(&format!("switch-before-{name}"));
        is_as_before(&env, &base);
        let history = env.json(&["history"]);
        let last = history["transactions"]
            .as_array()
            .and_then(|all| all.last());
        assert_eq!(last.expect("one")["outcome"], "unchanged", "{history:#}");
    }
    fs::remove_file(env.root("early")).expect("removed");
    env.run(&["enable", "inline"]).ok();
}

#[test]
fn late_switch_failure_is_rolled_back() {
    let env = obedient();
    let base = env.running();
    for (name, script) in [
        ("2", "exit 2"),
        ("3", "say 'Failed to reload systemd'; exit 3"),
        ("77", "say 'something else'; exit 77"),
        ("101", "say \"thread 'main' panicked\"; exit 101"),
        ("killed", "kill -9 $$"),
    ] {
        // The script removes itself, so that the rollback succeeds.
        says(&env, "late", &format!("rm \"$root/late\"; {script}"));
        env.quiet(&["enable", "inline"])
            .ends_with(6)
            .golden(&format!("switch-after-{name}"));
        is_as_before(&env, &base);
    }
}

#[test]
fn concurrent_external_switch_is_kept() {
    for (when, script, name) in [
        ("late", "exit 0", "switch-after-elsewhere"),
        ("late", "exit 3", "switch-failed-elsewhere"),
        // Another process holds the switch lock and switches the system.
        (
            "early",
            "say 'Could not acquire lock'; exit 11",
            "switch-before-elsewhere",
        ),
    ] {
        let env = obedient();
        let switch = "ln -sfn /nix/store/another \"$root/run/current-system\"";
        says(&env, when, &format!("{switch}; {script}"));
        env.quiet(&["enable", "inline"]).ends_with(5).golden(name);
        let another = Path::new("/nix/store/another");
        assert_eq!(env.running(), another, "{name}");
        assert!(env.state()["pending"].is_null(), "{:#}", env.state());
        let status = env.json(&["status"]);
        assert_eq!(status["foreign"], true, "{status:#}");
    }
}

#[test]
fn skipped_checks_are_skipped_on_rollback() {
    let env = obedient();
    let base = env.running();
    let checks = env.root("checks");
    says(
        &env,
        "early",
        "echo \"${NIXOS_NO_CHECK-all}\" >> \"$root/checks\"",
    );
    let made = || {
        let made = fs::read_to_string(&checks).expect("some switch");
        fs::remove_file(&checks).expect("removed");
        made
    };
    let waiting = ["enable", "inline", "--confirm", "600s"];
    env.quiet(&waiting).ok();
    env.quiet(&["rollback"]).ok();
    assert_eq!(made(), "all\nall\n");
    let allowed = [&waiting[..], &["--allow", "pre-switch-checks"]].concat();
    env.quiet(&allowed).ok();
    let ran = env.quiet(&["rollback"]).ok();
    assert!(ran.stderr.contains("NIXOS_NO_CHECK=1"), "{}", ran.stderr);
    assert_eq!(made(), "1\n1\n");
    env.quiet(&allowed).ok();
    let name = env.state()["pending"]["transaction"].clone();
    let name = name.as_str().expect("a pending transaction");
    env.quiet(&["__expire", name, "0", "--after"]).ok();
    assert_eq!(made(), "1\n1\n");
    is_as_before(&env, &base);
    env.processes().end();
}

#[test]
fn exported_no_check_variable_is_ignored() {
    let env = obedient();
    let checks = env.root("checks");
    says(
        &env,
        "early",
        "echo \"${NIXOS_NO_CHECK-all}\" >> \"$root/checks\"",
    );
    let mut command = env.command(["enable", "inline", "--progress", "off"]);
    command.env("NIXOS_NO_CHECK", "1");
    let ran = env.start_running(command).end().ok();
    assert!(!ran.stderr.contains("NIXOS_NO_CHECK"), "{}", ran.stderr);
    let mut command = env.command(["reset", "--progress", "off"]);
    command.env("NIXOS_NO_CHECK", "1");
    env.start_running(command).end().ok();
    assert_eq!(fs::read_to_string(checks).expect("two"), "all\nall\n");
}

#[test]
fn failed_rollback_can_be_recovered() {
    let env = obedient();
    let base = env.running();
    says(&env, "late", "say 'the way is blocked'; exit 3");
    env.quiet(&["enable", "inline"])
        .ends_with(8)
        .golden("stranded");
    env.run(&["status"]).ok().golden("status-stranded");
    env.quiet(&["enable", "hello"])
        .ends_with(5)
        .golden("enable-stranded");
    env.quiet(&["recover"])
        .ends_with(8)
        .golden("recover-stranded");
    fs::remove_file(env.root("late")).expect("removed");
    says(&env, "late", "rm \"$root/late\"; exit 4");
    env.quiet(&["recover"])
        .ends_with(7)
        .golden("recover-units-failed");
    is_as_before(&env, &base);
}

#[test]
fn unusable_switch_program_is_refused() {
    let missing = r#"{ lib, pkgs, ... }: {
  system.build.toplevel = lib.mkForce (pkgs.runCommand "nixos-system-half" { } ''
    mkdir -p $out/bin
    for name in activate etc init-interface-version nixos-version sw; do touch $out/$name; done
  '');
}"#;
    let broken = missing.replace(
        "\n  '');",
        "\n    echo '#!/nowhere/sh' > $out/bin/switch-to-configuration\n    chmod +x $out/bin/switch-to-configuration\n  '');",
    );
    let half = missing.replace("etc init-interface-version", "");
    let env = TestEnv::fixture()
        .module("hello", missing)
        .module("web", &broken)
        .module("users", &half)
        .start("box");
    let base = env.running();
    for (module, name) in [
        ("hello", "system-without-a-switch"),
        ("users", "system-incomplete"),
        ("web", "switch-not-started"),
    ] {
        env.quiet(&["enable", module]).ends_with(5).golden(name);
        is_as_before(&env, &base);
    }
}

#[test]
fn recover_reports_each_special_case() {
    let env = TestEnv::new();
    let base = env.running();
    let state = env.root("run/runtime-modules/state.json");
    let interrupt = |step: &str, from: Value| {
        let mut value = env.state();
        value["pending"] = json!({
            "transaction": "1-1", "purpose": "enable inline", "step": step,
            "from": from, "to": "/nix/store/another", "store": env.store(),
        });
        fs::write(&state, value.to_string()).expect("written");
    };
    let from = json!(base.display().to_string());
    interrupt("checking", from.clone());
    env.quiet(&["recover"]).ok().golden("recover-checking");
    // The interrupted change was the first one, so no system was running before it.
    fs::remove_file(env.root("run/current-system")).expect("removed");
    interrupt("switching", Value::Null);
    env.quiet(&["recover"])
        .ends_with(5)
        .golden("recover-from-nowhere");
    symlink(&base, env.root("run/current-system")).expect("linked");
    interrupt("switching", from);
    env.quiet(&["recover", "--finish"])
        .ends_with(5)
        .golden("recover-to-what-is-gone");
    env.switch_by_hand(Path::new("/nix/store/foreign"));
    env.quiet(&["recover"]).ok().golden("recover-superseded");
    assert!(env.state()["pending"].is_null());
}

#[test]
fn failed_state_writes_are_reported() {
    let env = TestEnv::new();
    let run = env.root("run/runtime-modules");
    for (fault, name) in [
        ("write.request:before:enospc", "no-space-for-the-request"),
        ("write.state:before:enospc", "no-space-for-the-state"),
        ("write.state:before:eio", "disk-broken"),
    ] {
        let mut command = env.command(["enable", "inline", "--progress", "off"]);
        command.env("RUNTIME_MODULE_FAULT", fault);
        let ran = env.start_running(command).end();
        assert_ne!(ran.code, 0, "{}", ran.text());
        ran.golden(name);
        assert!(env.state()["pending"].is_null());
    }
    // A change succeeds even if the name of the lock's holder cannot be written.
    let mut command = env.command(["enable", "folder"]);
    command.env("RUNTIME_MODULE_FAULT", "write.lock:before:enospc");
    env.start_running(command).end().ok();
    let elsewhere = env.path("elsewhere");
    fs::rename(&run, &elsewhere).expect("moved");
    symlink(&elsewhere, &run).expect("linked");
    env.quiet(&["enable", "inline"])
        .ends_with(5)
        .golden("folder-is-a-link");
}

/// Runs the program with another file system mounted on a folder, in a mount namespace. Returns
/// nothing if the test is skipped.
fn mounted(test: &str, env: &TestEnv, mount: &str, arguments: &str) -> Option<Ran> {
    if !has(test, "unshare") {
        return None;
    }
    let script = format!("{mount} && exec {PROGRAM_IN_SHELL} {arguments} --progress off");
    let mut command = env.other("unshare");
    command.args(["--mount", "--propagation=private", "sh", "-c", &script]);
    let probe = env.other("unshare").args(["--mount", "true"]).output();
    if !probe.is_ok_and(|done| done.status.success()) {
        skip(test, "only root can mount file systems here");
        return None;
    }
    Some(env.start_running(command).end())
}

/// Masks the amount of free space, which depends on the layout of files.
fn sized(text: &str) -> String {
    let free = regex::Regex::new(r"[\d.]+ [kM]B is free").expect("a rule");
    free.replace_all(text, "<n> is free").into_owned()
}

#[test]
fn full_or_read_only_state_is_reported() {
    let test = "full_or_read_only_state_is_reported";
    let env = TestEnv::new();
    let (base, run) = (env.running(), env.root("run/runtime-modules"));
    let run = run.display();
    let small = format!(
        "cp -a {run} {run}.copy && mount -t tmpfs -o size=1m none {run} && cp -a {run}.copy/. {run}"
    );
    let read_only = format!("mount --bind {run} {run} && mount -o remount,bind,ro {run}");
    let Some(ran) = mounted(test, &env, &small, "enable inline") else {
        return;
    };
    compare("no-space", &sized(&env.normalise(&ran.ends_with(5).stderr)));
    let Some(ran) = mounted(test, &env, &read_only, "enable inline") else {
        return;
    };
    compare("read-only", &env.normalise(&ran.ends_with(5).stderr));
    is_as_before(&env, &base);
    fs::remove_dir_all(format!("{run}.copy")).expect("removed");
    // With --allow space the client continues.
    let Some(ran) = mounted(test, &env, &small, "enable inline --allow space") else {
        return;
    };
    compare("no-space-allowed", &sized(&env.normalise(&ran.ok().stderr)));
}

/// Sends a relay a request that no client would send, and returns its answer.
fn ask(env: &TestEnv, request: &Value) -> Value {
    let mut command = env.command(["__activate"]);
    let mut relay = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a relay");
    let mut stdin = relay.stdin.take().expect("a pipe");
    writeln!(stdin, "{request}").expect("asked");
    let output = relay.wait_with_output().expect("it ended");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(said.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("not an answer: {error}\n{said}"))
}

#[test]
fn malformed_requests_are_refused() {
    let env = TestEnv::new();
    let base = env.running().display().to_string();
    let gone = format!("{}/{}-gone", env.path("store").display(), "0".repeat(32));
    // The name of a request begins with its time. Use the current time, because the files of old
    // requests are removed.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    let transaction = |number: u32| format!("{}-{number}", now.as_millis());
    let copy = env.path("home/nixos-system-box").display().to_string();
    symlink(&base, &copy).expect("a link");
    let request = |transaction: &str, to: &str| {
        json!({
            "store": env.store(), "root": env.root("").to_string_lossy().trim_end_matches('/'),
            "transaction": transaction, "purpose": "enable inline", "wait": 0,
            "task": {
                "task": "change", "revision": env.state()["revision"], "from": base, "to": to, "base": base,
                "pin": null, "wanted": [], "force": false, "allow": [], "onFailedUnits": "rollback", "confirm": null,
                "phases": {},
            },
        })
    };
    for (name, request) in [
        ("request-not-in-the-store", request(&transaction(1), &gone)),
        // A folder that looks like a system, but is not a store path.
        ("request-for-no-store-path", request(&transaction(2), &copy)),
        (
            "request-for-a-part-of-a-path",
            request(&transaction(3), &format!("{base}/etc")),
        ),
        ("request-malformed", request("../1", &base)),
    ] {
        let answer = ask(&env, &request);
        assert_eq!(answer["message"], "refused", "{answer:#}");
        let text = serde_json::to_string_pretty(&answer["failed"]).expect("JSON");
        compare(name, &env.normalise(&text));
        assert!(env.state()["pending"].is_null());
    }
    for role in ["__transact", "__expire"] {
        let ran = env.run(&[&[role, "../1"], &["0"][..usize::from(role == "__expire")]].concat());
        ran.ends_with(2)
            .golden(&format!("{}-malformed", &role[2..]));
    }
    // The activator has closed its end of the socket.
    let (ours, theirs) = UnixStream::pair().expect("a socket");
    drop(ours);
    let mut command = env.command(["reset", "--force", "--activator-on-stdin"]);
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    let ran = env.start_running(command).end().ends_with(5);
    compare("activator-not-there", &env.normalise(&ran.stderr));
}

#[test]
fn killed_activator_or_relay_is_reported() {
    for (fault, code, name) in [
        ("activator.lock:before", 5, "activator-died-before-it-began"),
        ("activator.begin:after", 5, "activator-died-checking"),
        ("activator.verify:before", 8, "activator-died-verifying"),
        ("activator.outcome:before", 0, "activator-died-at-the-end"),
        ("relay.start:before", 5, "relay-died-before-it-began"),
        ("relay.start:after", 0, "relay-died-after-it-began"),
        ("relay.follow:before:eio", 0, "relay-cannot-follow"),
    ] {
        let env = TestEnv::new();
        let mut command = env.command(["enable", "inline", "--progress", "off"]);
        command.env("RUNTIME_MODULE_FAULT", fault);
        let ran = env.start_running(command).end();
        ran.ends_with(code).golden(name);
        assert_eq!(env.active().is_empty(), code != 0, "{fault}");
    }
}

#[test]
fn client_waits_after_losing_its_relay() {
    let env = TestEnv::new();
    let mut command = env.command(["enable", "inline", "--progress", "plain"]);
    command.env("RUNTIME_MODULE_FAULT", "relay.follow:before");
    let ran = env.start_running(command).end().ok();
    let found = ran
        .stderr
        .lines()
        .filter(|line| line.contains("lost the connection"));
    let found: String = found.map(|line| format!("{line}\n")).collect();
    compare("lost-sight", &found);
    assert_eq!(env.active(), ["inline"]);
}

#[test]
fn recovery_killed_at_last_step_is_reported() {
    let env = TestEnv::new();
    let faulty = |fault: &str, arguments: &[&str]| env.faulty(fault, arguments);
    let died = "activator.outcome:before";
    faulty(died, &["enable", "inline", "--confirm", "600s"])
        .ok()
        .golden("activator-died-unconfirmed");
    faulty(died, &["confirm"])
        .ok()
        .golden("activator-died-confirmed");
    assert_eq!(env.active(), ["inline"]);
    // This activator dies before it changes anything.
    faulty("activator.begin:after", &["reset"]).ends_with(5);
    faulty(died, &["recover"])
        .ok()
        .golden("activator-died-recovered");
    assert_eq!(env.active(), ["inline"]);
    assert!(env.state()["pending"].is_null());
    env.processes().end();
}

#[test]
fn rollback_to_collected_system_is_refused() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    let path = env.root("run/runtime-modules/history");
    let text = fs::read_to_string(&path).expect("the history");
    let base = text.lines().next().expect("a record").splitn(3, ' ').last();
    let mut record: Value = serde_json::from_str(base.expect("JSON")).expect("JSON");
    let gone = env
        .path("store")
        .join(format!("{}-collected", "0".repeat(32)));
    record["to"] = json!(gone.display().to_string());
    let record = record.to_string();
    let sum = crc32fast::hash(record.as_bytes());
    let rest: String = text
        .lines()
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(
        &path,
        format!("{} {sum:08x} {record}\n{rest}", record.len()),
    )
    .expect("written");
    env.quiet(&["rollback"])
        .ends_with(5)
        .golden("rollback-to-what-is-gone");
}
