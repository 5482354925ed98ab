//! Sources of a configuration: every kind of flake reference, and its pin.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;

use crate::support::{Sshd, TestEnv, compare, has, nix, skip};

/// Creates the fixture as a git repository with everything committed. Returns nothing if git is
/// missing.
pub fn committed(test: &str) -> Option<TestEnv> {
    let env = TestEnv::fixture();
    if !has(test, "git") {
        return None;
    }
    let source = env.path("source");
    env.git(&source, &["init", "-q"]);
    env.git(&source, &["add", "--force", "."]);
    env.git(&source, &["commit", "-q", "-m", "first"]);
    Some(env)
}

/// Returns the derivation of `enable inline` from this reference.
fn drv(env: &TestEnv, reference: &str) -> Value {
    let document = env.json(&[
        "enable",
        "inline",
        "--dry-run",
        "--flake",
        reference,
        "--host",
        "box",
    ]);
    assert!(document["drv"].is_string(), "{reference}: {document}");
    document["drv"].clone()
}

/// Pins the reference and checks that the pin gives the same system.
fn pinned_alike(env: &TestEnv, reference: &str) {
    let direct = drv(env, reference);
    env.run(&["apply", "--flake", reference, "--host", "box"])
        .ok();
    let pinned = env.json(&["enable", "inline", "--dry-run", "--no-cache"]);
    assert_eq!(pinned["drv"], direct, "{reference}: {}", env.state()["pin"]);
}

#[test]
fn every_kind_of_reference_is_pinned() {
    let Some(env) = committed("every_kind_of_reference_is_pinned") else {
        return;
    };
    let at = |path: &str| env.path(path).display().to_string();
    let clean = format!("git+file://{}?dir=tests/minios", at("source"));
    pinned_alike(&env, &clean);
    let revision = env.git(&env.path("source"), &["rev-parse", "HEAD"]);
    assert_eq!(env.state()["pin"]["rev"], revision.trim());

    // A folder in a git repository, named directly, through a symlink or as `.`, is fetched from git.
    symlink(env.path("source"), env.path("link")).expect("a link");
    let system = drv(&env, &clean);
    assert_eq!(drv(&env, &format!("{}/tests/minios", at("source"))), system);
    assert_eq!(drv(&env, &format!("{}/tests/minios", at("link"))), system);
    let mut within = env.command([
        "enable",
        "inline",
        "--dry-run",
        "--json",
        "--flake",
        ".",
        "--host",
        "box",
    ]);
    within.current_dir(env.fixture_path(""));
    let within = env.start_running(within).end().ok().json();
    assert_eq!(within["drv"], system);
    // A worktree of the same repository gives the same system.
    env.git(
        &env.path("source"),
        &["worktree", "add", "-q", "-b", "other", &at("worktree")],
    );
    assert_eq!(
        drv(&env, &format!("{}/tests/minios", at("worktree"))),
        system
    );

    // Uncommitted changes are included, and `self` shows a dirty revision.
    fs::write(
        env.fixture_path("runtime/web.nix"),
        "{ environment.etc.web.text = \"dirty\\n\"; }",
    )
    .expect("written");
    pinned_alike(&env, &clean);
    let rev = env.state()["pin"]["rev"].clone();
    assert_eq!(rev, format!("{}-dirty", revision.trim()));
    env.run(&["enable", "web"]).ok();
    assert_eq!(env.etc("web").as_deref(), Some("dirty\n"));

    // Pin a folder that is not fetched from git, and an archive.
    pinned_alike(&env, &format!("path:{}?dir=tests/minios", at("worktree")));
    let archive = at("source.tar.gz");
    let mut tar = env.other("tar");
    tar.args(["--exclude=.git", "-czf", &archive, "-C", &at(""), "source"]);
    assert!(tar.status().expect("tar").success());
    pinned_alike(&env, &format!("file://{archive}?dir=tests/minios"));
    fs::remove_file(&archive).expect("removed");
    env.run(&["enable", "hello"]).ok();
}

