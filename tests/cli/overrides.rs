//! Option overrides: `set`, `unset` and `overrides`.

use std::fs;

use serde_json::{Value, json};

use crate::support::{TestEnv, nix, read_json};

const MOTD: &str = "environment.etc.motd.text";

impl TestEnv {
    /// Overrides the message of the day.
    fn set_motd(&self, text: &str) -> crate::support::Ran {
        self.run(&["set", MOTD, &json!(text).to_string()])
    }

    fn motd(&self) -> String {
        self.etc("motd").unwrap_or_default()
    }
}

#[test]
fn overridden_option_changes_the_running_system() {
    let env = TestEnv::new();
    let base = env.running();
    env.set_motd("one\n").ok().golden("set-one");
    assert_eq!(env.motd(), "one\n");
    env.run(&["overrides"]).ok().golden("overrides-list");
    env.run(&["status"]).ok().golden("status-overrides");

    env.run(&["unset", MOTD]).ok().golden("unset");
    assert_eq!(env.running(), base);
    env.run(&["overrides"]).ok().golden("overrides-none");
    env.run(&["overrides", "reset"])
        .ok()
        .golden("overrides-reset-none");
}

#[test]
fn later_override_wins() {
    let env = TestEnv::new();
    for text in ["one\n", "two\n", "three\n"] {
        env.set_motd(text).ok();
        assert_eq!(env.motd(), text);
    }
    let list = env.json(&["overrides", "list"]);
    assert_eq!(list["generation"], 3);
    let overrides = list["overrides"].as_array().expect("a list");
    assert_eq!(overrides.len(), 1, "{list}");
    assert_eq!(overrides[0]["priority"], -3);
    // Setting the same value again also creates a generation.
    env.set_motd("three\n").ok();
    assert_eq!(env.json(&["overrides"])["generation"], 4);
}

#[test]
fn modules_and_overrides_are_independent() {
    let env = TestEnv::new();
    let base = env.running();
    env.run(&["enable", "hello"]).ok();
    env.set_motd("set\n").ok();
    assert_eq!(env.unit("hello.service").as_deref(), Some("active"));
    env.run(&["enable", "web"]).ok();
    assert_eq!(env.motd(), "set\n");
    env.run(&["disable", "hello", "web"]).ok();
    assert_eq!(
        (env.motd().as_str(), env.unit("hello.service")),
        ("set\n", None)
    );

    env.run(&["enable", "hello"]).ok();
    env.run(&["reset"]).ok().golden("reset-keeps-overrides");
    assert_eq!(
        (env.motd().as_str(), env.unit("hello.service")),
        ("set\n", None)
    );
    env.run(&["reset"]).ok().golden("reset-overrides-only");
    env.run(&["rebuild", "--flake", &env.flake(), "--host", "box"])
        .ok();
    assert_eq!(env.motd(), "set\n");

    env.run(&["reset", "--all"]).ok().golden("reset-all");
    assert_eq!(env.running(), base);
    assert_eq!(env.json(&["overrides"])["overrides"], json!([]));
}

#[test]
fn generations_are_listed_compared_and_restored() {
    let env = TestEnv::new();
    let base = env.running();
    env.run(&["overrides", "rollback"])
        .ends_with(5)
        .golden("overrides-rollback-none");
    env.run(&["set", MOTD, "\"one\\n\"", "--message", "a reason"])
        .ok();
    env.set_motd("two\n").ok();
    env.run(&["overrides", "rollback"])
        .ok()
        .golden("overrides-rollback");
    assert_eq!(env.motd(), "one\n");
    let history = env.json(&["overrides", "history"]);
    let generations = history["generations"].as_array().expect("a list");
    assert_eq!(generations.len(), 3);
    assert_eq!(generations[0]["message"], "a reason");
    assert_eq!(generations[2]["edit"]["kind"], "rollback");
    let user = unix::unistd::User::from_uid(unix::unistd::getuid());
    let user = user.ok().flatten().map(|user| user.name);
    assert_eq!(generations[0]["user"].as_str().map(String::from), user);

    env.run(&["overrides", "show", "2"])
        .ok()
        .golden("overrides-show");
    env.run(&["overrides", "diff", "1", "2"])
        .ok()
        .golden("overrides-diff");
    env.run(&["overrides", "show", "9"])
        .ends_with(2)
        .golden("overrides-show-unknown");
    env.run(&["overrides", "rollback", "9"])
        .ends_with(2)
        .golden("overrides-rollback-unknown");
    env.run(&["overrides", "reset"])
        .ok()
        .golden("overrides-reset");
    assert_eq!(env.running(), base);

    // `rollback` returns to the modules and overrides of an earlier state.
    env.run(&["rollback"]).ok();
    assert_eq!(env.motd(), "one\n");
    assert_eq!(env.json(&["overrides"])["generation"], 5);
}

