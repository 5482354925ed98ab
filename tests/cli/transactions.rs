//! The safety of changes: they can be recovered, confirmed, rolled back, queued, and refused in advance.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{PROGRAM, PROGRAM_IN_SHELL, TestEnv, compare, has};

#[test]
fn interrupted_change_is_undone_or_finished() {
    for (fault, finish) in [
        ("activator.begin:after", false),
        ("activator.switch:before", false),
        ("activator.switch:after", false),
        ("activator.switch:after", true),
        ("activator.verify:after", true),
    ] {
        let env = TestEnv::new();
        let base = env.running();
        let ran = env.faulty(fault, &["enable", "inline"]);
        assert_ne!(ran.code, 0, "{fault}");
        env.quiet(&["enable", "hello"]).ends_with(5);
        let recover: &[&str] = if finish {
            &["recover", "--finish"]
        } else {
            &["recover"]
        };
        env.quiet(recover).ok();
        let on: &[&str] = if finish { &["inline"] } else { &[] };
        assert_eq!(env.active(), on, "{fault}");
        assert_eq!(env.running() == base, !finish, "{fault}");
        assert_eq!(env.state()["pending"], serde_json::Value::Null);
        env.quiet(&["recover"])
            .ends_with(5)
            .golden("recover-nothing");
        env.quiet(&["enable", "conflict-a"]).ok();
    }
}

#[test]
fn unconfirmed_change_is_confirmed_or_rolled_back() {
    let env = TestEnv::new();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "60s"])
        .ok()
        .golden("enable-confirm");
    assert_ne!(env.running(), base);
    env.run(&["status", "inline"])
        .ok()
        .golden("status-unconfirmed");
    env.quiet(&["enable", "conflict-a"])
        .ends_with(5)
        .golden("enable-unconfirmed");
    env.quiet(&["confirm"]).ok().golden("confirm");
    assert_eq!(env.active(), ["inline"]);
    env.quiet(&["confirm"])
        .ends_with(5)
        .golden("confirm-nothing");

    env.quiet(&["disable", "inline", "--confirm", "60s"]).ok();
    env.quiet(&["rollback"]).ok().golden("rollback-unconfirmed");
    assert_eq!(env.active(), ["inline"]);
    env.processes().end();
}

#[test]
fn confirm_zero_disables_the_timer() {
    let env = TestEnv::new();
    let bake = || env.bake(&[("confirm", json!("60s"))]);
    bake();
    env.quiet(&["enable", "inline", "--confirm", "0"])
        .ok()
        .golden("enable-confirm-never");
    assert_eq!(env.state()["pending"], serde_json::Value::Null);
    env.quiet(&["confirm"])
        .ends_with(5)
        .golden("confirm-nothing");
    // The option applies to one change; the baked value still applies to the next.
    bake();
    env.quiet(&["reset"]).ok();
    assert_eq!(env.state()["pending"]["step"], "confirming");
    env.quiet(&["confirm"]).ok();
    // A dry run has nothing to confirm.
    let ran = env
        .quiet(&["enable", "inline", "--confirm", "0s", "--dry-run"])
        .ok();
    assert!(!ran.stdout.contains("confirmed"), "{}", ran.stdout);
    for wrong in ["-1", "", "soon", "1.5x"] {
        env.quiet(&["enable", "inline", &format!("--confirm={wrong}")])
            .ends_with(2);
    }
    let waits = env.state()["pending"].clone();
    assert!(waits.is_null(), "{waits}");
    let before = env.running();
    // A timeout below one second must not be rounded down to zero.
    env.quiet(&["enable", "conflict-a", "--confirm", "500ms"])
        .ok();
    undone(&env, &before);
}

