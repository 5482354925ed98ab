//! `enable`, `disable`, `apply`, `reset` and `rebuild` without failures.

use crate::support::{Ran, TestEnv, compare, nix, read_json, strings};

/// Returns the modules that `status` lists as active.
fn on(env: &TestEnv) -> Vec<String> {
    let status = env.json(&["status"]);
    let modules = status["modules"].as_array().expect("a list").iter();
    modules
        .filter(|one| one["active"] == true)
        .map(|one| one["name"].as_str().unwrap_or_default().to_string())
        .collect()
}

fn toplevel(ran: &Ran) -> String {
    ran.json()["toplevel"]
        .as_str()
        .expect("a toplevel")
        .to_string()
}

#[test]
fn first_apply_activates_the_base() {
    let env = TestEnv::fixture();
    let flake = env.flake();
    env.run(&["apply", "--flake", &flake, "--host", "box"])
        .ok()
        .golden("apply-empty-root");
    assert_eq!(env.etc("hostname").as_deref(), Some("box\n"));
    assert_eq!(env.unit("heartbeat.service").as_deref(), Some("active"));
    env.run(&["status"]).ok().golden("status-base");
    env.run(&["apply"]).ok().golden("apply-nothing-wanted");
}

#[test]
fn modules_are_enabled_and_disabled() {
    let env = TestEnv::new();
    let base = env.running();
    env.run(&["enable", "hello", "web"])
        .ok()
        .golden("enable-two");
    assert_eq!(env.unit("hello.service").as_deref(), Some("active"));
    assert_eq!(env.unit("web.service").as_deref(), Some("active"));
    assert_eq!(
        env.etc("web/index.html").as_deref(),
        Some("<h1>minios</h1>\n")
    );
    assert!(env.running().join("sw/bin/hello-runtime").exists());
    env.run(&["status"]).ok().golden("status-two");
    env.run(&["status", "hello", "web"])
        .ok()
        .golden("status-named-on");
    env.run(&["status", "hello", "slow"])
        .ends_with(10)
        .golden("status-named-off");

    env.run(&["enable", "hello"]).ok().golden("enable-again");
    env.run(&["enable", "web", "hello"])
        .ok()
        .golden("enable-two-again");

    env.run(&["disable", "hello"]).ok().golden("disable-one");
    assert_eq!(on(&env), ["web"]);
    assert_eq!(env.unit("hello.service"), None);
    assert_eq!(env.unit("web.service").as_deref(), Some("active"));
    env.run(&["disable", "hello"])
        .ok()
        .golden("disable-what-is-off");
    env.run(&["disable", "hello", "slow"])
        .ok()
        .golden("disable-two-that-are-off");

    env.run(&["reset"]).ok().golden("reset");
    assert_eq!(env.running(), base);
    assert_eq!(env.etc("web/index.html"), None);
    assert_eq!(env.unit("web.service"), None);
    env.run(&["reset"]).ok().golden("reset-again");
    env.run(&["status"]).ok().golden("status-after-reset");
}

#[test]
fn several_names_share_one_transaction() {
    let env = TestEnv::new();
    let before = env.state()["revision"].as_u64().expect("a revision");
    let ran = env
        .run(&["enable", "hello", "web", "pair", "--progress", "events"])
        .ok();
    let begun = |phase: &str| {
        ran.events()
            .iter()
            .filter(|event| event["event"] == "phase-begin" && event["phase"] == phase)
            .count()
    };
    assert_eq!((begun("evaluate"), begun("activate")), (1, 1));
    assert_eq!(env.state()["revision"], before + 1);
    let ran = env
        .run(&["disable", "web", "pair", "--progress", "events"])
        .ok();
    assert_eq!(
        ran.events()
            .iter()
            .filter(|event| event["phase"] == "evaluate" && event["event"] == "phase-begin")
            .count(),
        1
    );
    assert_eq!(env.state()["revision"], before + 2);
    assert_eq!(on(&env), ["hello"]);
}