#[test]
fn batch_is_one_generation() {
    let env = TestEnv::new();
    let batch = "# a comment\n\nenvironment.etc.motd.text \"batch\\n\"\nenvironment.etc.\"a.b\".text \"two words\"\n";
    let mut command = env.command(["set", "-"]);
    let file = env.path("batch");
    fs::write(&file, batch).expect("a file");
    command.stdin(fs::File::open(&file).expect("a file"));
    let done = command.output().expect("a run");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(
        (env.motd().as_str(), env.etc("a.b").as_deref()),
        ("batch\n", Some("two words"))
    );
    assert_eq!(env.json(&["overrides"])["generation"], 1);
}

#[test]
fn merged_values_are_added() {
    let env = TestEnv::new();
    let environment = "systemd.services.heartbeat.environment";
    env.run(&["set", "--full", "--merge", environment, r#"{"EXTRA":"1"}"#])
        .ok();
    let unit = fs::read_to_string(env.running().join("etc/systemd/system/heartbeat.service"));
    let unit = unit.expect("a unit");
    assert!(unit.contains("EXTRA=1") && unit.contains("PATH="), "{unit}");
    let list = env.json(&["overrides"]);
    assert_eq!(list["overrides"][0]["mode"], "merge");
    assert_eq!(list["overrides"][0].get("priority"), None);
}

#[test]
fn unusable_options_and_values_are_refused() {
    let env = TestEnv::new();
    let before = env.everything();
    let cases: &[(&str, &[&str])] = &[
        ("set-unknown", &["environment.etcc.motd.text", "1"]),
        ("set-namespace", &["environment", "1"]),
        ("set-type", &["environment.etc.motd.text", "1"]),
        (
            "set-nested-type",
            &["environment.etc", r#"{"motd":{"text":1}}"#],
        ),
        ("set-list-element", &["boot.kernelParams.quiet", "1"]),
        (
            "set-property",
            &["boot", r#"{"a":{"_type":"if","condition":false}}"#],
        ),
        ("set-not-json", &["environment.etc.motd.text", "hello"]),
        ("set-no-value", &["environment.etc.motd.text"]),
        (
            "set-twice",
            &[
                "environment.etc.motd.text",
                "\"a\"",
                "environment.etc.motd.text",
                "\"b\"",
            ],
        ),
        ("set-path", &["environment..text", "1"]),
        ("set-control", &["environment.etc.motd.text", "\"\\u0007\""]),
        (
            "set-priority",
            &[
                "environment.etc.motd.text",
                "\"a\"",
                "--priority",
                "-1",
                "--merge",
            ],
        ),
    ];
    for (name, arguments) in cases {
        let all: Vec<&str> = ["set"].iter().chain(*arguments).copied().collect();
        let ran = env.run(&all);
        assert_ne!(ran.code, 0, "{name}");
        ran.golden(name);
    }
    before.is_still(&env.everything());
    env.run(&["unset", MOTD]).ends_with(2).golden("unset-none");
}

#[test]
fn failing_overrides_change_nothing() {
    let env = TestEnv::new();
    env.set_motd("before\n").ok();
    let state = env.state();
    // This unit fails to start.
    let service = r#"{"wantedBy":["multi-user.target"],"serviceConfig":{"Type":"oneshot"},"script":"exit 1"}"#;
    env.run(&["set", "systemd.services.failing", service])
        .ends_with(6);
    assert_eq!(env.state()["overrides"], state["overrides"]);
    assert_eq!(env.motd(), "before\n");
    assert_eq!(
        env.json(&["overrides", "history"])["generations"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    env.set_motd("after\n").ok();
    assert_eq!(env.json(&["overrides"])["generation"], 2);
}

#[test]
fn dry_run_records_nothing() {
    let env = TestEnv::new();
    let before = env.state();
    env.run(&["set", MOTD, "\"dry\"", "--dry-run"])
        .ok()
        .golden("set-dry-run");
    assert_eq!(env.state(), before);
    assert_eq!(env.json(&["overrides"])["generation"], 0);
}

#[test]
fn unconfirmed_override_is_undone() {
    let env = TestEnv::new();
    env.run(&["set", MOTD, "\"short\"", "--confirm", "1h"]).ok();
    assert_eq!(
        (
            env.motd().as_str(),
            env.json(&["overrides"])["generation"].as_u64()
        ),
        ("short", Some(0))
    );
    env.run(&["rollback"]).ok();
    assert_eq!(env.motd(), "Welcome to minios.\n");
    env.run(&["set", MOTD, "\"kept\"", "--confirm", "1h"]).ok();
    env.run(&["confirm"]).ok();
    assert_eq!(
        (
            env.motd().as_str(),
            env.json(&["overrides"])["generation"].as_u64()
        ),
        ("kept", Some(1))
    );
    assert_eq!(
        env.json(&["overrides", "history"])["generations"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn exported_module_evaluates_to_the_same_toplevel() {
    let env = TestEnv::new();
    env.set_motd("exported ${x} \"quoted\"\n").ok();
    env.run(&[
        "set",
        "--full",
        "--merge",
        "systemd.services.heartbeat.environment",
        r#"{"A":"b"}"#,
    ])
    .ok();
    let with_overrides = env.running();
    let export = env
        .run(&["overrides", "export"])
        .ok()
        .golden("overrides-export");
    let file = env.path("exported.nix");
    fs::write(&file, &export.stdout).expect("a module");
    env.run(&["reset", "--all"]).ok();
    env.run(&["enable", "--module", &file.display().to_string()])
        .ok();
    assert_eq!(env.running(), with_overrides);
}

#[test]
fn persistent_overrides_survive_a_reboot() {
    let env = TestEnv::new();
    env.run(&["set", MOTD, "\"kept\"", "--persist"]).ok();
    env.run(&["set", "environment.etc.other.text", "\"gone\""])
        .ok();
    let kept = read_json(&env.root("var/lib/runtime-modules/overrides.json"));
    assert_eq!(
        kept["definitions"].as_array().map(Vec::len),
        Some(1),
        "{kept}"
    );

    // A boot empties /run and starts the system without overrides.
    let base = env.state()["base"]["toplevel"].clone();
    env.switch_by_hand(std::path::Path::new(base.as_str().expect("a base")));
    fs::remove_dir_all(env.root("run/runtime-modules")).expect("an empty /run");
    let list = env.json(&["overrides"]);
    assert_eq!(list["overrides"][0]["value"], "kept");
    env.run(&["status"])
        .ok()
        .golden("status-overrides-inactive");
    env.run(&["apply"]).ok().golden("apply-overrides");
    assert_eq!((env.motd().as_str(), env.etc("other")), ("kept", None));
    assert_eq!(env.json(&["overrides"])["generation"], 1);

    fs::remove_dir_all(env.root("run/runtime-modules")).expect("an empty /run");
    fs::create_dir_all(env.root("proc")).expect("a folder");
    fs::write(
        env.root("proc/cmdline"),
        "quiet runtime-modules.overrides=0\n",
    )
    .expect("a file");
    assert_eq!(
        env.json(&["overrides"])["overrides"],
        Value::Array(Vec::new())
    );
}

#[test]
fn damaged_record_of_overrides_is_refused() {
    let env = TestEnv::new();
    env.set_motd("one\n").ok();
    let file = env.root("run/runtime-modules/overrides");
    let whole = fs::read(&file).expect("the record");
    fs::write(&file, b"garbage\n").expect("damaged");
    env.set_motd("two\n")
        .ends_with(5)
        .golden("overrides-damaged");
    assert_eq!(env.motd(), "one\n");
    fs::write(&file, whole).expect("mended");
    env.set_motd("two\n").ok();
}

#[test]
fn cached_result_belongs_to_its_overrides() {
    let env = TestEnv::new();
    env.set_motd("one\n").ok();
    env.run(&["unset", MOTD]).ok();
    let hit = |ran: Value| ran["cache"]["hit"].as_bool();
    env.run(&["enable", "hello"]).ok();
    let again = env.json(&["set", "--full", MOTD, "\"two\\n\""]);
    assert_eq!(hit(again), Some(false));
    env.run(&["unset", MOTD]).ok();
    assert_eq!(env.motd(), "Welcome to minios.\n");
    let again = env.json(&["set", "--full", MOTD, "\"two\\n\""]);
    assert_eq!(hit(again), Some(false), "the priority differs");
    assert_eq!(env.motd(), "two\n");
}

impl TestEnv {
    /// Sets an option to the value of a Nix expression.
    fn set_nix(&self, option: &str, expression: &str) -> crate::support::Ran {
        self.quiet(&["set", "--nix", option, expression])
    }
}

#[test]
fn expression_sees_configuration_and_stores_its_value() {
    let env = TestEnv::new();
    env.set_motd("now\n").ok();
    // The expression reads an overridden option and the module arguments config, lib and options.
    // It ends with a comment.
    env.set_nix(
        "environment.etc.said.text",
        "let old = config.environment.etc.motd.text; in\nlib.concatStrings [ old config.networking.hostName \" \" (if options ? networking then \"yes\" else \"no\") ] # end",
    )
    .ok();
    assert_eq!(env.etc("said").as_deref(), Some("now\nbox yes"));
    let list = env.json(&["overrides"]);
    assert_eq!(list["overrides"][1]["value"], "now\nbox yes");
    // The value does not change with the configuration.
    env.set_motd("later\n").ok();
    assert_eq!(env.etc("said").as_deref(), Some("now\nbox yes"));
    // Set several options in one command, and then merge a set into an option.
    env.quiet(&[
        "set",
        "--nix",
        "environment.etc.a.text",
        "toString (1 + 1)",
        "environment.etc.b.text",
        "\"b\"",
        "--dry-run",
    ])
    .ok();
    let merged = [
        "set",
        "--full",
        "--nix",
        "--merge",
        "systemd.services.heartbeat.environment",
    ];
    env.quiet(
        &[
            &merged[..],
            &["{ A = \"1\"; B = config.networking.hostName; }"],
        ]
        .concat(),
    )
    .ok();
    let unit = fs::read_to_string(env.running().join("etc/systemd/system/heartbeat.service"));
    assert!(unit.expect("a unit").contains("B=box"));
}

#[test]
fn value_of_an_expression_keeps_its_packages() {
    let env = TestEnv::new();
    env.set_nix("environment.etc.said.text", "\"${pkgs.hello}/bin/hello\"")
        .ok();
    let said = env.etc("said").expect("a file");
    let package = said.strip_suffix("/bin/hello").expect("a package");
    let there = |path: &str| env.path("store").join(name(path)).exists();
    assert!(there(package), "the package was built");
    let list = env.json(&["overrides"]);
    let kept = &list["overrides"][0]["storePaths"][0];
    assert_eq!(kept["path"], package);
    let drv = kept["madeBy"]["drv"].as_str().expect("a derivation");
    // The toplevel is the same as with the expression in a module.
    let with_override = env.running();
    let root = env.root("run/runtime-modules/roots").join(name(drv));
    assert!(root.is_symlink(), "the derivation has a GC root");
    let export = env.run(&["overrides", "export"]).ok();
    let file = env.path("exported.nix");
    fs::write(&file, &export.stdout).expect("a module");
    fs::write(
        env.path("same.nix"),
        "{ lib, pkgs, ... }: { environment.etc.said.text = lib.mkOverride (-1) \"${pkgs.hello}/bin/hello\"; }",
    )
    .expect("a module");
    env.run(&["reset", "--all"]).ok();
    for file in ["exported.nix", "same.nix"] {
        env.run(&["enable", "--module", &env.path(file).display().to_string()])
            .ok();
        assert_eq!(env.running(), with_override, "{file}");
    }
    env.run(&["reset"]).ok();

    // Here, the value is only a package. A persistent override protects its package even after a
    // reboot.
    env.quiet(&[
        "set",
        "--nix",
        "--persist",
        "environment.etc.said.source",
        "pkgs.hello",
    ])
    .ok();
    let root = env.root("var/lib/runtime-modules/roots").join(name(drv));
    assert!(root.is_symlink(), "the derivation has a GC root");
    env.run(&["unset", "environment.etc.said.source"]).ok();
    assert!(!root.is_symlink(), "the GC root was removed");
}

#[test]
fn lost_store_path_of_an_override_is_explained() {
    let env = TestEnv::new();
    let said = "environment.etc.said.text";
    env.set_nix(said, "\"${pkgs.hello}/bin/hello\"").ok();
    let list = env.json(&["overrides"]);
    let drv = list["overrides"][0]["storePaths"][0]["madeBy"]["drv"].clone();
    env.run(&["unset", said]).ok();
    env.run(&["set", "environment.etc.other.text", "\"x\""])
        .ok();
    let Some(nix) = nix("lost_store_path_of_an_override_is_explained") else {
        return;
    };
    // Without its GC root, the derivation can be collected.
    let drv = drv.as_str().expect("a derivation");
    fs::remove_file(env.root("run/runtime-modules/roots").join(name(drv))).expect("a root");
    fs::remove_dir_all(env.path("cache")).expect("a cache");
    let mut collect = env.other(nix);
    collect
        .args([
            "--extra-experimental-features",
            "nix-command",
            "store",
            "gc",
        ])
        .args([
            "--option",
            "keep-derivations",
            "false",
            "--store",
            &env.store(),
        ]);
    assert!(collect.output().expect("nix").status.success());
    env.quiet(&["overrides", "rollback", "1"])
        .ends_with(3)
        .golden("override-without-its-store-path");
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[test]
fn unusable_expressions_are_refused() {
    let env = TestEnv::new();
    let before = env.everything();
    for (name, expression) in [
        ("nix-syntax", "{ a = 1"),
        ("nix-second-expression", "1; 2"),
        ("nix-undefined", "nmae"),
        ("nix-function", "x: x"),
        ("nix-inner-function", "{ a = [ 1 (x: x) ]; }"),
        ("nix-property", "lib.mkForce \"x\""),
        (
            "nix-inner-property",
            "{ a = [ { b = lib.mkIf false 1; } ]; }",
        ),
        ("nix-module", "{ _module.args = { }; }"),
        ("nix-path", "/etc/motd"),
        ("nix-infinite", "{ a = 1.0e308 * 10; }"),
        ("nix-error", "builtins.head [ ]"),
        ("nix-throw", "throw \"no\""),
        ("nix-endless", "let a = { inherit a; }; in a"),
        ("nix-type", "1"),
        ("nix-drv", "pkgs.hello.drvPath"),
        ("nix-hidden", "builtins.substring 0 0 \"${pkgs.hello}\""),
        ("nix-control", "builtins.fromJSON ''\"\\u0007\"''"),
    ] {
        let ran = env.set_nix("environment.etc.said.text", expression);
        assert_ne!(ran.code, 0, "{name}");
        ran.golden(&format!("set-{name}"));
    }
    before.is_still(&env.everything());
}

#[test]
fn check_can_include_the_overrides() {
    let env = TestEnv::new();
    let drvs = |more: &[&str]| {
        let document = env.json(&[&["check", "hello", "web"], more].concat());
        let rows = document["results"].as_array().expect("rows").iter();
        let rows = rows.map(|row| (row["modules"].to_string(), row["drv"].clone()));
        rows.collect::<std::collections::BTreeMap<String, Value>>()
    };
    let ran = env.run(&["check", "hello", "--overrides"]).ok();
    assert!(
        ran.text().contains("no option is overridden"),
        "{}",
        ran.text()
    );
    env.set_motd("checked\n").ok();
    let (without, with) = (drvs(&[]), drvs(&["--overrides"]));
    for (modules, drv) in &with {
        assert_ne!(Some(drv), without.get(modules), "{modules}");
    }
    let enabled = env.json(&["enable", "hello", "--dry-run", "--no-cache"]);
    assert_eq!(with[r#"["hello"]"#], enabled["drv"]);
    // A refused override does not affect later checks.
    let conflict = r#"{"text": null}"#;
    env.run(&["set", "environment.etc.motd", conflict])
        .ends_with(3);
    env.run(&["check", "hello", "--overrides", "--build"]).ok();
}

#[test]
fn temporary_override_hides_a_persistent_one() {
    let env = TestEnv::new();
    let kept =
        || read_json(&env.root("var/lib/runtime-modules/overrides.json"))["definitions"].clone();
    env.run(&["set", MOTD, "\"kept\"", "--persist"]).ok();
    env.run(&["set", MOTD, "\"for now\""]).ok();
    assert_eq!(env.motd(), "for now");
    assert_eq!(kept()[0]["value"], "kept");
    env.run(&["overrides"]).ok().golden("overrides-hidden");
    assert_eq!(env.json(&["overrides"])["afterReboot"][0]["value"], "kept");

    let base = env.state()["base"]["toplevel"].clone();
    env.switch_by_hand(std::path::Path::new(base.as_str().expect("a base")));
    fs::remove_dir_all(env.root("run/runtime-modules")).expect("an empty /run");
    env.run(&["apply"]).ok();
    assert_eq!(env.motd(), "kept");
    // A rollback to the state before the first change since a boot keeps persistent overrides.
    env.run(&["set", MOTD, "\"again\""]).ok();
    env.run(&["overrides", "rollback", "0"]).ok();
    assert_eq!(env.motd(), "kept");
    assert_eq!(kept()[0]["value"], "kept");

    // A boot without the overrides does not lose the persistent ones.
    env.switch_by_hand(std::path::Path::new(base.as_str().expect("a base")));
    fs::remove_dir_all(env.root("run/runtime-modules")).expect("an empty /run");
    fs::create_dir_all(env.root("proc")).expect("a folder");
    fs::write(env.root("proc/cmdline"), "runtime-modules.overrides=0\n").expect("a file");
    env.run(&["set", "environment.etc.other.text", "\"x\""])
        .ok();
    assert_eq!(env.motd(), "Welcome to minios.\n");
    assert_eq!(kept()[0]["value"], "kept");
    env.run(&["unset", "environment.etc.other.text"]).ok();
    env.run(&["overrides", "reset"]).ok();
    assert_eq!(kept(), json!([]));
}

#[test]
fn more_bad_values_are_refused() {
    let env = TestEnv::new();
    let before = env.everything();
    for (name, arguments) in [
        ("nan", &["environment.etc.said.text", "NaN"][..]),
        ("too-large-number", &["environment.etc.said.text", "1e999"]),
        (
            "path-outside-the-store",
            &["environment.systemPackages", "[\"/home/ada/tool\"]"],
        ),
        ("internal", &["system.build", "{\"toplevel\": \"x\"}"]),
    ] {
        let ran = env.quiet(&[&["set"], arguments].concat());
        assert_ne!(ran.code, 0, "{name}");
        ran.golden(&format!("set-{name}"));
    }
    // A value of 10 MB does not fit into an argument.
    let file = env.path("batch");
    let large = format!("environment.etc.said.text \"{}\"\n", "x".repeat(10_000_000));
    fs::write(&file, large).expect("a file");
    let mut command = env.command(["set", "-", "--progress", "off"]);
    command.stdin(fs::File::open(&file).expect("a file"));
    env.start_running(command)
        .end()
        .ends_with(2)
        .golden("set-ten-megabytes");
    before.is_still(&env.everything());
}

/// A module with two options: `loop.enable` makes the evaluation recurse without end, and
/// `loop.fails` makes an assertion fail.
const SWITCHED: &str = "{ config, lib, ... }: {
  options.loop.enable = lib.mkOption { type = lib.types.bool; default = false; description = \"Loops.\"; };
  options.loop.fails = lib.mkOption { type = lib.types.bool; default = false; description = \"Fails.\"; };
  config = lib.mkMerge [
    (lib.mkIf config.loop.enable { networking.domain = config.networking.domain + \"x\"; })
    { assertions = [ { assertion = !config.loop.fails; message = \"loop.fails must be false\"; } ]; }
  ];
}";

#[test]
fn overrides_breaking_the_configuration_are_explained() {
    let env = TestEnv::fixture().module("settings", SWITCHED).start("box");
    env.run(&["enable", "settings"]).ok();
    let before = env.state();
    env.quiet(&["set", "loop.enable", "true"])
        .ends_with(3)
        .golden("set-recursion");
    env.quiet(&["set", "loop.fails", "true"])
        .ends_with(3)
        .golden("set-assertion");
    assert_eq!(env.state(), before);

    // The declaration of an overridden option disappears with its module.
    env.run(&["set", "loop.fails", "false"]).ok();
    env.quiet(&["disable", "settings"])
        .ends_with(3)
        .golden("override-without-its-option");
    env.quiet(&["reset"]).ends_with(3);
    assert_eq!(env.active(), ["settings"]);
    env.run(&["unset", "loop.fails"]).ok();
    env.run(&["disable", "settings"]).ok();
}

#[test]
fn two_sets_at_once_lose_nothing() {
    let env = TestEnv::new();
    let start = |name: &str| {
        let option = format!("environment.etc.{name}.text");
        env.start_running(env.command(["set", &option, "\"x\"", "--wait", "60s"]))
    };
    let both = [start("one"), start("two")].map(|running| running.end().code);
    // The second command is refused if it was planned before the first one ended.
    assert!(
        both.contains(&0) && both.iter().all(|code| [0, 5].contains(code)),
        "{both:?}"
    );
    let done = both.iter().filter(|code| **code == 0).count();
    let set = ["one", "two"].iter().filter(|name| env.etc(name).is_some());
    assert_eq!(set.count(), done);
    assert_eq!(env.json(&["overrides"])["generation"], done);
    let history = env.json(&["overrides", "history"]);
    assert_eq!(history["generations"].as_array().map(Vec::len), Some(done));
}

#[test]
fn history_shows_modules_and_overrides_in_order() {
    let env = TestEnv::new();
    env.run(&["enable", "hello"]).ok();
    env.set_motd("one\n").ok();
    env.run(&["enable", "web"]).ok();
    env.run(&["unset", MOTD]).ok();
    let history = env.json(&["history"]);
    let purposes = history["transactions"].as_array().expect("transactions");
    let purposes: Vec<&str> = purposes
        .iter()
        .filter_map(|entry| entry["purpose"].as_str())
        .collect();
    let expected = [
        "enable hello".to_string(),
        format!("set {MOTD}"),
        "enable web".into(),
        format!("unset {MOTD}"),
    ];
    let at = purposes.windows(4).any(|part| part == expected)
        || purposes
            .iter()
            .rev()
            .copied()
            .collect::<Vec<_>>()
            .windows(4)
            .any(|part| part == expected);
    assert!(at, "{purposes:?}");
}

#[test]
fn option_with_apply_takes_the_value_before_it() {
    let module = "{ config, lib, ... }: {
  options.shout.text = lib.mkOption {
    type = lib.types.str;
    default = \"a\";
    apply = text: text + \"!\";
    description = \"A text.\";
  };
  config.environment.etc.shout.text = config.shout.text;
}";
    let env = TestEnv::fixture().module("settings", module).start("box");
    env.run(&["enable", "settings"]).ok();
    assert_eq!(env.etc("shout").as_deref(), Some("a!"));
    env.run(&["set", "shout.text", "\"b\""]).ok();
    assert_eq!(env.etc("shout").as_deref(), Some("b!"));
}

#[test]
fn read_only_options_in_submodules_are_refused() {
    let module = "{ lib, ... }: {
  options.boxes = lib.mkOption {
    description = \"Boxes.\";
    default = { a = { }; };
    type = lib.types.attrsOf (lib.types.submodule {
      options.size = lib.mkOption { type = lib.types.int; readOnly = true; default = 1; description = \"A size.\"; };
      options.color = lib.mkOption { type = lib.types.str; default = \"red\"; description = \"A color.\"; };
    });
  };
}";
    let env = TestEnv::fixture().module("settings", module).start("box");
    env.run(&["enable", "settings"]).ok();
    env.quiet(&["set", "boxes.a.size", "2"])
        .ends_with(2)
        .golden("set-read-only");
    env.quiet(&["set", "boxes.a.color", "\"blue\""]).ok();
}

#[test]
fn stronger_definition_is_reported() {
    let module = "{ lib, ... }: { environment.etc.motd.text = lib.mkOverride (-100) \"mine\\n\"; }";
    let env = TestEnv::fixture().module("settings", module).start("box");
    env.run(&["enable", "settings"]).ok();
    env.set_motd("ours\n")
        .ok()
        .golden("set-stronger-definition");
    assert_eq!(env.motd(), "mine\n");
    // An even stronger priority wins.
    env.run(&["set", MOTD, "\"ours\\n\"", "--priority", "-101"])
        .ok();
    assert_eq!(env.motd(), "ours\n");
}

/// Compares numbers of thunks, which do not depend on the load of the machine.
#[test]
fn overrides_cost_as_much_as_modules() {
    let env = TestEnv::new();
    let thunks = |arguments: &[&str]| {
        let document = env.json(&[arguments, &["--dry-run", "--no-cache"]].concat());
        document["counters"]["thunks"].as_f64().expect("a number")
    };
    let module = |name: &str, text: &str| {
        let file = env.path(name);
        fs::write(&file, text).expect("a module");
        file.display().to_string()
    };
    let same = module("same.nix", "{ environment.etc.said.text = \"same\\n\"; }");
    let ratio = thunks(&["set", "environment.etc.said.text", "\"same\\n\""])
        / thunks(&["enable", "--module", &same]);
    assert!(ratio < 1.05, "{ratio}");

    // Fifty overridden options also cost as much as a module after a million generations.
    let options: Vec<String> = (0..50)
        .map(|n| format!("environment.etc.o{n}.text"))
        .collect();
    let words: Vec<&str> = options
        .iter()
        .flat_map(|option| [option.as_str(), "\"x\""])
        .collect();
    let lines: String = options
        .iter()
        .map(|option| format!("{option} = \"x\";\n"))
        .collect();
    let fifty = module("fifty.nix", &format!("{{ {lines} }}"));
    let in_a_module = thunks(&["enable", "--module", &fifty]);
    env.run(&[&["set"], &words[..]].concat()).ok();
    let path = env.root("run/runtime-modules/state.json");
    let mut state = read_json(&path);
    state["overrides"]["generation"] = json!(1_000_000);
    let definitions = state["overrides"]["definitions"].as_array_mut();
    for (index, one) in definitions.expect("definitions").iter_mut().enumerate() {
        let number = 1_000_000 - 49 + index as i64;
        one["generation"] = json!(number);
        one["priority"] = json!(-number);
    }
    fs::write(&path, state.to_string()).expect("a state");
    let ratio = thunks(&["apply", "--force"]) / in_a_module;
    assert!(ratio < 1.05, "{ratio}");
}