/// Waits until `system` is running again and nothing is pending.
pub(super) fn undone(env: &TestEnv, system: &Path) {
    let begun = Instant::now();
    // The switch program replaces the link in two steps, so it is missing for a moment.
    let runs = || std::fs::read_link(env.root("run/current-system")).ok();
    while runs().as_deref() != Some(system) || !env.state()["pending"].is_null() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the change was not rolled back"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn exactly_one_of_two_timers_rolls_back() {
    let env = TestEnv::new();
    let base = env.running();
    let expire = |more: &[&str]| {
        let name = env.state()["pending"]["transaction"].clone();
        let name = name.as_str().expect("a pending transaction").to_string();
        env.quiet(&[&["__expire", &name, "0"], more].concat()).ok();
    };
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    let runs = env.running();
    expire(&[]);
    assert_eq!(
        env.running(),
        runs,
        "the timer from before the switch must not undo the change"
    );
    expire(&["--after"]);
    assert_eq!(
        env.running(),
        base,
        "the timer from after the switch must undo it, whatever the clock says"
    );
    assert!(env.state()["pending"].is_null());

    // If the second timer cannot be armed, the first one rolls back, and its time is reported.
    let ran = env.faulty(
        "activator.arm@2:before:eio",
        &["enable", "inline", "--confirm", "600s", "--json"],
    );
    let pending = env.state()["pending"].clone();
    assert_eq!(pending["step"], "confirming", "{}", ran.text());
    assert_eq!(
        ran.json()["activation"]["confirmUntil"],
        pending["confirmUntil"]
    );
    expire(&[]);
    assert_eq!(env.running(), base);
    env.processes().end();
}

#[test]
fn unwritten_confirmation_is_refused() {
    let env = TestEnv::new();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    env.faulty("write.state:before:enospc", &["confirm"])
        .ends_with(5)
        .golden("confirm-unwritten");
    assert_eq!(env.state()["pending"]["step"], "confirming");
    env.quiet(&["rollback"]).ok();
    assert_eq!(env.running(), base);
    env.processes().end();
}

#[test]
fn unconfirmed_change_is_rolled_back_by_timer() {
    let env = TestEnv::new();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "2s"]).ok();
    assert_ne!(env.running(), base);
    undone(&env, &base);
    env.processes().wait_to_end();
    env.run(&["status"]).ok().golden("status-not-confirmed");
    assert_eq!(env.active(), Vec::<String>::new());
}

#[test]
fn earlier_states_can_be_restored() {
    let env = TestEnv::new();
    env.quiet(&["rollback"])
        .ends_with(5)
        .golden("rollback-nothing");
    env.quiet(&["enable", "inline"]).ok();
    let one = env.running();
    env.quiet(&["enable", "conflict-a"]).ok();
    env.quiet(&["enable", "failing-activation"]).ends_with(6);
    env.quiet(&["rollback"]).ok().golden("rollback");
    assert_eq!(
        (env.running(), env.active()),
        (one, vec!["inline".to_string()])
    );
    env.quiet(&["rollback", "9"])
        .ends_with(2)
        .golden("rollback-unknown");
    env.quiet(&["rollback", "1"]).ok();
    assert_eq!(env.active(), Vec::<String>::new());
    env.run(&["history"]).ok().golden("history");
    let detailed = env.run(&["history", "-v"]).ok();
    // These phases appear in every run.
    for phase in ["lock ", "evaluate ", "activate "] {
        assert!(detailed.stdout.contains(phase), "{}", detailed.stdout);
    }
    let last = detailed.stdout.lines().rev().nth(1).expect("its phases");
    assert!(last.starts_with("       activate "), "{}", detailed.stdout);
    let system = env.running();
    let name = system.file_name().expect("a name").to_string_lossy();
    assert!(
        detailed.stdout.contains(name.as_ref()),
        "{}",
        detailed.stdout
    );
    let history = env.json(&["history"]);
    let found: Vec<_> = history["transactions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            (
                one["revision"].as_u64(),
                one["outcome"].clone(),
                one["reachable"].clone(),
            )
        })
        .collect();
    assert_eq!(
        found[3],
        (Some(4), json!("returned"), json!(false)),
        "{history}"
    );
    assert_eq!(found.len(), 6, "{history}");
}

