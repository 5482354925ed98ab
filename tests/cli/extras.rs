//! Additions to the configuration's own modules: files, modules of other flakes, and specialisations.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::{TestEnv, strings};

/// Returns a module that writes `text` to `/etc/NAME`.
fn writes(name: &str, text: &str) -> String {
    format!("{{ environment.etc.{name}.text = \"{text}\\n\"; }}\n")
}

#[test]
fn module_file_lasts_for_one_change() {
    let env = TestEnv::new();
    let base = env.running();
    let file = env.path("extra.nix");
    fs::write(&file, writes("extra", "one")).expect("written");
    env.run(&["enable", "inline", "--module", "./extra.nix"])
        .ok()
        .golden("enable-with-a-file");
    assert_eq!(env.etc("extra").as_deref(), Some("one\n"));
    assert!(env.etc("inline").is_some());
    env.run(&["status"]).ok().golden("status-with-a-file");
    let rooted = fs::read_dir(env.root("run/runtime-modules/roots")).expect("roots");
    let source = env.state()["pin"]["extras"][0]["source"].clone();
    let source = source.as_str().expect("a path").to_string();
    let is_it = |entry: std::io::Result<fs::DirEntry>| {
        fs::read_link(entry.expect("an entry").path())
            .is_ok_and(|to| to.display().to_string() == source)
    };
    assert!(rooted.into_iter().any(is_it), "{source} has no GC root");

    // The result is cached until the content of the file changes.
    let why = |arguments: &[&str]| env.json(arguments)["cache"].clone();
    let again = ["apply", "--module", "./extra.nix", "--dry-run"];
    assert_eq!(why(&again)["hit"], true);
    fs::write(&file, writes("extra", "two")).expect("written");
    let changed = why(&again);
    assert_eq!(changed["hit"], false, "{changed}");
    assert_eq!(changed["why"], "changed since: the extra modules");

    // The next change does not include the file, and prints a note.
    env.run(&["enable", "web", "--progress", "plain"])
        .ok()
        .golden("extra-file-gone");
    assert_eq!(env.etc("extra"), None);
    // Rolling back restores it.
    env.run(&["rollback"]).ok();
    assert_eq!(env.etc("extra").as_deref(), Some("one\n"));
    let history = env.run(&["history"]).ok().stdout;
    assert!(history.contains("inline, ./extra.nix"), "{history}");
    env.run(&["reset"]).ok();
    assert_eq!((env.running(), env.etc("extra")), (base, None));
}

#[test]
fn kept_module_lasts_until_reset() {
    let env = TestEnv::new();
    let base = env.running();
    let folder = env.path("folder");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("default.nix"), "{ imports = [ ./part.nix ]; }").expect("written");
    fs::write(folder.join("part.nix"), writes("part", "of a folder")).expect("written");
    symlink(&folder, env.path("link")).expect("a link");
    env.run(&["enable", "--module", "./link", "--keep"]).ok();
    assert_eq!(env.etc("part").as_deref(), Some("of a folder\n"));
    assert_eq!(env.active(), Vec::<String>::new());
    // Later runs use the copy from the first run, even if the folder is gone and the current
    // directory is different.
    fs::remove_dir_all(&folder).expect("removed");
    let mut elsewhere = env.command(["enable", "inline"]);
    elsewhere.current_dir("/");
    env.start_running(elsewhere).end().ok();
    assert!(env.etc("part").is_some() && env.etc("inline").is_some());
    env.run(&["disable", "inline"]).ok();
    assert!(env.etc("part").is_some());
    env.run(&["status"])
        .ok()
        .golden("status-with-a-kept-folder");
    // After an external switch, `apply` enables the kept module again with the requested modules.
    env.switch_by_hand(&base);
    env.run(&["apply"]).ok();
    assert!(env.etc("part").is_some());
    // `disable` with the name of the kept module removes it.
    env.run(&["enable", "inline"]).ok();
    env.run(&["disable", "./link"]).ok();
    assert_eq!(env.etc("part"), None);
    assert_eq!(env.active(), ["inline"]);
    env.run(&["reset"]).ok();
    assert_eq!(env.running(), base);
}

