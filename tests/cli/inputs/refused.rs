//! An unrequested change to the base is refused unless it is allowed.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{TestHost, reference};
use crate::support::{compare, read_json};

fn says(text: &str) -> String {
    format!("{{ outputs = _: {{ text = \"{text}\\n\"; }}; }}")
}

/// Edits the baked configuration of the running system. The next switch overwrites it.
fn bake(host: &TestHost, change: impl FnOnce(&mut Value)) {
    let path = host.env.root("etc/runtime-modules/config.json");
    let mut baked = read_json(&path);
    change(&mut baked);
    fs::remove_file(&path).expect("baked");
    fs::write(&path, baked.to_string()).expect("written");
}

/// Makes a host whose input differs from the one in its lock file. Simulates a build with an older
/// NixOS module, which did not record the difference.
fn built_long_ago(test: &str) -> Option<TestHost> {
    let host = TestHost::new(test)?;
    let site = host.flake("site", &says("public"));
    let private = reference(&host.flake("private", &says("private")));
    let inputs = format!("inputs.site.url = \"{}\";", reference(&site));
    let folder = host.host("f", &inputs, "inputs.site.text");
    host.lock(&folder);
    host.rebuild(&folder, &["--override-input", "site", &private]);
    bake(&host, |baked| {
        let flake = baked["flake"].as_object_mut().expect("a flake");
        flake.remove("inputGraph").expect("a graph");
    });
    Some(host)
}

