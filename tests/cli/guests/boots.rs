//! A guest of minios that boots, is reached with ssh and on its console, and shuts down.

use std::path::Path;

use serde_json::Value;

use crate::support::{GuestLab, skip, strings};

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
    let text = "a b'c\"d$e";
    let done = lab
        .run(&["exec", "vm1", "--timeout=2m", "--", "echo", text])
        .ok();
    assert_eq!(done.stdout, format!("{text}\n"));
    let done = lab.run(&["exec", "vm1", "--", "sh", "-c", "echo wrong >&2; exit 7"]);
    assert_eq!((done.code, done.stderr.as_str()), (7, "wrong\n"));
    let done = lab
        .run(&["exec", "vm1", "--json", "--", "hostname"])
        .ok()
        .json();
    assert_eq!(done["exitCode"], 0);
    // The guest runs the system of minios.
    let motd = lab.run(&["exec", "vm1", "--", "cat", "/etc/motd"]).ok();
    assert_eq!(motd.stdout, "Welcome to minios.\n");
    // The guest cannot write to the store of the host.
    let written = lab.run(&[
        "exec",
        "vm1",
        "--",
        "sh",
        "-c",
        "touch $(readlink /run/current-system)/x",
    ]);
    assert_ne!(written.code, 0, "{written:?}");
    let done = lab.run(&["ssh", "vm1", "--", "echo", "hello"]).ok();
    assert_eq!(done.stdout, "hello\n");
    assert_eq!(
        milestones(&lab.state("vm1")).last().map(String::as_str),
        Some("ssh")
    );
}