#[test]
fn requested_submodules_are_fetched() {
    let test = "requested_submodules_are_fetched";
    let Some(env) = committed(test) else {
        return;
    };
    let whole = env.path("whole");
    fs::create_dir(&whole).expect("a folder");
    env.git(&whole, &["init", "-q"]);
    let source = env.path("source").display().to_string();
    env.git(
        &whole,
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            &source,
            "part",
        ],
    );
    env.git(&whole, &["commit", "-q", "-m", "with a part"]);
    let reference = format!(
        "git+file://{}?submodules=1&dir=part/tests/minios",
        whole.display()
    );
    // Git refuses local submodules by default.
    let config = env.path("home/.gitconfig");
    fs::write(config, "[protocol \"file\"]\n\tallow = always\n").expect("written");
    pinned_alike(&env, &reference);
    let without = reference.replace("submodules=1&", "");
    env.apply(&without, "box")
        .ends_with(3)
        .golden("flake-in-a-submodule");
}

#[test]
fn private_repository_is_fetched_by_ssh_once() {
    let test = "private_repository_is_fetched_by_ssh_once";
    let Some(env) = committed(test) else {
        return;
    };
    let Some(sshd) = Sshd::start(test, &env) else {
        return;
    };
    let user = unix::unistd::User::from_uid(unix::unistd::geteuid());
    let Some(user) = user.expect("users").map(|user| user.name) else {
        return skip(test, "SSH needs a user name");
    };
    let reference = format!(
        "git+ssh://{user}@127.0.0.1:{}{}?dir=tests/minios",
        sshd.port,
        env.path("source").display()
    );
    let run = |arguments: &[&str], ssh: &str| {
        let mut command = env.command(arguments);
        command.env("GIT_SSH_COMMAND", ssh);
        env.start_running(command).end()
    };
    let apply = ["apply", "--flake", &reference, "--host", "box"];
    // Without the key, the fetch fails and does not ask for a password.
    let keyless = "ssh -F none -o IdentitiesOnly=yes -o IdentityFile=/dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes";
    let refused = run(&[&apply[..], &["--progress", "off"]].concat(), keyless).ends_with(4);
    assert!(
        refused.stderr.contains("lock the flake git+ssh://")
            && refused.stderr.contains("Permission denied")
            && refused.stderr.contains("hint: "),
        "{}",
        refused.stderr
    );
    run(&apply, &format!("ssh {}", Sshd::options(&env))).ok();
    assert_eq!(env.state()["pin"]["url"], reference);
    // The server is not needed again.
    drop(sshd);
    env.run(&["enable", "inline"]).ok();
    env.run(&["status"]).ok();
}

#[test]
fn special_arguments_reach_imports() {
    let env = TestEnv::fixture()
        .edit("flake.nix", |text| {
            text.replace(
                "specialArgs = { inherit self; };",
                "specialArgs = { inherit self; colour = \"green\"; };",
            )
        })
        .edit("runtime/colour.nix", |_| {
            "colour: { environment.etc.colour.text = \"${colour}\\n\"; }".into()
        })
        .module(
            "web",
            "{ colour, ... }: { imports = [ (import ./colour.nix colour) ]; }",
        )
        .edit("hosts/box.nix", |text| {
            text.replace(
                "inline = {",
                "given.module = import ../runtime/colour.nix \"blue\";\n      inline = {",
            )
        })
        .start("box");
    env.run(&["enable", "web"]).ok();
    assert_eq!(env.etc("colour").as_deref(), Some("green\n"));
    env.run(&["disable", "web"]).ok();
    env.run(&["enable", "given"]).ok();
    assert_eq!(env.etc("colour").as_deref(), Some("blue\n"));
}

