//! Refusals with a removable cause (lock, state, permissions), which change nothing.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use unix::fcntl::{Flock, FlockArg};
use unix::sys::signal::{Signal, kill};

use crate::support::{PROGRAM, TestEnv, has, skip};

#[test]
fn held_lock_names_its_holder() {
    let env = TestEnv::new();
    let file = File::open(env.root("run/runtime-modules/lock")).expect("the lock");
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).expect("free");
    let ours = format!("enable web (process {})\n", std::process::id());
    // A holder that could not write its name still holds the lock.
    for (words, golden) in [(ours.as_str(), "lock-held"), ("", "lock-held-unnamed")] {
        fs::write(env.root("run/runtime-modules/holder"), words).expect("a name");
        let before = env.everything();
        env.run(&["enable", "inline", "--progress", "off"])
            .ends_with(5)
            .golden(golden);
        before.is_still(&env.everything());
    }
    // With --wait, the message also names the holder.
    fs::write(env.root("run/runtime-modules/holder"), &ours).expect("a name");
    env.run(&["enable", "inline", "--wait", "300ms", "--progress", "plain"])
        .ends_with(5)
        .golden("lock-waited-for");
    // Commands that change nothing need no lock.
    env.run(&["status"]).ok();
    env.run(&["list"]).ok();
    env.run(&["enable", "inline", "--dry-run"]).ok();
    drop(held);
    env.run(&["enable", "inline"]).ok();
}

#[test]
fn lock_of_a_dead_process_is_free() {
    let env = TestEnv::new();
    for words in ["enable web (process 4711)\n", "enable web (proc", ""] {
        fs::write(env.root("run/runtime-modules/holder"), words).expect("a name");
        env.run(&["enable", "inline"]).ok();
    }
}

#[test]
fn only_root_can_open_the_lock() {
    let test = "only_root_can_open_the_lock";
    if !unix::unistd::geteuid().is_root() {
        return skip(test, "only root can become another user");
    }
    if !has(test, "flock") {
        return;
    }
    let env = TestEnv::new();
    let lock = env.root("run/runtime-modules/lock");
    // An earlier release created the lock with this mode.
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).expect("the mode set");
    env.run(&["enable", "inline"]).ok();
    fs::set_permissions(env.path(""), fs::Permissions::from_mode(0o755)).expect("the mode set");
    let nobody = |program: &str| {
        let mut command = env.other(program);
        command.uid(65534).gid(65534);
        command
    };
    let read = nobody("cat")
        .arg(env.root("run/runtime-modules/holder"))
        .output()
        .expect("cat");
    assert!(read.status.success(), "{read:?}");
    for how in ["--shared", "--exclusive"] {
        let taken = nobody("flock")
            .args(["--nonblock", how])
            .arg(&lock)
            .arg("true")
            .output()
            .expect("flock");
        let said = String::from_utf8_lossy(&taken.stderr);
        assert!(said.contains("Permission denied"), "{how}: {taken:?}");
    }
}

#[test]
fn status_does_not_block_changes() {
    let env = TestEnv::new();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                env.run(&["status"]).ok();
            }
        });
        let changes = ["enable", "disable"].repeat(3);
        let ran: Vec<_> = changes
            .iter()
            .map(|command| env.run(&[command, "inline"]))
            .collect();
        ended.store(true, Ordering::SeqCst);
        for ran in ran {
            ran.ok();
        }
    });
}

#[test]
fn unreadable_state_is_refused() {
    let env = TestEnv::new();
    let state = env.root("run/runtime-modules/state.json");
    let whole = fs::read_to_string(&state).expect("the state");
    let cases = [
        ("cut", whole[..whole.len() / 2].to_string()),
        ("empty", String::new()),
        ("newer", whole.replacen("\"schema\": 1", "\"schema\": 2", 1)),
        (
            "without-schema",
            whole.replacen("\"schema\"", "\"skema\"", 1),
        ),
        (
            "odd",
            whole.replacen("\"revision\": 1", "\"revision\": \"one\"", 1),
        ),
    ];
    let cases = cases.map(|(name, text)| (name, text.into_bytes()));
    // A byte that is not valid UTF-8.
    let mut bytes = whole.clone().into_bytes();
    let at = whole.find("/store/").expect("a path");
    bytes[at] = 0xff;
    for (name, text) in cases.into_iter().chain([("no-text", bytes)]) {
        fs::write(&state, text).expect("written");
        let before = env.everything();
        env.run(&["enable", "inline"])
            .ends_with(5)
            .golden(&format!("state-{name}"));
        for command in [
            &["status"][..],
            &["list"],
            &["reset"],
            &["apply", "--dry-run"],
            &["disable", "inline", "--json"],
        ] {
            env.run(command).ends_with(5);
        }
        before.is_still(&env.everything());
    }
    // Follow the hint of the message.
    fs::remove_file(&state).expect("moved away");
    // Then the program uses the baked source, which has no URL to rebuild from.
    env.run(&["rebuild"])
        .ends_with(5)
        .golden("rebuild-without-a-source");
    env.run(&["enable", "inline"]).ok();
}

