//! Common user mistakes: each message names the cause in the user's file, and its hint works when typed.

use std::fs;

use crate::support::{Ran, Site, TestEnv, has};

/// Makes a site whose host has the module `web` with this text, and minios in a separate input.
fn site(env: &TestEnv, web: &str) -> Site {
    let site = Site::new(env, "site");
    let folder = env.path("source");
    fs::write(folder.join("flake.nix"), "{ outputs = _: { }; }").expect("written");
    let host = fs::read_to_string(site.path().join("host.nix")).expect("a host");
    let host = host
        .replace(
            "./base/nixos/runtime-modules",
            "(base + \"/nixos/runtime-modules\")",
        )
        .replacen("{ self,", "{ self, base,", 1)
        .replace(
            "modules.hello = ./hello.nix;",
            "modules = { hello = ./hello.nix; web = ./web.nix; };",
        );
    site.write("host.nix", &host);
    site.write("web.nix", web);
    let input = format!("inputs.mini.url = \"path:{}\";", folder.display());
    let outputs = "{ nixosConfigurations.box = mini [ ./host.nix ]; }";
    site.outputs(&input, "base = inputs.mini.outPath;", outputs);
    let flake = fs::read_to_string(site.path().join("flake.nix")).expect("a flake");
    site.write(
        "flake.nix",
        &flake.replace("{ inherit self; }", "{ inherit self base; }"),
    );
    fs::remove_dir_all(site.path().join("base")).expect("removed");
    site
}

fn enable(env: &TestEnv, site: &Site, module: &str) -> Ran {
    env.quiet(&[
        "enable",
        module,
        "--dry-run",
        "--host",
        "box",
        "--flake",
        &site.reference(),
    ])
}

#[test]
fn missing_argument_and_its_module_are_named() {
    let env = TestEnv::fixture();
    for (text, golden) in [
        (
            "{ inputs, ... }: { imports = [ inputs.x.nixosModules.y ]; }",
            "argument-in-imports",
        ),
        (
            "{ inputs, ... }: { environment.etc.x.text = inputs.rev; }",
            "argument-in-config",
        ),
        (
            "{ lib, pkgs, ... }: { imports = lib.optional pkgs.stdenv.isLinux ./hello.nix; }",
            "argument-pkgs-in-imports",
        ),
        (
            "{ confg, ... }: { environment.etc.x.text = confg.y; }",
            "argument-misspelt",
        ),
    ] {
        let site = site(&env, text);
        enable(&env, &site, "web").ends_with(3).golden(golden);
    }
}

#[test]
fn position_is_in_the_users_own_file() {
    let env = TestEnv::fixture();
    let text = "{ lib, ... }: {\n  environment.etc.x.text = lib.concatStringsSep \",\" [\n    (builtins.head [ ])\n  ];\n}";
    let site = site(&env, text);
    let ran = enable(&env, &site, "web")
        .ends_with(3)
        .golden("place-in-the-users-file");
    assert!(ran.stderr.contains("at web.nix:"), "{}", ran.stderr);
    // Here, a function of another input fails, and the user's file calls this function.
    site.write(
        "web.nix",
        "{ lib, ... }: {\n  environment.etc.x.text = lib.concatStringsSep 5 [ \"a\" \"b\" ];\n}",
    );
    let ran = enable(&env, &site, "web").ends_with(3);
    assert!(ran.stderr.contains("at web.nix:"), "{}", ran.stderr);
}

#[test]
fn missing_file_is_explained() {
    let test = "missing_file_is_explained";
    let env = TestEnv::fixture();
    let site = site(
        &env,
        "{ base, ... }: { imports = [ (base + \"/nowhere.nix\") ]; }",
    );
    enable(&env, &site, "web")
        .ends_with(3)
        .golden("file-missing-in-an-input");
    if !has(test, "git") {
        return;
    }
    site.write("web.nix", "{ imports = [ ./new.nix ]; }");
    site.commit(&env);
    let flake = format!("{}#box", site.path().display());
    let enable = || env.quiet(&["enable", "web", "--dry-run", "--flake", &flake]);
    enable().ends_with(3).golden("file-misspelt");
    site.write("new.nix", "{ }");
    let ran = enable().ends_with(3).golden("file-not-added-to-git");
    // The command in the hint works.
    let command = ran
        .stderr
        .split("git does not track it yet: run `")
        .nth(1)
        .and_then(|rest| rest.split('`').next())
        .expect("a command");
    let status = env.other("sh").args(["-c", command]).status().expect("sh");
    assert!(status.success(), "{command}");
    enable().ok();
}