#[test]
fn reset_and_last_disable_evaluate_nothing() {
    let env = TestEnv::new();
    let base = env.running();
    env.run(&["enable", "pair"]).ok();
    let ran = env.run(&["disable", "pair", "--progress", "events"]).ok();
    assert!(
        ran.events()
            .iter()
            .all(|event| event["phase"] != "evaluate"),
        "{}",
        ran.stderr
    );
    assert_eq!(env.running(), base);
    // `reset` works even if the flake is gone and the pinned source is not in the store.
    env.run(&["enable", "inline"]).ok();
    std::fs::remove_dir_all(env.path("source")).expect("the source");
    let source = env.state()["pin"]["source"]
        .as_str()
        .expect("a source")
        .to_string();
    std::fs::rename(&source, format!("{source}-away")).expect("the pinned source");
    env.run(&["reset"]).ok();
    assert_eq!(env.running(), base);
}

#[test]
fn toggle_uses_the_pin_and_rebuild_moves_it() {
    let env = TestEnv::new();
    let motd = env.fixture_path("hosts/common.nix");
    let text = std::fs::read_to_string(&motd).expect("read");
    std::fs::write(
        &motd,
        text.replace("Welcome to minios.", "Welcome to another day."),
    )
    .expect("written");

    env.run(&["enable", "inline"]).ok();
    assert_eq!(env.etc("motd").as_deref(), Some("Welcome to minios.\n"));
    // If the configuration has no flakeUrl, `rebuild` locks the reference of the pin again.
    env.run(&["rebuild"]).ok().golden("rebuild");
    assert_eq!(
        env.etc("motd").as_deref(),
        Some("Welcome to another day.\n")
    );
    assert_eq!(on(&env), ["inline"]);
    // The next toggle extends the new pin, and reset returns to the new base.
    env.run(&["enable", "hello"]).ok();
    assert_eq!(
        env.etc("motd").as_deref(),
        Some("Welcome to another day.\n")
    );
    env.run(&["reset"]).ok();
    assert_eq!(
        env.etc("motd").as_deref(),
        Some("Welcome to another day.\n")
    );
    assert_eq!(env.etc("inline"), None);
}

#[test]
fn rebuild_locks_the_configured_url() {
    let env = TestEnv::fixture();
    let url = env.flake();
    let env = env
        .edit("hosts/box.nix", |text| {
            text.replace(
                "flake = self;",
                &format!("flake = self;\n    flakeUrl = \"{url}\";"),
            )
        })
        .start("box");
    env.run(&["enable", "inline"]).ok();
    let motd = env.fixture_path("hosts/common.nix");
    let text = std::fs::read_to_string(&motd).expect("read");
    std::fs::write(
        &motd,
        text.replace("Welcome to minios.", "Welcome to another day."),
    )
    .expect("written");
    env.run(&["rebuild"]).ok().golden("rebuild-from-its-url");
    assert_eq!(
        env.etc("motd").as_deref(),
        Some("Welcome to another day.\n")
    );
    assert_eq!(
        env.etc("inline").as_deref(),
        Some("written where it is declared\n")
    );
}

#[test]
fn unchanged_system_is_activated_only_with_force() {
    let env = TestEnv::new();
    env.run(&["enable", "inline"]).ok();
    let revision = env.state()["revision"].as_u64().expect("a revision");
    // Remove a file by hand: only an activation restores it.
    std::fs::remove_file(env.root("etc/inline")).expect("removed");
    env.run(&["enable", "inline"]).ok();
    env.run(&["apply"]).ok().golden("apply-again");
    assert_eq!(
        (env.state()["revision"].as_u64(), env.etc("inline")),
        (Some(revision), None)
    );
    env.run(&["enable", "inline", "--force"])
        .ok()
        .golden("enable-force");
    assert_eq!(env.state()["revision"], revision + 1);
    assert!(env.etc("inline").is_some());
    std::fs::remove_file(env.root("etc/inline")).expect("removed");
    env.run(&["apply", "-f"]).ok();
    assert!(env.etc("inline").is_some());
}

#[test]
fn dry_run_changes_nothing() {
    let env = TestEnv::new();
    let (before, outputs) = (env.everything(), env.outputs());
    env.run(&["enable", "hello", "slow", "--dry-run"])
        .ok()
        .golden("enable-dry-run");
    env.run(&["apply", "--dry-run", "--force"]).ok();
    env.run(&["rebuild", "--dry-run", "--flake", &env.flake()])
        .ok()
        .golden("rebuild-dry-run");
    before.is_still(&env.everything());
    assert_eq!(outputs, env.outputs(), "a dry run built something");

    env.run(&["enable", "hello"]).ok();
    let (before, outputs) = (env.everything(), env.outputs());
    env.run(&["disable", "hello", "--dry-run"])
        .ok()
        .golden("disable-dry-run");
    env.run(&["reset", "--dry-run"])
        .ok()
        .golden("reset-dry-run");
    before.is_still(&env.everything());
    assert_eq!(outputs, env.outputs(), "a dry run built something");
}

