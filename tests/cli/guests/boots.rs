//! A guest of minios that boots, is reached with ssh and on its console, and shuts down.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{GUEST_PROGRAM, GuestLab, has, skip, strings};

/// Returns the names of the milestones in a state.
fn milestones(state: &Value) -> Vec<String> {
    let reached = state["milestones"].as_array().expect("milestones");
    let mut last = 0.0;
    for one in reached {
        let seconds = one["seconds"].as_f64().expect("a time");
        assert!(seconds >= last, "milestones are not in order: {state:#}");
        last = seconds;
    }
    let names = reached.iter().map(|one| one["name"].as_str());
    names
        .map(|name| name.expect("a name").to_string())
        .collect()
}

#[test]
fn minios_guest_boots_is_reached_and_ends() {
    const TEST: &str = "minios_guest_boots_is_reached_and_ends";
    let Some(lab) = GuestLab::new(TEST) else {
        return;
    };
    let flake = format!("{}#guest", lab.env.flake());
    let started = lab.boot("start", "vm1", &flake, &["--share=usr=/usr", "--json"]);
    let started = started.end().ok().json();
    assert_eq!(started["name"], "vm1");
    assert_eq!(started["accelerator"]["name"], "tcg");
    let reached = milestones(&started);
    for name in ["qemu", "kernel", "initrd", "store", "multi-user"] {
        assert!(reached.iter().any(|one| one == name), "{name}: {started:#}");
    }

    let listed = lab.run(&["list", "--json"]).ok().json();
    let system = started["system"].as_str().expect("a system");
    assert_eq!(listed["guests"][0]["system"], system);
    assert!(lab.run(&["list"]).ok().stdout.contains(system));
    // The garbage collector finds the system.
    let roots = std::fs::read_dir(lab.env.path("state/gcroots/auto")).expect("roots");
    let targets = roots
        .flatten()
        .filter_map(|root| root.path().canonicalize().ok());
    assert!(
        targets
            .into_iter()
            .any(|target| target == Path::new(system))
    );

    let log = lab.run(&["logs", "vm1"]).ok().stdout;
    assert!(log.contains("Reached target Multi-User System."), "{log}");
    let log = lab.run(&["logs", "vm1", "--lines=1", "--json"]).ok().json();
    assert_eq!(strings(&log["lines"]).len(), 1);

    match Path::new("/usr/sbin/sshd").exists() {
        true => reach(&lab),
        false => skip(TEST, "sshd is not installed, so ssh is not tested"),
    }
    assert_eq!(
        lab.run(&["stop", "vm1", "--timeout=1s"]).ok().stdout,
        "stopped vm1\n"
    );
    lab.nothing_is_left("after stop");
    let listed = lab.run(&["list"]).ok();
    assert_eq!(listed.stdout, "no guests are running\n");
}

/// Runs commands in the guest.
fn reach(lab: &GuestLab) {
    // Each connection takes seconds in an emulated guest, so each command checks several things: the
    // guest runs the system of minios, and cannot write to the store of the host.
    let text = "a b'c\"d$e";
    let script =
        "cat /etc/motd; echo \"$0\"; touch $(readlink /run/current-system)/x && exit 1; exit 7";
    let words = [
        "exec",
        "vm1",
        "--timeout=2m",
        "--",
        "sh",
        "-c",
        script,
        text,
    ];
    let done = lab.run(&words);
    assert_eq!(done.code, 7, "{done:?}");
    assert_eq!(done.stdout, format!("Welcome to minios.\n{text}\n"));
    assert!(done.stderr.contains("Read-only file system"), "{done:?}");
    let done = lab
        .run(&["exec", "vm1", "--json", "--", "hostname"])
        .ok()
        .json();
    assert_eq!(done["exitCode"], 0);
    let done = lab.run(&["ssh", "vm1", "--", "echo", "hello"]).ok();
    assert_eq!(done.stdout, "hello\n");
    assert_eq!(
        milestones(&lab.state("vm1")).last().map(String::as_str),
        Some("ssh")
    );
}

#[test]
fn ordinary_user_starts_a_guest_without_root() {
    const TEST: &str = "ordinary_user_starts_a_guest_without_root";
    let Some(lab) = GuestLab::new(TEST) else {
        return;
    };
    if !unix::unistd::geteuid().is_root() {
        skip(
            TEST,
            "only root can become another user; the other tests run as an ordinary user",
        );
        return;
    }
    if !has(TEST, "setpriv") {
        return;
    }
    // Another user may not read the caches and the build directory of this one.
    let public = lab.env.path("public");
    fs::create_dir(&public).expect("a folder");
    for (from, to) in [
        (Path::new(GUEST_PROGRAM), "program"),
        (&lab.kernel, "kernel"),
    ] {
        fs::copy(from, public.join(to)).expect("copied");
    }
    let system = lab.fake_system().display().to_string();
    let guests = lab.env.path("user");
    fs::create_dir(&guests).expect("a folder");
    let made = Command::new("chown").arg("nobody").arg(&guests).status();
    assert!(made.expect("chown").success());
    let hardware = lab.hardware();
    let kernel = format!("--kernel={}", public.join("kernel").display());
    let as_user = |words: &[&str]| {
        let mut command = lab.env.other("setpriv");
        command
            .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
            .arg(public.join("program"))
            .args(words)
            .env("RUNTIME_GUEST_FOLDER", &guests);
        lab.env.start_running(command).end()
    };
    let mut words = vec!["start", &system, "--name=vm1", "--wait-for=store", &kernel];
    words.extend(
        hardware
            .iter()
            .map(String::as_str)
            .filter(|word| !word.starts_with("--kernel")),
    );
    let ran = as_user(&words);
    if ran.stderr.contains("Operation not permitted") {
        skip(
            TEST,
            "this kernel does not let ordinary users make user namespaces",
        );
        return;
    }
    ran.ok();
    assert!(as_user(&["list"]).ok().stdout.starts_with("GUEST"));
    as_user(&["stop", "vm1", "--now"]).ok();
    assert_eq!(fs::read_dir(&guests).expect("a folder").count(), 0);
    lab.nothing_is_left("after the guest of a user");
}