#[test]
fn missing_submodule_is_explained() {
    let test = "missing_submodule_is_explained";
    let env = TestEnv::fixture();
    if !has(test, "git") {
        return;
    }
    let private = env.path("private");
    fs::create_dir(&private).expect("a folder");
    fs::write(
        private.join("secret.nix"),
        "{ environment.etc.secret.text = \"s\\n\"; }",
    )
    .expect("written");
    env.git(&private, &["init", "-q"]);
    env.git(&private, &["add", "."]);
    env.git(&private, &["commit", "-q", "-m", "one"]);
    fs::write(
        env.path("home/.gitconfig"),
        "[protocol \"file\"]\n\tallow = always\n",
    )
    .expect("written");
    let site = site(&env, "{ imports = [ ./private/secret.nix ]; }");
    env.git(site.path(), &["init", "-q"]);
    env.git(
        site.path(),
        &[
            "submodule",
            "--quiet",
            "add",
            &private.display().to_string(),
            "private",
        ],
    );
    site.commit(&env);
    let flake = format!("{}#box", site.path().display());
    let ran = env
        .quiet(&["enable", "web", "--dry-run", "--flake", &flake])
        .ends_with(3)
        .golden("file-missing-in-a-submodule");
    let reference = ran
        .stderr
        .split("--flake '")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let reference = reference.expect("a reference").to_string();
    env.run(&[
        "enable",
        "web",
        "--dry-run",
        "--flake",
        &reference,
        "--host",
        "box",
    ])
    .ok();
}

#[test]
fn modules_in_conflict_get_hints() {
    let env = TestEnv::fixture();
    for (text, golden) in [
        (
            "{ lib, ... }: { options.networking.hostName = lib.mkOption { type = lib.types.str; description = \"x\"; }; }",
            "option-declared-twice",
        ),
        (
            "{ lib, ... }: { config = lib.mkIf true { imports = [ ./hello.nix ]; }; }",
            "imports-under-a-condition",
        ),
        ("{ zzz.enable = true; }", "option-at-the-top-missing"),
    ] {
        let site = site(&env, text);
        enable(&env, &site, "web").ends_with(3).golden(golden);
    }
}

#[test]
fn check_shows_hints_as_enable_does() {
    let env = TestEnv::fixture();
    let misspelt = site(&env, "{ networking.hostNmae = \"x\"; }");
    let check = |site: &Site, more: &[&str]| {
        env.quiet(
            &[
                &[
                    "check",
                    "web",
                    "--flake",
                    &format!("{}#box", site.reference()),
                ],
                more,
            ]
            .concat(),
        )
        .ends_with(3)
        .text()
    };
    for more in [&[][..], &["--json"]] {
        let said = check(&misspelt, more);
        assert!(said.contains("did you mean networking.hostName?"), "{said}");
    }
    let alien = site(
        &env,
        "{ environment.etc.x.source = derivation { name = \"alien\"; system = \"riscv64-linux\"; builder = \"/bin/sh\"; }; }",
    );
    let said = check(&alien, &["--build"]);
    assert!(said.contains("hint: use a remote builder"), "{said}");
}

