//! The exit code and the complete message for each kind of invalid input and broken module.

use std::fs;

use crate::support::TestEnv;

/// Checks that enabling `names` fails with this exit code and golden message and changes nothing.
fn fails(env: &TestEnv, names: &[&str], code: i32, golden: &str) {
    let before = env.everything();
    env.run(&[&["enable", "--progress", "off"], names].concat())
        .ends_with(code)
        .golden(golden);
    before.is_still(&env.everything());
    env.processes()
        .gone_within(std::time::Duration::from_secs(1));
}

#[test]
fn unknown_modules_are_reported() {
    let env = TestEnv::new();
    fails(&env, &["helo"], 2, "unknown-module");
    fails(&env, &[""], 2, "unknown-module-without-a-name");
    fails(&env, &["hello", "helo", "wbe", "zzz"], 2, "unknown-modules");
    fails(
        &env,
        &["a\u{1b}[31mred\nline"],
        2,
        "unknown-module-with-control-characters",
    );
    let before = env.everything();
    env.run(&["disable", "helo"])
        .ends_with(2)
        .golden("disable-unknown-module");
    env.run(&["status", "helo"])
        .ends_with(2)
        .golden("status-unknown-module");
    before.is_still(&env.everything());
    // If no module list is baked in, only evaluation finds unknown names.
    let env = TestEnv::fixture().start("bare");
    fails(&env, &["baner"], 2, "unknown-module-evaluated");
}

#[test]
fn evaluation_errors_are_reported() {
    let env = TestEnv::new();
    for name in [
        "syntax-error",
        "type-error",
        "missing-file",
        "infinite-recursion",
        "endless-recursion",
        "assertion",
        "unfree",
        "unknown-option",
    ] {
        fails(&env, &[name], 3, name);
    }
    fails(&env, &["conflict-a", "conflict-b"], 3, "conflict");
    fails(&env, &["hello", "type-error"], 3, "good-and-bad");
}

#[test]
fn unlimited_recursion_is_an_error_not_a_crash() {
    let env = TestEnv::new();
    let before = env.everything();
    env.run(&[
        "enable",
        "endless-recursion",
        "--progress",
        "off",
        "--option",
        "max-call-depth",
        "100000000",
    ])
    .ends_with(3)
    .golden("stack-overflow");
    before.is_still(&env.everything());
}