#[test]
fn wrong_host_is_refused_before_the_build() {
    let env = TestEnv::new();
    let outputs = env.outputs();
    let apply = ["apply", "--host", "bare"];
    env.quiet(&apply).ends_with(5).golden("wrong-host");
    assert_eq!(env.outputs(), outputs);
    env.quiet(&[&apply[..], &["--force"]].concat()).ends_with(5);
    env.quiet(&[&apply[..], &["--dry-run"]].concat())
        .ok()
        .golden("wrong-host-dry-run");
    env.quiet(&[&apply[..], &["--allow", "wrong-host"]].concat())
        .ok()
        .golden("wrong-host-allowed");
}

#[test]
fn switch_inhibitor_is_refused_unless_allowed() {
    let env = TestEnv::new();
    env.quiet(&["enable", "inhibitor"])
        .ends_with(5)
        .golden("inhibitor");
    env.quiet(&["enable", "inhibitor", "--allow", "inhibitors"])
        .ok()
        .golden("inhibitor-allowed");
    // The base is already built, so disabling the module evaluates nothing. The dry run checks the
    // built system as the activator does.
    env.quiet(&["disable", "inhibitor", "--dry-run"])
        .ok()
        .golden("inhibitor-back-dry-run");
    env.quiet(&["disable", "inhibitor"]).ends_with(5);
    env.quiet(&["reset", "--allow", "inhibitors"]).ok();
    // A cached result that is in the store is also checked.
    let document = env.json(&["enable", "inhibitor", "--dry-run"]);
    assert_eq!(document["cache"]["hit"], true, "{document:#}");
    let preflight = &document["preflight"];
    assert_eq!(preflight["built"], true, "{preflight:#}");
    assert_eq!(preflight["objections"][0]["allow"], "inhibitors");
}

#[test]
fn dry_run_reports_needs_of_a_built_system() {
    let env = TestEnv::new();
    std::os::unix::fs::symlink(env.running(), env.root("run/booted-system")).expect("booted");
    env.quiet(&["enable", "init-interface"]).ends_with(9);
    let found =
        |arguments: &[&str]| env.json(&[arguments, &["--dry-run"]].concat())["preflight"].clone();
    let init = found(&["enable", "init-interface"]);
    assert_eq!(init["built"], true, "{init:#}");
    assert_eq!(
        init["objections"][0]["refusal"]["kind"], "reboot-needed",
        "{init:#}"
    );
    // The booted system has a different kernel from the base that these commands return to.
    env.quiet(&["enable", "kernel"]).ok();
    let booted = env.root("run/booted-system");
    std::fs::remove_file(&booted).expect("removed");
    std::os::unix::fs::symlink(env.running(), &booted).expect("booted");
    for back in [&["reset"][..], &["rollback"], &["disable", "kernel"]] {
        let back = found(back);
        assert_eq!(back["built"], true, "{back:#}");
        let warning = back["warnings"][0].as_str().unwrap_or_default();
        assert!(
            warning.contains("take effect only after a reboot into the new system"),
            "{back:#}"
        );
    }
}

#[test]
fn dry_run_reports_a_pending_change() {
    let env = TestEnv::new();
    env.quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    env.quiet(&["disable", "inline", "--dry-run"])
        .ok()
        .golden("unconfirmed-dry-run");
    env.quiet(&["enable", "inline", "--dry-run"])
        .ok()
        .golden("unconfirmed-again-dry-run");
    let document = env.json(&["enable", "hello", "--dry-run"]);
    let refusal = &document["preflight"]["objections"][0]["refusal"];
    let message = refusal["message"].as_str().unwrap_or_default();
    assert!(message.contains("is not confirmed yet"), "{document:#}");
    assert_eq!(document["preflight"]["built"], false, "{document:#}");
    env.quiet(&["confirm"]).ok();
    let document = env.json(&["disable", "inline", "--dry-run"]);
    assert_eq!(document["preflight"]["objections"], json!([]));
}