#[test]
fn module_of_another_flake_is_enabled() {
    let env = TestEnv::new();
    let other = env.path("other");
    fs::create_dir(&other).expect("a folder");
    fs::write(env.path("text"), "from an input\n").expect("written");
    let flake = format!(
        r#"{{
  inputs.text = {{ url = "path:{}"; flake = false; }};
  outputs = {{ self, text, ... }}: {{
    nixosModules.default = {{ environment.etc.other.text = "default\n"; }};
    nixosModules.input = {{ environment.etc.other.text = builtins.readFile text; }};
    runtimeModules.described = {{ module = ./module.nix; description = "One"; }};
    deep.down.it = ./module.nix;
  }};
}}"#,
        env.path("text").display()
    );
    fs::write(other.join("flake.nix"), flake).expect("written");
    fs::write(other.join("module.nix"), writes("other", "a file of it")).expect("written");
    for (reference, text) in [
        ("path:./other", "default\n"),
        ("./other#input", "from an input\n"),
        ("path:./other#described", "a file of it\n"),
        ("path:./other#deep.down.it", "a file of it\n"),
        ("path:./other#nixosModules.default", "default\n"),
    ] {
        env.run(&["apply", "--module", reference]).ok();
        assert_eq!(env.etc("other").as_deref(), Some(text), "{reference}");
    }
    env.run(&[
        "enable",
        "inline",
        "--module",
        "path:./other#input",
        "--keep",
    ])
    .ok();
    env.run(&["status"])
        .ok()
        .golden("status-with-another-flake");
    // Neither the flake nor its input is needed again.
    fs::remove_dir_all(&other).expect("removed");
    fs::remove_file(env.path("text")).expect("removed");
    env.run(&["enable", "web"]).ok();
    assert_eq!(env.etc("other").as_deref(), Some("from an input\n"));
}

#[test]
fn unusable_extra_modules_are_refused() {
    let env = TestEnv::new();
    let before = env.everything();
    fs::write(env.path("alone.nix"), "{ imports = [ ./beside.nix ]; }").expect("written");
    fs::write(env.path("wrong.nix"), "{\n  environment.etc = 7;\n}\n").expect("written");
    let other = env.path("other");
    fs::create_dir(&other).expect("a folder");
    fs::write(
        other.join("flake.nix"),
        "{ outputs = _: { nixosModules.one = { }; }; }",
    )
    .expect("written");
    for (module, code, golden) in [
        ("./nowhere.nix", 2, "module-nowhere"),
        ("./alone.nix", 3, "module-not-alone"),
        ("./wrong.nix", 3, "module-wrong"),
        ("path:./other#two", 2, "module-of-a-flake-unknown"),
        ("path:./nowhere#two", 3, "module-of-a-flake-nowhere"),
    ] {
        env.run(&["enable", "inline", "--module", module, "--progress", "off"])
            .ends_with(code)
            .golden(golden);
    }
    env.run(&["reset", "--module", "./wrong.nix"])
        .ends_with(2)
        .golden("module-with-reset");
    env.run(&["enable", "inline", "--keep"]).ends_with(2);
    before.is_still(&env.everything());
}

/// Returns the specialisation `travel` of a system, with its link resolved as in the records.
fn travel_of(system: &Path) -> PathBuf {
    let link = system.join("specialisation/travel");
    link.canonicalize().expect("a specialisation")
}