#[test]
fn dry_run_refuses_ifd_unless_allowed() {
    let env = TestEnv::new();
    let outputs = env.outputs();
    env.run(&["enable", "ifd", "--dry-run"])
        .ends_with(3)
        .golden("ifd-dry-run");
    assert_eq!(outputs, env.outputs());
    env.run(&["enable", "ifd", "--dry-run", "--allow-ifd"]).ok();
    // Without `--dry-run`, evaluation may build, and the output shows the build.
    let other = TestEnv::new();
    let ran = other.run(&["enable", "ifd"]).ok();
    let built = ran
        .stderr
        .find("build: generated.nix")
        .expect("a line for the build");
    let evaluated = ran
        .stderr
        .find("evaluate: ")
        .expect("a line for the evaluation");
    assert!(built < evaluated, "{}", ran.stderr);
    assert_eq!(other.etc("ifd").as_deref(), Some("from a built file\n"));
    env.run(&["enable", "inline", "--allow-ifd"])
        .ends_with(2)
        .golden("allow-ifd-without-dry-run");
    env.run(&["enable", "ifd"]).ok();
    assert_eq!(env.etc("ifd").as_deref(), Some("from a built file\n"));
}

/// Like Nix, a dry run refuses import from derivation even if the derivation is already built or the result is cached.
/// So it gives the same answer on every machine.
#[test]
fn dry_run_refuses_ifd_even_if_built() {
    let env = TestEnv::new();
    env.run(&["enable", "ifd"]).ok();
    env.run(&["disable", "ifd"]).ok();
    for more in [&[][..], &["--no-cache"]] {
        let ran = env.run(&[&["enable", "ifd", "--dry-run"], more].concat());
        let text = ran.ends_with(3).text().replace(" --no-cache", "");
        compare("ifd-dry-run", &text);
    }
    // With --allow-ifd the cached result is used.
    let allowed = env.json(&["enable", "ifd", "--dry-run", "--allow-ifd"]);
    assert_eq!(allowed["cache"]["hit"], true, "{allowed:#}");
    assert_eq!(env.json(&["enable", "ifd"])["cache"]["hit"], true);
    env.run(&["reset"]).ok();
    // The Nix setting has the same effect without `--dry-run`.
    let never = ["--option", "allow-import-from-derivation", "false"];
    let ran = env.run(&[&["enable", "ifd"], &never[..]].concat());
    let ran = ran.ends_with(3);
    assert!(
        ran.stderr
            .contains("'allow-import-from-derivation' is disabled"),
        "{}",
        ran.stderr
    );
    // A dry run uses the cached result of a module without import from derivation.
    env.run(&["enable", "inline"]).ok();
    env.run(&["disable", "inline"]).ok();
    let known = env.json(&["enable", "inline", "--dry-run"]);
    assert_eq!(known["cache"]["hit"], true, "{known:#}");
}

#[test]
fn ifd_builds_are_shown_during_evaluation() {
    let env = TestEnv::new();
    let ran = env
        .run(&["enable", "ifd", "--progress", "events", "-L"])
        .ok();
    let events = ran.events();
    let at = |event: &str, key: &str, value: &str| {
        let found = events
            .iter()
            .position(|one| one["event"] == event && one[key] == value);
        found.unwrap_or_else(|| panic!("no {event} with {value}:\n{}", ran.stderr))
    };
    let evaluation = at("phase-begin", "phase", "evaluate")..at("phase-end", "phase", "evaluate");
    assert!(evaluation.contains(&at("build", "name", "generated.nix")));
    // The file is built only once, during evaluation.
    assert!(at("phase-end", "phase", "evaluate") < at("phase-begin", "phase", "build"));
    assert!(
        events
            .iter()
            .filter(|one| one["event"] == "build" && one["name"] == "generated.nix")
            .count()
            == 1
    );
}

