//! Guests that the configuration of the machine declares.

use std::fs;

use serde_json::json;

use crate::support::{GuestLab, strings};

#[test]
fn declared_guests_are_started_changed_and_removed() {
    let Some(lab) = GuestLab::new("declared_guests_are_started_changed_and_removed") else {
        return;
    };
    let system = lab.fake_system();
    let file = lab.env.path("machines.json");
    let declare = |machines: serde_json::Value| {
        let document = json!({ "schema": 1, "machines": machines });
        fs::write(&file, document.to_string()).expect("written");
    };
    let store = lab.env.path("fake-store");
    let machine = |memory: u64| {
        json!({
            "system": system, "kernel": lab.kernel, "modules": null, "shares": { "store": store },
            "memory": memory, "cpus": 1, "sshPort": null, "kernelParams": ["test.prompt"],
        })
    };
    let shown = file.display().to_string();
    let initrd = format!("--initrd={}", lab.initrd.display());
    let words = [
        "apply",
        "--file",
        &shown,
        "--accelerator=tcg",
        "--timeout=200ms",
        &initrd,
    ];
    let apply = |more: &[&str]| lab.run(&[&words[..], more].concat());

    let missing = apply(&[]).ends_with(5);
    assert!(
        missing
            .stderr
            .contains("cannot apply the declared guests: "),
        "{missing:?}"
    );
    declare(json!({}));
    assert_eq!(apply(&[]).ok().stdout, "no guests are declared\n");

    declare(json!({ "a": machine(160), "b": machine(160) }));
    let planned = apply(&["--dry-run"]).ok();
    assert_eq!(planned.stdout, "start    a\nstart    b\n");
    // Nobody can answer the question.
    let refused = apply(&[]).ends_with(5);
    assert!(
        refused
            .stderr
            .contains("the plan was not confirmed; nothing was changed"),
        "{refused:?}"
    );
    lab.nothing_is_left("after a plan");

    let applied = apply(&["--yes", "--json"]).ok().json();
    assert_eq!(strings(&applied["started"]), ["a", "b"]);
    let first = lab.state("b")["supervisor"].clone();
    // A guest of the user is not declared, and stays.
    let mut own = lab.boot(
        "run",
        "own",
        &system.display().to_string(),
        &["--append=test.hang"],
    );
    own.until("QEMU runs");
    declare(json!({ "b": machine(192), "c": machine(160) }));
    let planned = apply(&["--dry-run"]).ok();
    assert_eq!(planned.stdout, "start    c\nrestart  b\nremove   a\n");
    declare(json!({ "b": machine(192) }));
    let applied = apply(&["--yes", "--json"]).ok().json();
    assert_eq!(strings(&applied["restarted"]), ["b"]);
    assert_eq!(strings(&applied["removed"]), ["a"]);
    assert_ne!(lab.state("b")["supervisor"], first);
    assert_eq!(lab.state("b")["memory"], 192);
    assert_eq!(apply(&[]).ok().stdout, "keep     b\n");
    declare(json!({}));
    apply(&["--yes"]).ok();
    assert_eq!(
        lab.run(&["list", "--json"]).ok().json()["guests"][0]["name"],
        "own"
    );
    lab.run(&["stop", "own", "--now"]).ok();
    own.end().ok();
    lab.nothing_is_left("after apply");
}
