//! References that do not lead to a flake: each message states the cause, and has a hint that works
//! when typed.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use unix::unistd::geteuid;

use crate::support::{Site, TestEnv, has, skip};

fn refused(env: &TestEnv, arguments: &[&str], golden: &str) {
    let ran = env.quiet(&[&["list", "--host", "box"], arguments].concat());
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    ran.golden(golden);
}

#[test]
fn wrong_references_get_working_hints() {
    let env = TestEnv::fixture();
    let site = Site::new(&env, "conf/nixos");
    fs::create_dir(env.path("empty")).expect("a folder");
    fs::create_dir(env.path("plain")).expect("a folder");
    fs::write(env.path("plain/configuration.nix"), "{ }").expect("written");
    fs::write(env.path("host.nix"), "{ }").expect("written");
    symlink("nowhere", env.path("dangling")).expect("a link");
    for (reference, golden) in [
        ("conf/nixos#box", "reference-without-a-dot"),
        ("nope#box", "reference-in-no-registry"),
        ("host.nix", "reference-to-a-file"),
        ("./empty", "reference-to-an-empty-folder"),
        ("./conf#box", "reference-above-the-flake"),
        ("./plain", "reference-to-a-plain-configuration"),
        ("./cnof/nixos", "reference-misspelt"),
        ("./dangling", "reference-to-a-dangling-link"),
    ] {
        refused(&env, &["--flake", reference], golden);
    }
    env.quiet(&["list", "--file", "conf/nixos/flake.nix"])
        .ends_with(2)
        .golden("file-that-is-a-flake");
    // The hints work.
    env.run(&["list", "--flake", "./conf/nixos#box"]).ok();
    env.run(&["list", "--flake", &format!("{}#box", site.path().display())])
        .ok();
}

#[test]
fn unexpanded_tilde_is_explained() {
    let env = TestEnv::fixture();
    let ran = env
        .quiet(&["list", "--flake", "~/nix-config#box"])
        .ends_with(3);
    assert!(
        ran.stderr.contains("the shell did not expand ~"),
        "{}",
        ran.stderr
    );
    let home = unix::unistd::User::from_uid(geteuid())
        .expect("users")
        .expect("a user")
        .dir;
    let hint = format!(
        "hint: write the absolute path: {}/nix-config#box",
        home.display()
    );
    assert!(ran.stderr.contains(&hint), "{}", ran.stderr);
}

#[test]
fn misleading_references_are_explained() {
    let env = TestEnv::fixture();
    let site = Site::new(&env, "site");
    let path = site.path().display().to_string();
    for (reference, words) in [
        (
            "path:~/nix-config".to_string(),
            "the shell did not expand ~",
        ),
        (
            format!("git+file://{path}"),
            "site is not the top-level folder of a git repository",
        ),
        (
            format!("git+file://{path}/nowhere"),
            "nowhere does not exist",
        ),
        (format!("{path}?dir=nowhere#box"), "site/nowhere"),
        (
            format!("{path}?ref=main#box"),
            "the parameter ref is not supported",
        ),
    ] {
        let ran = env.quiet(&["list", "--flake", &reference]).ends_with(3);
        assert!(ran.stderr.contains(words), "{reference}: {}", ran.stderr);
        let misleading = ["network", "git add", "github:OWNER"];
        let found = misleading.iter().find(|word| ran.stderr.contains(**word));
        assert_eq!(found, None, "{reference}: {}", ran.stderr);
    }
    for (text, words) in [
        (
            "{ outputs = { self, nixpkgs }: { }; }",
            "an input refers to nixpkgs, which no flake registry contains",
        ),
        (
            "{ inputs.a.url = \"flake:zzz\"; outputs = { self, a }: { }; }",
            "or replace it for this run: --override-input a REF",
        ),
        (
            "{ inputs.other.url = \"path:../other\"; outputs = { self, other }: { }; }",
            "outside the flake's tree",
        ),
    ] {
        site.write("flake.nix", text);
        let ran = env.quiet(&["list", "--flake", &path]).ends_with(3);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn nixos_module_refuses_a_tilde_in_flake_url() {
    let env = TestEnv::fixture();
    let site = Site::new(&env, "site");
    for (url, right) in [
        ("~/nix-config", "\"/home/USER/nix-config\""),
        (
            "git+file://~ann/x?dir=y",
            "\"git+file:///home/ann/x?dir=y\"",
        ),
    ] {
        let text = format!("{{ services.runtimeModules.flakeUrl = \"{url}\"; }}");
        site.write("url.nix", &text);
        site.outputs(
            "",
            "base = ./base;",
            "{ nixosConfigurations.box = mini [ ./host.nix ./url.nix ]; }",
        );
        let ran = env.apply(&site.reference(), "box").ends_with(3);
        let said = ran.stderr.contains("only a shell expands `~`") && ran.stderr.contains(right);
        assert!(said, "{}", ran.stderr);
    }
}

#[test]
fn git_tree_of_another_user_is_explained() {
    let test = "git_tree_of_another_user_is_explained";
    let env = TestEnv::fixture();
    if !has(test, "git") {
        return;
    }
    if !geteuid().is_root() {
        return skip(test, "only root can give a tree to another user");
    }
    let site = Site::new(&env, "site");
    site.commit(&env);
    chown(site.path(), Some(54321), None).expect("given away");
    chown(site.path().join(".git"), Some(54321), None).expect("given away");
    let path = site.path().display().to_string();
    refused(&env, &["--flake", &path], "reference-of-another-user");
    env.git(
        &env.path(""),
        &["config", "--global", "--add", "safe.directory", &path],
    );
    env.run(&["list", "--host", "box", "--flake", &path]).ok();
}

#[test]
fn attribute_of_a_newer_nix_is_named() {
    let env = TestEnv::fixture();
    let site = Site::new(&env, "site");
    let before = fs::read_to_string(site.path().join("flake.nix")).expect("a flake");
    site.write(
        "flake.nix",
        &before.replacen('{', "{ nothingYet = true;", 1),
    );
    refused(
        &env,
        &["--flake", &site.reference()],
        "flake-attribute-unknown",
    );
}