#[test]
fn modules_are_applied_in_declared_order() {
    let adds = |name: &str| format!("{{ environment.etc.order.text = \"{name}\"; }}");
    let hosts = [
        // Sets are sorted by name, and lists keep their order. The flake's own modules come last.
        ("box", ["hello", "users", "web", "clock"].as_slice()),
        ("box-list", ["web", "hello", "clock"].as_slice()),
    ];
    for (host, declared) in hosts {
        let env = TestEnv::fixture()
            .module("web", &adds("web"))
            .module("hello", &adds("hello"))
            .module("users", &adds("users"))
            .edit("output/clock.nix", |_| adds("clock"))
            .start(host);
        let backwards: Vec<&str> = declared.iter().rev().copied().collect();
        let mut seen = Vec::new();
        for names in [declared, &backwards] {
            for name in names {
                env.run(&["enable", name]).ok();
            }
            assert_eq!(env.active(), names, "the requested modules are reordered");
            seen.push(env.running().display().to_string());
            let order = env.etc("order").expect("the file");
            assert_eq!(order.lines().collect::<Vec<_>>(), declared, "{host}");
            env.run(&["reset"]).ok();
        }
        let all = env.run(&[&["enable", "--dry-run", "--json"], &backwards[..]].concat());
        seen.push(toplevel(&all.ok()));
        assert!(seen.iter().all(|one| *one == seen[0]), "{host}: {seen:?}");
    }
}

#[test]
fn baked_and_evaluated_lookups_agree() {
    let adds = |name: &str| format!("{{ environment.etc.order.text = \"{name}\"; }}");
    let env = TestEnv::fixture()
        .module("web", &adds("web"))
        .module("hello", &adds("hello"))
        .edit("flake.nix", |text| {
            text.replace(
                "clock = ./output/clock.nix;",
                &format!(
                    "clock = ./output/clock.nix;\n        aside = {};",
                    adds("aside")
                ),
            )
        })
        .start("box");
    let flake = env.flake();
    let elsewhere = ["--flake", &flake, "--host", "box"];
    for names in [
        &["hello", "web", "folder", "clock", "banner"][..],
        // `inline` has no file of its own.
        &["hello", "web", "inline", "clock"],
        &["hello", "web", "aside"],
        &["pair", "web"],
    ] {
        let arguments = [&["enable", "--dry-run", "--json"], names].concat();
        // The first run uses baked names and files. The second run evaluates the host to find them.
        let fast = toplevel(&env.run(&arguments).ok());
        let slow = toplevel(&env.run(&[&arguments[..], &elsewhere].concat()).ok());
        assert_eq!(fast, slow, "{names:?}");
    }
}

#[test]
fn system_equals_the_one_that_nix_evaluates() {
    let test = "system_equals_the_one_that_nix_evaluates";
    let env = TestEnv::new();
    let Some(nix) = nix(test) else { return };
    // The program applies modules in declared order, whatever their order on the command line.
    let expression = format!(
        r#"let flake = builtins.getFlake "{}"; in (flake.nixosConfigurations.box.extendModules {{
             modules = [ (flake.outPath + "/runtime/hello.nix") (flake.outPath + "/runtime/users.nix") ];
           }}).config.system.build.toplevel.drvPath"#,
        env.flake()
    );
    let mut command = env.other(nix);
    command
        .args(["--extra-experimental-features", "nix-command flakes"])
        .args([
            "--store",
            &env.store(),
            "eval",
            "--raw",
            "--impure",
            "--expr",
        ])
        .arg(expression);
    let theirs = env.start_running(command).end().ok().stdout;
    let ours = env.json(&["enable", "users", "hello", "--dry-run"]);
    assert_eq!(ours["drv"], theirs);
}

#[test]
fn already_imported_module_is_applied_once() {
    let env = TestEnv::fixture()
        .module("web", "{ lib, ... }: { options.once = lib.mkOption { type = lib.types.int; default = 1; description = \"Once\"; }; }")
        .edit("hosts/common.nix", |text| {
            text.replacen("{\n", "{\n  imports = [ ../runtime/web.nix ];\n", 1)
        })
        .start("box");
    let base = env.running();
    env.run(&["enable", "web"]).ok();
    assert_eq!(env.running(), base);
    assert_eq!(env.active(), ["web"]);
    // The system is unchanged, but the request is recorded.
    env.run(&["status", "web"]).ok();
    env.run(&["disable", "web"]).ok();
    assert_eq!(env.active(), Vec::<String>::new());
}