/// Compares a text with a golden file, without the parts that vary between runs.
fn compare_stable_lines(host: &TestHost, name: &str, text: &str) {
    let lines = text.lines().filter(|line| !line.contains("flake.lock has"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    compare(name, &host.env.normalise(&text));
}

#[test]
fn changed_base_is_refused_and_names_the_input() {
    let Some(host) = built_long_ago("changed_base_is_refused_and_names_the_input") else {
        return;
    };
    let base = host.env.running();
    let refused = host.quiet(&["enable", "hello"]).ends_with(5);
    let input = "input site: flake.lock has ";
    assert!(refused.stderr.contains(input), "{}", refused.stderr);
    compare_stable_lines(&host, "base-differs", &refused.text());
    assert_eq!(host.env.running(), base);
    assert!(!host.env.root("run/runtime-modules/state.json").exists());
    let dry = host.env.json(&["enable", "hello", "--dry-run"]);
    let objections = &dry["preflight"]["objections"];
    assert_eq!(objections[0]["allow"], "base-differs", "{dry:#}");
    assert_eq!(
        dry["comparison"],
        json!({"same": false, "cached": true, "milliseconds": 0.0})
    );
}

#[test]
fn allowed_change_of_the_base_is_reported_once() {
    let Some(host) = built_long_ago("allowed_change_of_the_base_is_reported_once") else {
        return;
    };
    let base = host.env.running();
    let allowed = host
        .env
        .run(&["enable", "hello", "--allow", "base-differs"])
        .ok();
    let note = "overridden by --allow base-differs: cannot enable hello: the base would change";
    for text in [note, "input site: flake.lock has "] {
        assert!(allowed.stderr.contains(text), "{}", allowed.stderr);
    }
    assert_eq!(host.env.etc("site").as_deref(), Some("public\n"));
    assert_eq!(host.env.json(&["status"])["baseStatus"], "differs");
    let status = host.env.run(&["status"]).ok();
    assert!(
        status.stdout.contains("differs from its source"),
        "{}",
        status.stdout
    );
    // The next change needs no `--allow`.
    host.quiet(&["enable", "empty"]).ok();
    host.quiet(&["reset"]).ok();
    assert_eq!(host.env.running(), base);
    assert_eq!(host.env.etc("site").as_deref(), Some("private\n"));
}

#[test]
fn base_is_compared_once_for_each_base() {
    let Some(host) = TestHost::new("base_is_compared_once_for_each_base") else {
        return;
    };
    let folder = host.host("f", "", "\"plain\\n\"");
    host.rebuild(&folder, &[]);
    let status = host.env.run(&["status"]).ok();
    assert!(
        status.stdout.contains("not yet compared"),
        "{}",
        status.stdout
    );
    assert_eq!(host.env.json(&["status"])["baseStatus"], "never-compared");
    let first = host.env.json(&["enable", "hello"]);
    assert_eq!(first["comparison"]["same"], true, "{first:#}");
    assert_eq!(first["comparison"]["cached"], false);
    let took = first["comparison"]["milliseconds"].as_f64();
    assert!(took.is_some_and(|time| time > 0.0), "{first:#}");
    assert_eq!(first["phases"]["compare"].as_f64(), took);
    assert_eq!(host.env.json(&["status"])["baseStatus"], "same");
    // Later changes use the result in the pin.
    let second = host.env.json(&["enable", "empty"]);
    assert!(second["comparison"].is_null(), "{second:#}");
    assert!(second["phases"]["compare"].is_null(), "{second:#}");
    // After a reboot, the result comes from the cache.
    host.quiet(&["reset"]).ok();
    fs::remove_dir_all(host.env.root("run/runtime-modules")).expect("removed");
    let later = host.env.json(&["enable", "hello", "--dry-run"]);
    assert_eq!(later["comparison"]["cached"], true, "{later:#}");
    let again = host
        .env
        .json(&["enable", "hello", "--dry-run", "--no-cache", "--low-memory"]);
    assert_eq!(again["comparison"]["same"], true, "{again:#}");
    assert_eq!(again["comparison"]["cached"], false, "{again:#}");
}

/// Makes a host that has no baked flake, only a `flakeUrl`, and whose flake has changed since the build.
fn moved_on(test: &str) -> Option<(TestHost, PathBuf)> {
    let host = TestHost::new(test)?;
    let folder = host.host("f", "", "\"old\\n\"");
    let file = folder.join("host.nix");
    let text = fs::read_to_string(&file).expect("a host");
    let unsaid = format!(
        "services.runtimeModules.flakeUrl = \"{}\";",
        reference(&folder)
    );
    let text = text.replace("services.runtimeModules.flake = self;", &unsaid);
    fs::write(file, text).expect("written");
    host.rebuild(&folder, &[]);
    let flake = folder.join("flake.nix");
    let text = fs::read_to_string(&flake).expect("a flake");
    fs::write(flake, text.replace("old", "new")).expect("written");
    Some((host, folder))
}

#[test]
fn first_pin_that_moves_the_base_is_refused() {
    let Some((host, _)) = moved_on("first_pin_that_moves_the_base_is_refused") else {
        return;
    };
    let base = host.env.running();
    let refused = host.quiet(&["enable", "hello"]).ends_with(5);
    compare_stable_lines(&host, "base-differs-first-pin", &refused.text());
    assert_eq!(host.env.running(), base);
    host.quiet(&["enable", "hello", "--dry-run"])
        .ok()
        .golden("base-differs-dry-run");
    // An explicit `rebuild` is not refused.
    host.quiet(&["rebuild"]).ok();
    assert_eq!(host.env.etc("site").as_deref(), Some("new\n"));
    host.quiet(&["enable", "hello"]).ok();
    assert_eq!(host.env.json(&["status"])["baseStatus"], "same");
}

#[test]
fn named_flake_may_move_the_base() {
    let Some((host, folder)) = moved_on("named_flake_may_move_the_base") else {
        return;
    };
    let flake = reference(&folder);
    host.quiet(&["enable", "hello", "--flake", &flake]).ok();
    assert_eq!(host.env.etc("site").as_deref(), Some("new\n"));
    assert_eq!(host.env.json(&["status"])["baseStatus"], "same");
}

#[test]
fn failed_comparison_is_refused() {
    let Some(host) = TestHost::new("failed_comparison_is_refused") else {
        return;
    };
    // The host no longer evaluates alone, but still evaluates with the module.
    let text = "if builtins.pathExists ./broken then throw \"the site is closed\" else \"open\\n\"";
    let folder = host.host(
        "f",
        "",
        &format!("inputs.self.nixosConfigurations.box.lib.mkDefault ({text})"),
    );
    fs::write(
        folder.join("hello.nix"),
        "{ environment.etc.site.text = \"hello\\n\"; }",
    )
    .expect("written");
    host.rebuild(&folder, &[]);
    fs::write(folder.join("broken"), "").expect("written");
    let source = host.nix(&[
        "store",
        "add",
        "--name",
        "source",
        &folder.display().to_string(),
    ]);
    let base = host.env.running();
    bake(&host, |baked| {
        baked["flake"]["source"] = json!(source);
        baked["flake"]["url"] = json!(format!("path:{source}"));
        baked["flake"]["narHash"] = Value::Null;
    });
    let refused = host.quiet(&["enable", "hello"]).ends_with(5);
    let text = "cannot enable hello: the base cannot be compared";
    assert!(refused.stderr.contains(text), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("the site is closed"),
        "{}",
        refused.stderr
    );
    assert_eq!(host.env.running(), base);
}