#[test]
fn unreadable_baked_file_is_refused() {
    let env = TestEnv::new();
    let baked = env.root("etc/runtime-modules/config.json");
    let text = fs::read_to_string(&baked).expect("the file");
    fs::remove_file(&baked).expect("the link");
    fs::write(&baked, text.replacen("\"schema\":1", "\"schema\":7", 1)).expect("written");
    env.run(&["list"]).ends_with(5).golden("baked-newer");
    fs::write(&baked, "{").expect("written");
    env.run(&["list"]).ends_with(5).golden("baked-damaged");
}

#[test]
fn damaged_history_is_not_overwritten() {
    let env = TestEnv::new();
    let history = env.root("run/runtime-modules/history");
    env.run(&["enable", "inline"]).ok();
    let mut bytes = fs::read(&history).expect("the history");
    bytes[20] ^= 1;
    fs::write(&history, &bytes).expect("written");
    let running = env.running();
    let ran = env.run(&["enable", "hello", "--progress", "off"]);
    assert_eq!(ran.code, 5, "{}", ran.text());
    ran.golden("history-damaged");
    assert_eq!(
        env.running(),
        running,
        "the system was activated although it cannot be recorded"
    );
}

#[test]
fn newer_history_blocks_changes_not_recovery() {
    let env = TestEnv::new();
    let base = env.running();
    let history = env.root("run/runtime-modules/history");
    let quiet = |arguments: &[&str]| env.quiet(arguments);
    let odd = || {
        let json = r#"{"revision":1,"transaction":"1-1","time":1,"modules":[],"from":null,"to":"/x","outcome":"postponed","phases":{}}"#;
        let sum = crc32fast::hash(json.as_bytes());
        fs::write(&history, format!("{} {sum:08x} {json}\n", json.len())).expect("written");
    };
    quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    odd();
    env.run(&["history"]).ends_with(5).golden("history-newer");
    env.run(&["rollback", "1"]).ends_with(5);
    quiet(&["enable", "hello"]).ends_with(5);
    quiet(&["confirm"]).ok().golden("history-newer-confirm");
    assert_eq!(env.active(), ["inline"]);
    // The history is read before the change begins.
    quiet(&["enable", "hello"]).ends_with(5);
    assert_eq!(env.active(), ["inline"]);

    fs::remove_file(&history).expect("moved away");
    quiet(&["reset"]).ok();
    quiet(&["enable", "inline", "--confirm", "600s"]).ok();
    odd();
    quiet(&["recover"]).ok().golden("history-newer-recover");
    assert_eq!(env.running(), base);

    fs::remove_file(&history).expect("moved away");
    quiet(&["enable", "inline", "--confirm", "3s"]).ok();
    odd();
    let begun = Instant::now();
    while !env.state()["pending"].is_null() {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "the unconfirmed change was not rolled back"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(env.running(), base);
}

#[test]
fn state_changed_during_build_is_refused() {
    let env = TestEnv::fixture().gated().start("box");
    let mut running = env.start_running(env.command(["enable", "slow", "--progress", "events"]));
    running.until("\"name\":\"gate\"");
    // The lock is not held during a build.
    env.run(&["enable", "inline"]).ok();
    let (state, toplevel) = (env.state(), env.running());
    env.open_gate();
    let ran = running.end().ends_with(5);
    let message: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| !line.starts_with('{'))
        .collect();
    crate::support::compare(
        "state-moved-on",
        &env.normalise(&(message.join("\n") + "\n")),
    );
    assert_eq!((env.state(), env.running()), (state, toplevel));
}

#[test]
fn waiting_run_keeps_its_files() {
    let env = TestEnv::new();
    let mut first = env.command(["enable", "hello", "--wait", "60s", "--progress", "off"]);
    first.env("RUNTIME_MODULE_FAULT", "relay.start:before:stop");
    let first = env.start_running(first);
    let stopped = env.processes().wait_for_stop(first.pid());
    // Another run makes a change, and removes old files at the end.
    env.run(&["enable", "inline"]).ok();
    kill(stopped.expect("a stopped process"), Signal::SIGCONT).expect("continued");
    let ran = first.end().ends_with(5);
    assert!(ran.stderr.contains("in the meantime"), "{}", ran.text());
    for file in fs::read_dir(env.root("run/runtime-modules/log")).expect("the logs") {
        let path = file.expect("a file").path();
        assert_eq!(path.extension().and_then(|end| end.to_str()), Some("log"));
    }
}