#[test]
fn needed_reboot_is_reported() {
    let env = TestEnv::new();
    std::os::unix::fs::symlink(env.running(), env.root("run/booted-system")).expect("booted");
    env.quiet(&["enable", "kernel"])
        .ok()
        .golden("reboot-needed");
    env.quiet(&["enable", "init-interface"])
        .ends_with(9)
        .golden("init-interface");
}

/// Returns the output of a dry run and of a change with a module from a file. Then resets the
/// change.
fn outputs_of_dry_run_and_change(env: &TestEnv, what: &str, module: &str) -> String {
    std::fs::write(env.path("extra.nix"), module).expect("a module");
    let command = ["enable", "inline", "--module", "./extra.nix"];
    let dry = env.quiet(&[&command[..], &["--dry-run"]].concat()).ok();
    let real = env.quiet(&command).ok();
    env.quiet(&["reset"]).ok();
    format!("# {what}\n{}{}", dry.text(), real.text())
}

/// Starts a machine that has booted the running system.
fn booted() -> TestEnv {
    let env = TestEnv::new();
    std::os::unix::fs::symlink(env.running(), env.root("run/booted-system")).expect("booted");
    env
}

#[test]
fn every_part_that_needs_a_reboot_is_named() {
    let env = booted();
    let parts = [
        (
            "the kernel alone",
            r#"system.build.kernel = lib.mkForce pkgs.linuxPackages_next.kernel;"#,
        ),
        (
            "the kernel's module tree alone",
            r#"boot.extraModulePackages = [ (pkgs.runCommand "more-modules" { } ''
    mkdir -p "$out/lib/modules/6.1.0/updates"
    echo more > "$out/lib/modules/6.1.0/updates/more.ko"
  '') ];"#,
        ),
        (
            "firmware alone",
            r#"hardware.firmware = [ (pkgs.runCommand "more-firmware" { } ''
    mkdir -p "$out/lib/firmware"
    echo more > "$out/lib/firmware/more.bin"
  '') ];"#,
        ),
        (
            "everything that comes with another kernel",
            "boot.kernelPackages = pkgs.linuxPackages_next;",
        ),
    ];
    let found = parts.map(|(what, text)| {
        outputs_of_dry_run_and_change(&env, what, &format!("{{ lib, pkgs, ... }}: {{ {text} }}\n"))
    });
    compare("reboot-needed-for-each", &found.join("\n"));
}