/// Creates the fixture with an input that is a git repository.
fn with_git_input(test: &str) -> Option<TestEnv> {
    let env = TestEnv::fixture();
    if !has(test, "git") {
        return None;
    }
    let greeting = env.path("greeting");
    fs::create_dir(&greeting).expect("a folder");
    fs::write(greeting.join("text"), "Hello.\n").expect("written");
    env.git(&greeting, &["init", "-q"]);
    env.git(&greeting, &["add", "."]);
    env.git(&greeting, &["commit", "-q", "-m", "first"]);
    let input = format!(
        "inputs.greeting = {{ url = \"git+file://{}\"; flake = false; }};",
        greeting.display()
    );
    let env = env.edit("flake.nix", |text| {
        text.replace(
            "  outputs =\n    { self, ... }:",
            &format!("  {input}\n  outputs =\n    {{ self, greeting, ... }}:"),
        )
        .replace(
            "specialArgs = { inherit self; };",
            "specialArgs = { inherit self greeting; };",
        )
    });
    let env = env.edit("hosts/common.nix", |text| {
        text.replacen("{ lib", "{ greeting, lib", 1).replace(
            "Welcome to minios.",
            "${builtins.readFile (greeting + \"/text\")}",
        )
    });
    let source = env.path("source");
    env.git(&source, &["init", "-q"]);
    env.git(&source, &["add", "--force", "."]);
    env.git(&source, &["commit", "-q", "-m", "first"]);
    Some(env)
}

#[test]
fn moved_pin_lists_changed_inputs() {
    let Some(env) = with_git_input("moved_pin_lists_changed_inputs") else {
        return;
    };
    let (source, greeting) = (env.path("source"), env.path("greeting"));
    let flake = format!("git+file://{}?dir=tests/minios", source.display());
    let head = |folder: &Path| env.git(folder, &["rev-parse", "HEAD"]).trim().to_string();
    let mut revisions = vec![head(&source), head(&greeting)];
    let found = |name: &str, stderr: &str, revisions: &[String]| {
        let mut text: String = stderr
            .lines()
            .filter(|line| {
                line.starts_with("  ") && line.contains(" at ")
                    || line.starts_with("pinned")
                    || line.contains("without modules")
                    || line.contains("inputs of")
            })
            .map(|line| format!("{line}\n"))
            .collect();
        for (number, revision) in revisions.iter().enumerate() {
            text = text.replace(&revision[..12], &format!("<revision {number}>"));
        }
        compare(name, &env.normalise(&text));
    };
    let first = env.run(&["apply", "--flake", &flake, "--host", "box"]).ok();
    found("moved-first", &first.stderr, &revisions);
    env.run(&["enable", "inline"]).ok();

    // The flake and its input change; a toggle still uses the pin.
    fs::write(greeting.join("text"), "Good morning.\n").expect("written");
    env.git(&greeting, &["commit", "-q", "-a", "-m", "second"]);
    fs::write(source.join("news"), "news\n").expect("written");
    env.git(&source, &["add", "news"]);
    env.git(&source, &["commit", "-q", "-m", "second"]);
    revisions.extend([head(&source), head(&greeting)]);
    env.run(&["enable", "web"]).ok();
    let motd = |env: &TestEnv| env.etc("motd").expect("a motd");
    assert!(motd(&env).starts_with("Hello."), "{}", motd(&env));
    let rebuilt = env.run(&["rebuild"]).ok();
    found("moved-rebuild", &rebuilt.stderr, &revisions);
    assert!(motd(&env).starts_with("Good morning."), "{}", motd(&env));
    // Nothing has changed since the last rebuild.
    let again = env.run(&["rebuild"]).ok();
    found("moved-not", &again.stderr, &revisions);
    // Override only the input.
    let replaced = env
        .run(&[
            "apply",
            "--override-input",
            "greeting",
            &format!("git+file://{}?rev={}", greeting.display(), revisions[1]),
        ])
        .ok();
    found("moved-input", &replaced.stderr, &revisions);
    assert!(motd(&env).starts_with("Hello."), "{}", motd(&env));
}