#[test]
fn nixosmodules_of_the_flake_can_be_enabled() {
    let env = TestEnv::new();
    env.run(&["enable", "clock", "banner"]).ok();
    assert_eq!(env.etc("issue").as_deref(), Some("This is minios.\n"));
    assert!(env.root("var/lib/clock").exists());
    assert_eq!(on(&env), ["clock", "banner"]);
    // They are also available on a host that declares no runtime modules.
    let env = TestEnv::fixture().start("bare");
    env.run(&["enable", "banner"])
        .ok()
        .golden("enable-output-on-bare");
    assert_eq!(env.etc("issue").as_deref(), Some("This is minios.\n"));
}

#[test]
fn switch_to_base_keeps_requested_modules() {
    let env = TestEnv::new();
    let base = env.running();
    env.run(&["enable", "hello", "inline"]).ok();
    let with_modules = env.running();

    // Switch back to the base by hand.
    env.switch_by_hand(&base);
    env.run(&["status"])
        .ok()
        .golden("status-switched-to-the-base");
    env.run(&["status", "hello"]).ends_with(10);
    let list = env.run(&["list"]).ok().stdout;
    assert!(
        list.lines()
            .any(|line| line.starts_with("hello ") && line.contains("enabled but not active")),
        "{list}"
    );
    env.run(&["apply"]).ok().golden("apply-after-a-switch");
    assert_eq!(
        (env.running(), on(&env)),
        (
            with_modules,
            vec!["hello".to_string(), "inline".to_string()]
        )
    );
}

/// Switches to another configuration, as nixos-rebuild does. This configuration becomes the base.
#[test]
fn external_switch_keeps_requested_modules() {
    let env = TestEnv::new();
    env.run(&["enable", "hello", "inline"]).ok();
    let flake = env.flake();
    let other = env
        .run(&[
            "apply",
            "--dry-run",
            "--json",
            "--flake",
            &flake,
            "--host",
            "other-kernel",
        ])
        .ok();
    assert!(other.json()["base"].is_null() || other.json()["base"].is_string());
    let elsewhere = env.path("elsewhere");
    let elsewhere = elsewhere.to_str().expect("a path");
    env.run(&[
        "apply",
        "--flake",
        &flake,
        "--host",
        "other-kernel",
        "--root",
        elsewhere,
    ])
    .ok();
    let other = std::fs::read_link(env.path("elsewhere/run/current-system")).expect("a system");
    let switched = env
        .other(other.join("bin/switch-to-configuration"))
        .arg("test")
        .status()
        .expect("the switch program");
    assert!(switched.success());
    env.run(&["status"])
        .ok()
        .golden("status-switched-elsewhere");
    env.run(&["apply"])
        .ok()
        .golden("apply-after-a-switch-elsewhere");
    assert_eq!(on(&env), ["hello", "inline"]);
    assert_eq!(env.state()["base"]["toplevel"], other.display().to_string());
    env.run(&["reset"]).ok();
    assert_eq!(env.running(), other);
}

#[test]
fn list_of_modules_works_on_another_host() {
    let env = TestEnv::fixture().start("box-list");
    env.run(&["list"]).ok().golden("list-of-a-list");
    env.run(&["enable", "pair", "hello"]).ok();
    assert_eq!(on(&env), ["pair", "hello"]);
    assert!(env.etc("pair/left").is_some() && env.etc("pair/right").is_some());
}

#[test]
fn configuration_warnings_are_shown_once() {
    let env = TestEnv::new();
    let ran = env
        .run(&["enable", "warning", "--progress", "off"])
        .ok()
        .golden("enable-warning");
    assert_eq!(ran.stderr.matches("services.old is deprecated").count(), 1);
    let document = env.json(&["enable", "warning", "--force", "--dry-run"]);
    assert_eq!(strings(&document["warnings"]).len(), 2);
}

#[test]
fn requested_modules_are_saved_for_reboot() {
    let env = TestEnv::new();
    env.run(&["enable", "web", "hello"]).ok();
    let wanted = read_json(&env.root("var/lib/runtime-modules/wanted.json"));
    assert_eq!(
        (wanted["schema"].as_u64(), strings(&wanted["modules"])),
        (Some(1), vec!["web".into(), "hello".into()])
    );
    env.run(&["reset"]).ok();
    let wanted = read_json(&env.root("var/lib/runtime-modules/wanted.json"));
    assert_eq!(strings(&wanted["modules"]), Vec::<String>::new());
}