#[test]
fn missing_kernel_module_is_named() {
    let env = booted();
    let modules = |names: &str| format!("{{ boot.kernelModules = [ {names} ]; }}\n");
    let cases = [
        (
            "the booted kernel lacks two of them",
            modules(r#""tun" "ntsync" "wire-guard""#),
        ),
        (
            "it has all of them: as files, in another spelling, built in, by an alias",
            modules(r#""tun" "br-netfilter" "snd_hda_intel" "crc32c-generic" "fs-fuse""#),
        ),
        (
            "a sysctl needs no module",
            "{ environment.etc.\"sysctl.d/60-nixos.conf\".text = \"vm.swappiness=1\\n\"; }\n"
                .into(),
        ),
    ];
    let found = cases.map(|(what, module)| outputs_of_dry_run_and_change(&env, what, &module));
    compare("kernel-modules-lacking", &found.join("\n"));
}

#[test]
fn running_external_switch_is_waited_for() {
    let env = TestEnv::new();
    let lock: PathBuf = env.root("run/nixos/switch-to-configuration.lock");
    let holder = env
        .other("/usr/bin/flock")
        .arg(&lock)
        .args(["sleep", "3"])
        .spawn();
    let mut holder = holder.expect("flock");
    env.processes().wait_for("sleep 3");
    env.quiet(&["enable", "inline"])
        .ends_with(5)
        .golden("switch-elsewhere");
    assert!(env.state()["pending"].is_null());
    env.quiet(&["enable", "inline", "--wait", "60s"]).ok();
    holder.wait().expect("the lock's holder");
}

#[test]
fn external_switch_ends_the_confirmation() {
    let env = TestEnv::new();
    let base = env.running();
    env.quiet(&["enable", "inline", "--confirm", "12s"]).ok();
    let ours = env.running();
    env.run(&["__switched", &ours.display().to_string()]).ok();
    assert_eq!(env.state()["pending"]["step"], "confirming");
    env.run(&["__switched", "/nix/store/another"]).ok();
    assert!(env.state()["pending"].is_null());
    env.processes().wait_to_end();
    assert!(
        env.running() == ours && ours != base,
        "the change was rolled back after an external switch"
    );
}

#[test]
fn failed_runs_leave_no_roots_or_files() {
    let env = TestEnv::new();
    env.quiet(&["enable", "inline"]).ok();
    let listing = || {
        let folder = env.root("run/runtime-modules/roots");
        let entries = std::fs::read_dir(folder).expect("roots");
        let mut names: Vec<_> = entries
            .map(|one| one.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    let before = listing();
    for fault in [
        "activator.root:after:eio",
        "activator.begin:before:enospc",
        "write.state:before:short=9",
        "activator.preflight:after:eio",
    ] {
        let ran = env.faulty(fault, &["enable", "conflict-a"]);
        assert_ne!(ran.code, 0, "{fault}");
        assert_eq!(listing(), before, "{fault}: {}", ran.stderr);
        assert!(env.state()["pending"].is_null(), "{fault}");
        assert_eq!(env.active(), ["inline"], "{fault}");
    }
}

/// Runs the program with `--ask` on a terminal. Returns whether the change was made, and the
/// screen.
fn asked(env: &TestEnv, arguments: &str, answer: &str) -> (bool, String) {
    let file = env.path("typescript");
    let command = format!("{PROGRAM_IN_SHELL} {arguments} --ask --progress off");
    let mut script = env.other("script");
    script
        .args(["-qec", &command])
        .arg(&file)
        .stdin(Stdio::piped());
    let mut child = script.spawn().expect("script");
    let mut keys = child.stdin.take().expect("a keyboard");
    writeln!(keys, "{answer}").expect("typed");
    let ended = child.wait().expect("the status of script");
    let shown = std::fs::read_to_string(&file).expect("a typescript");
    (ended.success(), shown)
}

#[test]
fn ask_shows_changes_of_units() {
    if !has("ask_shows_changes_of_units", "script") {
        return;
    }
    let lamp = "[Unit]\nDescription=The lamp of a user\n[Service]\nExecStart=/bin/true\n";
    let module = format!(
        r#"{{ lib, ... }}: {{
  imports = [ ./settings.nix ];
  systemd.services.heartbeat.enable = lib.mkForce false;
  systemd.services.beacon = {{ wantedBy = [ "multi-user.target" ]; script = "sleep 60"; }};
  environment.etc."systemd/user/lamp.service".text = {lamp:?};
}}"#
    );
    let env = TestEnv::fixture().module("web", &module).start("box");
    let (done, shown) = asked(&env, "enable web", "n");
    assert!(!done, "{shown}");
    let lines = shown
        .lines()
        .filter(|line| *line != "n" && !line.starts_with("Script "));
    let lines: Vec<&str> = lines.map(str::trim_end).collect();
    compare("ask-units", &env.normalise(&(lines.join("\n") + "\n")));
}

#[test]
fn ask_shows_the_changes_first() {
    let name = "ask_shows_the_changes_first";
    let env = TestEnv::new();
    // `setsid` starts the program in a session without a terminal.
    let mut alone = env.other("setsid");
    alone.args(["-w", PROGRAM, "enable", "web", "--ask", "--progress", "off"]);
    let ran = env.start_running(alone).end().ends_with(2);
    compare("ask-without-a-terminal", &env.normalise(&ran.stderr));
    if !has(name, "script") {
        return;
    }
    for (answer, on) in [("n", vec![]), ("y", vec!["web".to_string()])] {
        let (done, shown) = asked(&env, "enable web", answer);
        assert_eq!(done, answer == "y", "{shown}");
        assert!(
            shown.contains("start: web.service") && shown.contains("+ unit-web.service"),
            "{shown}"
        );
        assert_eq!(env.active(), on);
    }
}