#[test]
fn running_specialisation_is_extended() {
    let env = TestEnv::fixture().start("spec");
    let base = env.running();
    let travel = travel_of(&base);
    env.run(&["enable", "hello"]).ok();
    let with_hello = env.running();
    assert_ne!(env.etc("motd").as_deref(), Some("On the way.\n"));

    // A user switches to the specialisation of the running system, as on any NixOS machine.
    let switch = with_hello.join("specialisation/travel/bin/switch-to-configuration");
    let switched = env
        .other(switch)
        .arg("test")
        .status()
        .expect("the switch program");
    assert!(switched.success());
    let varied = env.running();
    env.run(&["status"]).ok().golden("status-specialisation");
    env.run(&["apply"]).ok().golden("apply-specialisation");
    assert_eq!(env.running(), varied, "hello is already enabled in it");
    assert_eq!(env.active(), ["hello"]);
    assert_eq!(env.state()["pin"]["specialisation"], "travel");
    assert_eq!(
        env.state()["base"]["toplevel"],
        travel.display().to_string(),
        "without modules, the base is the specialisation"
    );
    env.run(&["disable", "hello"]).ok();
    assert_eq!(env.running(), travel);
    env.run(&["enable", "hello"]).ok();
    assert_eq!(env.running(), varied);
    env.run(&["rollback"]).ok();
    assert_eq!(env.running(), travel);
    env.run(&["enable", "hello"]).ok();
    env.run(&["reset"]).ok();
    assert_eq!(env.running(), travel);
    assert_eq!(env.etc("motd").as_deref(), Some("On the way.\n"));
}

#[test]
fn specialisation_can_be_selected_and_left() {
    let env = TestEnv::fixture().start("spec");
    let base = env.running();
    let travel = travel_of(&base);
    let document = env.json(&["enable", "hello", "--specialisation", "travel"]);
    assert_eq!(document["specialisation"], "travel");
    assert_eq!(strings(&document["modules"]), ["hello"]);
    assert_eq!(env.etc("motd").as_deref(), Some("On the way.\n"));
    env.run(&["disable", "hello"]).ok();
    assert_eq!(env.running(), travel);
    env.run(&["apply", "--specialisation", ""]).ok();
    assert_eq!(env.running(), base);
    // A specialisation selected at boot, before any state existed, is recognised from the system
    // profile.
    fs::remove_dir_all(env.root("run/runtime-modules")).expect("no state");
    fs::create_dir_all(env.root("nix/var/nix/profiles")).expect("a folder");
    symlink(&base, env.root("nix/var/nix/profiles/system")).expect("a profile");
    env.switch_by_hand(&travel);
    let document = env.json(&["enable", "hello"]);
    assert_eq!(document["specialisation"], "travel");
    env.run(&["reset"]).ok();
    assert_eq!(env.running(), travel);
    env.run(&["apply", "--specialisation", "tarvel", "--progress", "off"])
        .ends_with(2)
        .golden("specialisation-unknown");
    let bare = TestEnv::fixture().start("bare");
    bare.run(&["apply", "--specialisation", "travel", "--progress", "off"])
        .ends_with(2)
        .golden("specialisation-none");
}

#[test]
fn nixconfig_needs_accept_flake_config() {
    let text = "nixConfig.extra-substituters = [ \"file:///nowhere-at-all\" ];\n  nixConfig.max-jobs = 0;\n  outputs =";
    let env = TestEnv::fixture().edit("flake.nix", |flake| flake.replacen("outputs =", text, 1));
    let flake = env.flake();
    let apply = ["apply", "--flake", &flake, "--host", "box"];
    let accept = "--accept-flake-config";
    // With max-jobs = 0 every build fails.
    let built = env.run(&[&apply[..], &[accept]].concat()).ends_with(4);
    assert!(!built.stderr.contains("nixConfig"), "{}", built.stderr);
    let ran = env.run(&apply).ok();
    let found: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.contains("nixConfig"))
        .collect();
    assert_eq!(
        found,
        [
            "the flake's nixConfig settings are ignored: extra-substituters, max-jobs; use --accept-flake-config to apply them"
        ]
    );
    // The `nixConfig` of the pinned flake also needs the option.
    env.run(&["enable", "inline", accept]).ends_with(4);
    env.run(&["enable", "inline"]).ok();
}