#[test]
fn reboot_is_detected() {
    let env = TestEnv::new();
    let base = env.running();
    env.run(&["enable", "hello", "inline"]).ok();
    // After a reboot the base is running, and the state has another boot ID.
    env.switch_by_hand(&base);
    let state = env.root("run/runtime-modules/state.json");
    let mut found = env.state();
    found["boot"] = "00000000-0000-0000-0000-000000000000".into();
    fs::write(&state, found.to_string()).expect("written");
    env.run(&["status"]).ok().golden("status-after-a-reboot");
    env.run(&["enable", "web", "--dry-run"])
        .ok()
        .golden("enable-after-a-reboot");
    env.run(&["disable", "inline", "--progress", "plain"]).ok();
    assert_eq!(env.active(), ["hello"]);
}

#[test]
fn collected_pinned_source_is_explained() {
    let Some(nix) = nix("collected_pinned_source_is_explained") else {
        return;
    };
    // On a host without baked configuration, the system does not refer to its source.
    let env = TestEnv::fixture().start("bare");
    env.run(&["enable", "clock"]).ok();
    let source = env.state()["pin"]["source"].clone();
    let source = Path::new(source.as_str().expect("a path"));
    for entry in fs::read_dir(env.root("run/runtime-modules/roots")).expect("roots") {
        let link = entry.expect("an entry").path();
        if fs::read_link(&link).is_ok_and(|target| target == source) {
            fs::remove_file(link).expect("removed");
        }
    }
    let mut collector = env.other(&nix);
    collector
        .args(["--extra-experimental-features", "nix-command"])
        .args(["store", "gc", "--quiet", "--store", &env.store()]);
    assert!(collector.status().expect("nix").success());
    assert!(!source.exists());
    env.run(&["enable", "banner", "--progress", "off"])
        .ends_with(5)
        .golden("pinned-source-gone");
    env.run(&["list"]).ends_with(5).golden("list-source-gone");
    // Follow the hints.
    let flake = env.flake();
    env.run(&["rebuild", "--flake", &flake]).ok();
    env.run(&["enable", "banner"]).ok();
    env.run(&["reset"]).ok();
}

#[test]
fn large_folder_warning_names_the_size() {
    let env = TestEnv::fixture();
    let large = fs::File::create(env.path("source/large")).expect("a file");
    large.set_len(101 << 20).expect("a length");
    drop(large);
    fs::set_permissions(env.path("source/large"), fs::Permissions::from_mode(0o644)).expect("set");
    let flake = env.flake();
    let ran = env
        .run(&["apply", "--flake", &flake, "--host", "box", "--dry-run"])
        .ok();
    let found: String = ran
        .stderr
        .lines()
        .filter(|line| line.contains("the whole folder"))
        .map(|line| format!("{line}\n"))
        .collect();
    // The size also depends on the rest of the fixture.
    let size = found.split(['(', ')']).nth(1).expect("a size").to_string();
    assert!(size.ends_with(" MB"), "{found}");
    let found = found.replace(&size, "<size>");
    compare("large-folder", &env.normalise(&found));
}

#[test]
fn configuration_without_flake_gets_a_hint() {
    let env = TestEnv::fixture();
    fs::create_dir_all(env.root("etc/nixos")).expect("a folder");
    fs::write(env.root("etc/nixos/configuration.nix"), "{ }\n").expect("written");
    let ran = env
        .run(&["enable", "hello", "--progress", "off"])
        .ends_with(5);
    let name = unix::unistd::gethostname().expect("a name");
    let found = ran.text().replace(
        &format!("nixosConfigurations.{}", name.to_string_lossy()),
        "nixosConfigurations.<this>",
    );
    compare("configuration-without-a-flake", &found);
}
