//! Flakes behind symbolic links: `/etc/nixos` or its `flake.nix` is a link, or a reference names a link.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Site, TestEnv, has};

/// Returns the derivation that enabling `hello` would build.
fn drv(env: &TestEnv, arguments: &[&str]) -> String {
    let document = env.json(&[&["enable", "hello", "--dry-run"], arguments].concat());
    document["drv"].as_str().expect("a derivation").to_string()
}

/// Replaces `root/etc/nixos` with the result of `make`.
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
fn links_of_etc_nixos_are_followed() {
    let test = "links_of_etc_nixos_are_followed";
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
        // Nothing is pinned yet, so `rebuild` also uses the flake in /etc/nixos.
        env.run(&["rebuild", "--dry-run", "--host", "box"]).ok();
    }
}

#[test]
fn reference_to_a_link_is_followed() {
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
        "./to-the-file#box",
        "./only-the-file#box",
        "./only-the-file/flake.nix#box",
    ] {
        assert_eq!(drv(&env, &["--flake", reference]), direct, "{reference}");
    }
    // With `dir`, the folder before the `?` is the source tree.
    let parent = format!("{}?dir=nixos#box", env.path("dotfiles").display());
    assert_eq!(
        drv(&env, &["--flake", "./parent?dir=nixos#box"]),
        drv(&env, &["--flake", &parent])
    );
    let mut inside = env.command(["enable", "hello", "--dry-run", "--json", "--flake", ".#box"]);
    inside.current_dir(env.path("link"));
    let inside = env.start_running(inside).end().ok().json();
    assert_eq!(inside["drv"], direct);
    // If a folder has no flake, its parent folders are searched.
    fs::create_dir_all(env.path("dotfiles/nixos/sub/deep")).expect("a folder");
    // The new folders are part of the tree, so the derivation differs from `direct`.
    let with_folders = drv(&env, &["--flake", "./link#box"]);
    for (folder, reference) in [("", "./link/sub#box"), ("link/sub/deep", ".#box")] {
        let mut below = env.command([
            "enable",
            "hello",
            "--dry-run",
            "--json",
            "--flake",
            reference,
        ]);
        below.current_dir(env.path(folder));
        assert_eq!(
            env.start_running(below).end().ok().json()["drv"],
            with_folders
        );
    }
}

#[test]
fn rebuild_follows_the_link_again() {
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
    // A toggle uses the pinned tree; a rebuild follows the link again.
    fs::remove_file(&link).expect("removed");
    symlink(second.path(), &link).expect("a link");
    env.run(&["apply", "--force"]).ok();
    assert_eq!(env.etc("hello").as_deref(), Some("hello\n"));
    env.run(&["rebuild"]).ok();
    assert_eq!(env.etc("hello").as_deref(), Some("second\n"));
}

#[test]
fn replaced_input_can_be_a_link() {
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
fn link_to_a_git_tree_works_with_changed_since() {
    let test = "link_to_a_git_tree_works_with_changed_since";
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
            .contains("nothing that affects evaluation has changed"),
        "{}",
        ran.text()
    );
}