#[test]
fn failed_build_shows_last_log_lines() {
    let env = TestEnv::fixture()
        .module(
            "web",
            r#"{ pkgs, ... }: { environment.etc.one.source = pkgs.runCommand "one" { } "echo one is out of order; exit 1";
                                environment.etc.two.source = pkgs.runCommand "two" { } "echo two is out of order; exit 2"; }"#,
        )
        .module("users", r#"{ pkgs, ... }: { environment.etc.mute.source = pkgs.runCommand "mute" { } "exit 1"; }"#)
        .module("folder/default", r#"{ pkgs, ... }: { environment.etc.lazy.source = pkgs.runCommand "lazy" { } "true"; }"#)
        .module("warning", r#"{ pkgs, ... }: { environment.etc.rude.source = pkgs.runCommand "rude" { } "printf 'a\\033[31mred\\033[2J\\a\\n'; exit 1"; }"#)
        .start("box");
    fails(&env, &["broken-build"], 4, "broken-build");
    fails(&env, &["broken-build"], 4, "broken-build");
    fails(&env, &["users"], 4, "mute-build");
    fails(&env, &["folder"], 4, "build-without-output");
    fails(&env, &["warning"], 4, "build-with-control-characters");
    fails(&env, &["web", "--keep-going"], 4, "two-broken-builds");
}

#[test]
fn missing_flakes_are_reported() {
    let env = TestEnv::fixture();
    let fails = |reference: &str, host: &str, code: i32, golden: &str| {
        refused_flake(&env, reference, host, code, golden);
    };
    let nowhere = format!("path:{}", env.path("nowhere").display());
    fails(&nowhere, "box", 3, "flake-nowhere");
    let spaced = format!("path:{}", env.path("my source").display());
    fails(&spaced, "box", 3, "flake-with-a-space");
    fails("./nowhere", "box", 3, "flake-relative-nowhere");
    fails("no-such-flake", "box", 3, "flake-not-in-registry");
    fails("nonsense::", "box", 3, "flake-nonsense");
    let empty = env.path("empty");
    fs::create_dir_all(&empty).expect("a folder");
    fails(
        &format!("path:{}", empty.display()),
        "box",
        3,
        "flake-without-flake-nix",
    );
    fails(&env.flake(), "bix", 2, "flake-unknown-host");
    // No flake is pinned, baked in or given.
    env.run(&["enable", "hello"])
        .ends_with(5)
        .golden("flake-not-known");
    env.run(&["list"])
        .ends_with(5)
        .golden("flake-not-known-list");
    env.run(&["reset"]).ok().golden("reset-empty-root");
    env.run(&["reset", "--force"])
        .ends_with(5)
        .golden("reset-without-a-base");
    assert!(!env.root("run").exists() && !env.root("var").exists());
}

#[test]
fn unusable_flakes_are_reported() {
    let odd =
        "{ outputs = { self }: { nixosConfigurations.box = { config = { }; options = { }; }; }; }";
    let plain = "{ outputs = { self }: { nixosConfigurations.box = { config = { }; options = { }; extendModules = _: throw \"no\"; }; }; }";
    let bare = "{ outputs = { self }: { packages = { }; lib = { }; }; }";
    let env = TestEnv::fixture();
    for (name, text, code, golden) in [
        (
            "syntax",
            "{ outputs = { self }: { ; }",
            3,
            "flake-syntax-error",
        ),
        ("no-outputs", "{ }", 3, "flake-no-outputs"),
        ("bare", bare, 3, "flake-no-configurations"),
        ("odd", odd, 3, "flake-not-a-configuration"),
        ("plain", plain, 2, "flake-no-option"),
    ] {
        let folder = env.path("flakes").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("flake.nix"), text).expect("a flake");
        refused_flake(
            &env,
            &format!("path:{}", folder.display()),
            "box",
            code,
            golden,
        );
    }
    assert!(!env.root("run").exists() && !env.root("var").exists());
}

/// Tries to enable a module of this flake, and compares the error.
fn refused_flake(env: &TestEnv, reference: &str, host: &str, code: i32, golden: &str) {
    env.run(&[
        "enable",
        "hello",
        "--flake",
        reference,
        "--host",
        host,
        "--progress",
        "off",
    ])
    .ends_with(code)
    .golden(golden);
}

#[test]
fn module_defined_twice_names_both_places() {
    let env = TestEnv::fixture().edit("flake.nix", |text| {
        text.replace(
            "clock = ./output/clock.nix;",
            "clock = ./output/clock.nix;\n        hello = ./output/clock.nix;",
        )
    });
    let flake = env.flake();
    env.apply(&flake, "box")
        .ends_with(3)
        .golden("defined-twice-baked");
    env.run(&[
        "enable",
        "hello",
        "--flake",
        &flake,
        "--host",
        "box",
        "--progress",
        "off",
    ])
    .ends_with(3)
    .golden("defined-twice");
}

#[test]
fn missing_untracked_file_is_explained() {
    let env = TestEnv::fixture();
    if !crate::support::has("missing_untracked_file_is_explained", "git") {
        return;
    }
    let git = |arguments: &[&str]| env.git(&env.path("source"), arguments);
    git(&["init", "-q"]);
    git(&["add", "--force", "."]);
    git(&["rm", "-q", "--cached", "tests/minios/runtime/web.nix"]);
    git(&["commit", "-q", "-m", "first"]);
    let flake = format!(
        "git+file://{}?dir=tests/minios",
        env.path("source").display()
    );
    env.apply(&flake, "box").ok();
    env.run(&["enable", "web", "--progress", "off"])
        .ends_with(3)
        .golden("file-unknown-to-git");
}

#[test]
fn failed_switch_is_rolled_back_or_kept() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    let before = env.running();
    env.run(&["enable", "failing-activation", "--progress", "off"])
        .ends_with(6)
        .golden("failing-activation");
    assert_eq!(
        (env.running(), env.active()),
        (before.clone(), vec!["inline".to_string()])
    );
    env.run(&["status"])
        .ok()
        .golden("status-after-failing-activation");
    env.run(&["enable", "init-interface", "--progress", "off"])
        .ends_with(9)
        .golden("init-interface");
    assert_eq!(
        (env.running(), env.active()),
        (before.clone(), vec!["inline".to_string()])
    );
    env.run(&["enable", "failing-unit", "--progress", "off"])
        .ends_with(6)
        .golden("failing-unit-returned");
    assert_eq!(
        (env.running(), env.active()),
        (before.clone(), vec!["inline".to_string()])
    );
    let keep = ["--on-failed-units", "keep", "--progress", "off"];
    env.run(&[&["enable", "failing-unit"], &keep[..]].concat())
        .ends_with(7)
        .golden("failing-unit");
    assert_ne!(env.running(), before);
    assert_eq!(env.active(), ["inline", "failing-unit"]);
    env.run(&["disable", "failing-unit"]).ok();
    assert_eq!(
        (env.running(), env.active()),
        (before, vec!["inline".to_string()])
    );
}

#[test]
fn warning_cannot_send_control_characters() {
    // The warnings contain colours, a forged error message, a window title, a bell, and control
    // sequences that begin with a one-character or two-character CSI.
    let hostile = r#"{ lib, ... }: {
  warnings = map (text: builtins.fromJSON "\"${text}\"") [
    ''\u001b[31mred\u001b[0m and \rerror: all is lost''
    ''\u001b]0;title\u0007bell\u0007 \u009b2J\n\u001b[2Kdone''
  ];
  environment.etc.warned.text = "yes";
}"#;
    let env = TestEnv::fixture().module("warning", hostile).start("box");
    let ran = env.run(&["enable", "warning", "--progress", "off"]).ok();
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!ran.text().contains(control), "{:?}", ran.text());
    ran.golden("enable-hostile-warning");
    let ran = env
        .run(&["apply", "--force", "--no-cache", "--progress", "plain"])
        .ok();
    assert!(ran.stderr.contains("all is lost"), "{:?}", ran.stderr);
    assert!(!ran.stderr.contains(control), "{:?}", ran.stderr);
}