#[test]
fn external_switch_during_build_is_refused() {
    let env = TestEnv::fixture().gated().start("box");
    let base = env.running();
    env.run(&["enable", "inline"]).ok();
    let mut running = env.start_running(env.command(["enable", "slow", "--progress", "events"]));
    running.until("\"name\":\"gate\"");
    env.switch_by_hand(&base);
    env.open_gate();
    let ran = running.end().ends_with(5);
    let message: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| !line.starts_with('{'))
        .collect();
    crate::support::compare(
        "system-moved-on",
        &env.normalise(&(message.join("\n") + "\n")),
    );
    assert_eq!(
        (env.running(), env.active()),
        (base, vec!["inline".to_string()])
    );
}

/// Returns a command that runs the program as an ordinary user on the real root, where this user
/// can change nothing. Returns nothing if the test is skipped.
fn as_nobody(test: &str, env: &TestEnv, arguments: &[&str]) -> Option<std::process::Command> {
    let mut command = if unix::unistd::geteuid().is_root() {
        if !has(test, "unshare") {
            return None;
        }
        // In a user namespace the program has another user id, but can still read our build folder.
        let mut command = env.other("/usr/bin/unshare");
        let probe = env
            .other("/usr/bin/unshare")
            .args(["--user", "--map-user=1000", "true"])
            .output()
            .expect("unshare");
        if !probe.status.success() {
            skip(test, "this kernel does not allow user namespaces");
            return None;
        }
        command
            .args(["--user", "--map-user=1000", "--", PROGRAM])
            .args(arguments);
        command
    } else {
        env.command(arguments)
    };
    command
        .env_remove("RUNTIME_MODULE_ROOT")
        .env("PATH", env.path("empty"));
    Some(command)
}

#[test]
fn missing_root_is_reported_before_any_work() {
    let test = "missing_root_is_reported_before_any_work";
    let env = TestEnv::fixture();
    if std::path::Path::new("/run/runtime-modules").exists()
        || std::path::Path::new("/etc/runtime-modules").exists()
    {
        return skip(test, "this machine uses runtime-module itself");
    }
    let flake = env.flake();
    let enable = ["enable", "hello", "--flake", &flake, "--host", "box"];
    let Some(command) = as_nobody(test, &env, &[&enable[..], &["--elevate", "none"]].concat())
    else {
        return;
    };
    let ran = env.start_running(command).end().ends_with(5);
    crate::support::compare("no-rights", &env.normalise(&ran.stderr));
    // This PATH contains no program for elevation.
    for how in ["auto", "sudo", "doas"] {
        let Some(command) = as_nobody(test, &env, &[&enable[..], &["--elevate", how]].concat())
        else {
            return;
        };
        let ran = env.start_running(command).end().ends_with(5);
        crate::support::compare(&format!("no-rights-{how}"), &env.normalise(&ran.stderr));
    }
    // The elevation program refuses: a wrong password, or a user without permission.
    fs::create_dir(env.path("empty")).expect("a folder");
    let sudo = env.path("empty/sudo");
    fs::write(&sudo, "#!/bin/sh\nexit 1\n").expect("a program");
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).expect("rights");
    let Some(command) = as_nobody(test, &env, &enable) else {
        return;
    };
    let ran = env.start_running(command).end().ends_with(5);
    crate::support::compare("no-rights-refused", &env.normalise(&ran.stderr));
    assert!(
        !env.path("store").exists(),
        "work was done before elevation"
    );
    // A dry run needs no elevation.
    let Some(command) = as_nobody(
        test,
        &env,
        &[&enable[..], &["--elevate", "none", "--dry-run"]].concat(),
    ) else {
        return;
    };
    env.start_running(command).end().ok();
}

#[test]
fn foreign_owner_of_our_folder_is_reported() {
    let test = "foreign_owner_of_our_folder_is_reported";
    if !unix::unistd::geteuid().is_root() {
        return skip(test, "only root can give a folder to another user");
    }
    let env = TestEnv::new();
    let Some(mut command) = as_nobody(test, &env, &["enable", "inline", "--progress", "off"])
    else {
        return;
    };
    command.env("RUNTIME_MODULE_ROOT", env.path("root"));
    std::os::unix::fs::chown(env.root("run/runtime-modules/log"), Some(12345), None)
        .expect("the owner set");
    let before = env.everything();
    let ran = env.start_running(command).end().ends_with(5);
    crate::support::compare("no-right-to-write", &env.normalise(&ran.stderr));
    before.is_still(&env.everything());
}
