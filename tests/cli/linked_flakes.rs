//! Flakes behind links: `/etc/nixos` or its `flake.nix` is a link into another folder, or a reference names a link.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Site, TestEnv, has};

/// What turning `hello` on would give.
fn drv(env: &TestEnv, arguments: &[&str]) -> String {
    let document = env.json(&[&["enable", "hello", "--dry-run"], arguments].concat());
    document["drv"].as_str().expect("a derivation").to_string()
}

/// Makes `root/etc/nixos` what `make` makes there.
fn etc_nixos(env: &TestEnv, make: impl FnOnce(&std::path::Path)) {
    let path = env.root("etc/nixos");
    fs::create_dir_all(env.root("etc")).expect("a folder");
    if path.is_symlink() {
        fs::remove_file(&path).expect("removed");
    } else if path.exists() {
        fs::remove_dir_all(&path).expect("removed");
    }
    make(&path);
}

#[test]
fn etc_nixos_is_followed_however_it_is_linked() {
    let test = "etc_nixos_is_followed_however_it_is_linked";
    let env = TestEnv::fixture();
    let site = Site::new(&env, "dotfiles/nixos");
    for git in [false, true] {
        if git {
            if !has(test, "git") {
                return;
            }
            site.commit(&env);
        }
        let reference = site.path().display().to_string();
        let direct = drv(&env, &["--flake", &format!("{reference}#box")]);
        let usual = || drv(&env, &["--host", "box"]);
        etc_nixos(&env, |path| symlink(site.path(), path).expect("a link"));
        assert_eq!(usual(), direct, "an absolute link, git: {git}");
        etc_nixos(&env, |path| {
            symlink("../../dotfiles/nixos", path).expect("a link")
        });
        assert_eq!(usual(), direct, "a relative link, git: {git}");
        etc_nixos(&env, |path| {
            fs::create_dir(path).expect("a folder");
            symlink(site.path().join("flake.nix"), path.join("flake.nix")).expect("a link");
        });
        assert_eq!(usual(), direct, "a link to the file, git: {git}");
        etc_nixos(&env, |path| {
            fs::create_dir(path).expect("a folder");
            symlink("../../../dotfiles/nixos/flake.nix", path.join("flake.nix")).expect("a link");
        });
        assert_eq!(usual(), direct, "a relative link to the file, git: {git}");
    }
}

#[test]
fn a_reference_may_name_a_link() {
    let env = TestEnv::fixture();
    let site = Site::new(&env, "dotfiles/nixos");
    let direct = drv(
        &env,
        &["--flake", &format!("{}#box", site.path().display())],
    );
    symlink(site.path(), env.path("link")).expect("a link");
    symlink("dotfiles", env.path("parent")).expect("a link");
    symlink("dotfiles/nixos/flake.nix", env.path("to-the-file")).expect("a link");
    fs::create_dir(env.path("only-the-file")).expect("a folder");
    symlink(
        "../dotfiles/nixos/flake.nix",
        env.path("only-the-file/flake.nix"),
    )
    .expect("a link");
    let link = env.path("link").display().to_string();
    for reference in [
        "./link#box",
        "./link/#box",
        "./link/.#box",
        &format!("{link}#box"),
        &format!("path:{link}#box"),
        "./parent/nixos#box",
        "./parent?dir=nixos#box",
        "./to-the-file#box",
        "./only-the-file#box",
        "./only-the-file/flake.nix#box",
    ] {
        assert_eq!(drv(&env, &["--flake", reference]), direct, "{reference}");
    }
    let mut inside = env.command(["enable", "hello", "--dry-run", "--json", "--flake", ".#box"]);
    inside.current_dir(env.path("link"));
    let inside = env.start_running(inside).end().ok().json();
    assert_eq!(inside["drv"], direct);
}

#[test]
fn a_link_is_followed_again_at_a_rebuild() {
    let env = TestEnv::fixture();
    let first = Site::new(&env, "first");
    let second = Site::new(&env, "second");
    second.write(
        "hello.nix",
        "{ environment.etc.hello.text = \"second\\n\"; }\n",
    );
    let link = env.path("link");
    symlink(first.path(), &link).expect("a link");
    env.run(&["apply", "--flake", "./link", "--host", "box"])
        .ok();
    assert_eq!(env.state()["pin"]["url"], link.display().to_string());
    env.run(&["enable", "hello"]).ok();
    assert_eq!(env.etc("hello").as_deref(), Some("hello\n"));
    // A toggle stays on the pinned tree; a rebuild looks where the link leads today.
    fs::remove_file(&link).expect("removed");
    symlink(second.path(), &link).expect("a link");
    env.run(&["apply", "--force"]).ok();
    assert_eq!(env.etc("hello").as_deref(), Some("hello\n"));
    env.run(&["rebuild"]).ok();
    assert_eq!(env.etc("hello").as_deref(), Some("second\n"));
}

#[test]
fn a_replaced_input_may_be_a_link() {
    let env = TestEnv::fixture();
    let site = Site::new(&env, "site");
    for name in ["one", "two"] {
        let folder = env.path(name);
        fs::create_dir(&folder).expect("a folder");
        let text = format!("{{ outputs = _: {{ text = \"{name}\\n\"; }}; }}");
        fs::write(folder.join("flake.nix"), text).expect("written");
    }
    let input = format!("inputs.said.url = \"path:{}\";", env.path("one").display());
    site.outputs(
        &input,
        "base = ./base;",
        "{ nixosConfigurations.box = mini [ ./host.nix { environment.etc.said.text = inputs.said.text; } ]; }",
    );
    symlink("two", env.path("link")).expect("a link");
    let flake = site.reference();
    let apply = ["apply", "--flake", &flake, "--host", "box"];
    env.run(&[&apply[..], &["--override-input", "said", "./link"]].concat())
        .ok();
    assert_eq!(env.etc("said").as_deref(), Some("two\n"));
}

#[test]
fn a_link_to_a_git_tree_can_be_compared_with_a_revision() {
    let test = "a_link_to_a_git_tree_can_be_compared_with_a_revision";
    let env = TestEnv::fixture();
    if !has(test, "git") {
        return;
    }
    let site = Site::new(&env, "site");
    site.commit(&env);
    symlink(site.path(), env.path("link")).expect("a link");
    let first = env.git(site.path(), &["rev-parse", "HEAD"]);
    let check = [
        "check",
        "--flake",
        "./link#box",
        "--changed-since",
        first.trim(),
    ];
    let ran = env.run(&check).ok();
    assert!(
        ran.text()
            .contains("nothing that evaluation can see has changed"),
        "{}",
        ran.text()
    );
}