#[test]
fn entry_can_be_the_module_itself() {
    let env = TestEnv::fixture();
    let site = Site::new(&env, "site");
    let host = fs::read_to_string(site.path().join("host.nix")).expect("a host");
    site.write(
        "host.nix",
        &host.replace(
            "modules.hello = ./hello.nix;",
            "modules = {
      set = { environment.etc.set.text = \"a set\\n\"; };
      function = { lib, ... }: { environment.etc.function.text = lib.mkDefault \"a function\\n\"; };
      imports = { imports = [ ./hello.nix ]; environment.etc.more.text = \"more\\n\"; };
    };",
        ),
    );
    env.apply(&site.reference(), "box").ok();
    env.run(&["enable", "set", "function", "imports"]).ok();
    for (name, text) in [
        ("set", "a set\n"),
        ("function", "a function\n"),
        ("hello", "hello\n"),
        ("more", "more\n"),
    ] {
        assert_eq!(env.etc(name).as_deref(), Some(text));
    }
    // A misspelt attribute of an entry is still refused.
    site.write(
        "host.nix",
        &host.replace(
            "modules.hello = ./hello.nix;",
            "modules.hello = { module = ./hello.nix; descripton = \"x\"; };",
        ),
    );
    let ran = env.apply(&site.reference(), "box").ends_with(3);
    assert!(
        ran.stderr
            .contains("has `descripton`, which an entry cannot have"),
        "{}",
        ran.stderr
    );
}

#[test]
fn unlocked_inputs_are_reported_once() {
    let env = TestEnv::fixture();
    let site = site(&env, "{ }");
    let flake = site.reference();
    let ran = env
        .run(&[
            "enable",
            "web",
            "--dry-run",
            "--flake",
            &flake,
            "--host",
            "box",
        ])
        .ok();
    let count = |text: &str| ran.stderr.matches(text).count();
    assert_eq!(
        (
            count("lock file"),
            count("has no flake.lock; runtime-module locked these inputs")
        ),
        (0, 1),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("mini at "), "{}", ran.stderr);
    let list = env.run(&["list", "--flake", &flake, "--host", "box"]).ok();
    assert_eq!(
        list.stderr.matches("flake.lock").count(),
        1,
        "{}",
        list.stderr
    );
    // If the source is pinned, this note does not appear.
    env.apply(&flake, "box").ok();
    let ran = env.run(&["enable", "hello"]).ok();
    assert!(
        !ran.stderr.contains("lock file") && !ran.stderr.contains("flake.lock"),
        "{}",
        ran.stderr
    );
}

#[test]
fn failed_assertions_are_attributed_and_cut() {
    let env = TestEnv::fixture();
    let fails = "{ assertions = [ { assertion = false; message = \"the base is wrong\"; } ]; }";
    let site = site(&env, "{ }");
    let host = fs::read_to_string(site.path().join("host.nix")).expect("a host");
    site.write("wrong.nix", fails);
    site.write(
        "host.nix",
        &host.replace("imports = [", "imports = [ ./wrong.nix"),
    );
    enable(&env, &site, "hello")
        .ends_with(3)
        .golden("assertion-of-the-base");
    site.write("host.nix", &host);
    let lines: Vec<String> = (0..90).map(|number| format!("line {number}")).collect();
    let long = format!(
        "{{ assertions = [ {{ assertion = false; message = ''{}''; }} ]; }}",
        lines.join("\n")
    );
    site.write("web.nix", &long);
    let ran = enable(&env, &site, "web")
        .ends_with(3)
        .golden("assertion-of-ninety-lines");
    assert!(!ran.stderr.contains("line 80"), "{}", ran.stderr);
    let ran = env
        .quiet(&[
            "enable",
            "web",
            "--dry-run",
            "--flake",
            &site.reference(),
            "--host",
            "box",
            "--show-trace",
        ])
        .ends_with(3);
    assert!(ran.stderr.contains("line 89"), "{}", ran.stderr);
}

#[test]
fn machine_without_nix_is_explained() {
    if std::path::Path::new("/nix/store").exists() {
        return crate::support::skip(
            "machine_without_nix_is_explained",
            "this machine has a /nix/store",
        );
    }
    let env = TestEnv::fixture();
    let site = Site::new(&env, "site");
    let ran = env
        .quiet(&[
            "list",
            "--flake",
            &site.reference(),
            "--host",
            "box",
            "--store",
            "daemon",
        ])
        .ends_with(5);
    assert!(
        ran.stderr.contains("this machine has no Nix"),
        "{}",
        ran.stderr
    );
}
