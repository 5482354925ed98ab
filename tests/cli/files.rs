//! Systems from a file instead of a flake: a plain configuration, as with channels, and attributes of files.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::{Ran, TestEnv, compare, nix, strings};

/// A configuration like that of `nixos-generate-config`: a module, without a flake.
const CONFIGURATION: &str = r#"{ lib, ... }: {
  imports = [ ./hosts/common.nix ../../nixos/runtime-modules ];
  networking.hostName = "box";
  services.runtimeModules = {
    enable = true;
    modules = {
      hello = ./runtime/hello.nix;
      type-error = ./runtime/type-error.nix;
      web = ./runtime/web.nix;
    };
  };
}
"#;

/// A file with several systems and other values.
const SYSTEMS: &str = r#"{ system ? "x86_64-linux" }:
let
  host = modules: import ./eval-config.nix { inherit system modules; };
  box = host [ ./configuration.nix ];
in
{
  inherit box;
  nodes.other = { }: host [ ./configuration.nix { environment.etc.motd.text = "Other.\n"; } ];
  closed = { inherit (box) config options pkgs; };
  parameterised = { colour, size }: host [ ];
  positional = colour: host [ ];
  text = "no system";
  # Not a NixOS system, but a set of evaluated modules.
  bare = (import ./lib).evalModules {
    modules = [
      ./modules
      ./hosts/common.nix
      { nixpkgs.hostPlatform = system; networking.hostName = "box"; }
    ];
  };
  image = (import ./lib).evalModules {
    modules = [
      ({ lib, ... }: {
        options.system.build = lib.mkOption { type = lib.types.raw; };
        config.system.build.toplevel = box.pkgs.runCommand "image" { } "mkdir $out";
      })
    ];
  };
}
"#;

/// Creates the fixture with both files, and with a nixpkgs in the layout of a channel on Nix's
/// search path.
pub fn plain() -> TestEnv {
    let env = TestEnv::fixture();
    write(&env, "configuration.nix", CONFIGURATION);
    write(&env, "default.nix", SYSTEMS);
    let lib = env.path("nixpkgs/nixos/lib");
    fs::create_dir_all(&lib).expect("a folder");
    let text = format!(
        "{{ modules, system }}: import {} {{ inherit modules system; }}\n",
        env.fixture_path("eval-config.nix").display()
    );
    fs::write(lib.join("eval-config.nix"), text).expect("written");
    let conf = env.path("etc/nix.conf");
    let settings = fs::read_to_string(&conf).expect("nix.conf");
    let nixpkgs = env.path("nixpkgs");
    fs::write(
        conf,
        format!("{settings}nix-path = nixpkgs={}\n", nixpkgs.display()),
    )
    .expect("written");
    env
}

/// Starts a machine that runs the plain configuration, without any module.
fn running() -> TestEnv {
    let env = plain();
    let file = at(&env, "configuration.nix");
    env.run(&["apply", "--file", &file, "--progress", "off"])
        .ok();
    env
}

fn write(env: &TestEnv, name: &str, text: &str) {
    fs::write(env.fixture_path(name), text).expect("written");
}

fn at(env: &TestEnv, name: &str) -> String {
    env.fixture_path(name).display().to_string()
}

/// Returns the number of systems in the store.
fn systems(env: &TestEnv) -> usize {
    let outputs = env.outputs();
    let system = |name: &&String| name.contains("-nixos-system-");
    outputs.iter().filter(system).count()
}

fn motd(env: &TestEnv) -> String {
    env.etc("motd").expect("a motd")
}

/// Returns the configuration with another message of the day.
fn edited(text: &str) -> String {
    CONFIGURATION.replace(
        "networking.hostName",
        &format!("environment.etc.motd.text = \"{text}\\n\"; networking.hostName"),
    )
}

/// Returns the lines about the evaluated file and about the system without modules.
fn file_and_base_lines(ran: &Ran) -> String {
    ran.stderr
        .lines()
        .filter(|line| {
            line.starts_with("evaluating the file")
                || line.starts_with("the system without modules")
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn file_is_evaluated_again_for_each_change() {
    let env = plain();
    let file = at(&env, "configuration.nix");
    env.run(&["enable", "hello", "--file", &file, "--dry-run"])
        .ok()
        .golden("file-dry-run");
    assert_eq!(systems(&env), 0);
    env.run(&["enable", "hello", "--file", &file, "--progress", "plain"])
        .ok()
        .golden("file-enable");
    assert_eq!(env.active(), ["hello"]);
    env.run(&["status"]).ok().golden("file-status");
    env.run(&["list"]).ok().golden("file-list");

    // The next change evaluates the same file with its current content, from any directory.
    write(&env, "configuration.nix", &edited("Second."));
    let mut elsewhere = env.command(["enable", "web", "--progress", "plain"]);
    elsewhere.current_dir("/");
    let ran = env.start_running(elsewhere).end().ok();
    compare("file-moved", &env.normalise(&file_and_base_lines(&ran)));
    assert_eq!((env.active().len(), motd(&env).as_str()), (2, "Second.\n"));
    // Results of a file are not cached, and the reason is shown.
    let again = env.json(&["apply"]);
    assert_eq!(again["change"], "same", "{again}");
    assert_eq!(again["cache"]["hit"], false);
    assert_eq!(
        again["cache"]["why"],
        "the source is a file, which may change"
    );
    let with_hello = env.running();
    write(&env, "configuration.nix", &edited("Third."));
    env.run(&["rebuild"]).ok();
    assert_eq!(motd(&env), "Third.\n");
    // A module declared since then can be enabled.
    let more =
        edited("Third.").replace("modules = {", "modules = {\n users = ./runtime/users.nix;");
    write(&env, "configuration.nix", &more);
    env.run(&["enable", "users"]).ok();

    // Commands that evaluate nothing still work with a broken file.
    write(&env, "configuration.nix", "{");
    env.run(&["rollback", "2"]).ok();
    assert_eq!(env.running(), with_hello);
    env.run(&["disable", "web", "--progress", "off"])
        .ends_with(3)
        .golden("file-syntax-error");
    env.run(&["reset"]).ok();
    assert_eq!(env.active(), Vec::<String>::new());
    assert_eq!(motd(&env), "Second.\n");
    fs::remove_file(&file).expect("removed");
    env.run(&["enable", "hello", "--progress", "off"])
        .ends_with(5)
        .golden("file-gone");
}

#[test]
fn disabling_all_restores_the_base_system() {
    let env = running();
    let base = env.running();
    env.run(&["enable", "hello"]).ok();
    assert_ne!(env.running(), base);
    env.run(&["disable", "hello"]).ok();
    assert_eq!(env.running(), base);
    let ahead = env.run(&["prefetch", "web"]).ok();
    assert_eq!(
        ahead.stdout,
        "web can be enabled after another evaluation\n"
    );
    // After an external switch, the file is still pinned.
    env.run(&["enable", "web"]).ok();
    env.switch_by_hand(&base);
    env.run(&["apply"]).ok();
    assert_eq!(env.active(), ["web"]);
    assert_eq!(
        env.state()["pin"]["file"]["path"],
        at(&env, "configuration.nix")
    );
    // `--module` also works if a file is pinned, and `--keep` keeps the module.
    fs::write(env.path("x.nix"), "{ environment.etc.x.text = \"x\\n\"; }").expect("written");
    env.run(&["apply", "--module", "./x.nix", "--keep"]).ok();
    env.run(&["disable", "web"]).ok();
    assert_eq!(env.etc("x").as_deref(), Some("x\n"));
    env.run(&["reset"]).ok();
    assert_eq!(env.running(), base);
}

#[test]
fn file_has_the_same_derivation_as_in_nix() {
    let Some(nix) = nix("file_has_the_same_derivation_as_in_nix") else {
        return;
    };
    let env = plain();
    let eval = |expression: &str| {
        let mut command = env.other(&nix);
        command
            .args(["--extra-experimental-features", "nix-command"])
            .args(["eval", "--raw", "--impure", "--store", &env.store()])
            .args(["--expr", expression]);
        let output = command.output().expect("nix");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let host = |modules: &str| {
        format!(
            "(import <nixpkgs/nixos/lib/eval-config.nix> {{ system = \"x86_64-linux\"; modules = [ {modules} ]; }}).config.system.build.toplevel.drvPath"
        )
    };
    let (configuration, hello) = (at(&env, "configuration.nix"), at(&env, "runtime/hello.nix"));
    let other = "{ environment.etc.motd.text = \"Other.\\n\"; }";
    let cases: [(&[&str], String); 3] = [
        (
            &["configuration.nix"],
            host(&format!("{configuration} {hello}")),
        ),
        (
            &["", "--attr", "box"],
            host(&format!("{configuration} {hello}")),
        ),
        (
            &["default.nix", "--attr", "nodes.other"],
            host(&format!("{configuration} {other} {hello}")),
        ),
    ];
    for (arguments, expression) in cases {
        let file = at(&env, arguments[0]);
        let all = [
            &["enable", "hello", "--dry-run", "--file", &file],
            &arguments[1..],
        ]
        .concat();
        assert_eq!(env.json(&all)["drv"], eval(&expression), "{arguments:?}");
    }
}

#[test]
fn attribute_of_a_file_is_a_system() {
    let env = plain();
    let folder = at(&env, "");
    env.run(&[
        "enable",
        "hello",
        "--file",
        &folder,
        "--attr",
        "nodes.other",
    ])
    .ok();
    assert_eq!(motd(&env), "Other.\n");
    env.run(&["status"]).ok().golden("file-status-attribute");
    let status = env.json(&["status"]);
    let file = &status["pin"]["file"];
    assert_eq!(file["path"], at(&env, "default.nix"));
    assert_eq!(strings(&file["attribute"]), ["nodes", "other"]);
    assert_eq!(status["pin"]["host"], "nodes.other");
    // Without options the same attribute is used; --attr selects another one.
    env.run(&["enable", "web"]).ok();
    assert_eq!(motd(&env), "Other.\n");
    env.run(&["apply", "--file", &folder, "--attr", "box"]).ok();
    assert_eq!(motd(&env), "Welcome to minios.\n");
    assert_eq!(env.active(), ["hello", "web"]);
    // The attribute `bare` lacks the options of our NixOS module, and was not made by
    // `eval-config.nix`.
    env.run(&["reset"]).ok();
    fs::write(env.path("x.nix"), "{ environment.etc.x.text = \"x\\n\"; }").expect("written");
    let bare = ["apply", "--file", &folder, "--attr", "bare"];
    env.run(&[&bare[..], &["--module", "./x.nix"]].concat())
        .ok();
    assert_eq!(env.etc("x").as_deref(), Some("x\n"));
    env.run(&["enable", "hello", "--progress", "off"])
        .ends_with(2)
        .golden("file-no-option");
}

#[test]
fn baked_file_needs_no_option() {
    let env = plain();
    let file = at(&env, "configuration.nix");
    let says = |text: &str| {
        let text = text.replace(
            "enable = true;",
            "enable = true; file = toString ./configuration.nix;",
        );
        write(&env, "configuration.nix", &text);
    };
    says(CONFIGURATION);
    env.run(&["apply", "--file", &file]).ok();
    // A reboot removes the state.
    fs::remove_file(env.root("run/runtime-modules/state.json")).expect("removed");
    env.run(&["status"]).ok().golden("file-status-baked");
    let listed = env.run(&["list"]).ok();
    assert_eq!(
        listed.stderr, "",
        "the baked list is valid for the running system"
    );
    says(&edited("After a reboot."));
    let ran = env.run(&["enable", "hello", "--progress", "plain"]).ok();
    assert!(
        ran.stderr.starts_with("evaluating the file ") && !ran.stderr.contains("warning"),
        "{}",
        ran.stderr
    );
    assert_eq!(motd(&env), "After a reboot.\n");
    env.run(&["enable", "helo", "--progress", "off"])
        .ends_with(2);
    env.run(&["rebuild"]).ok();
    env.run(&["reset"]).ok();
}

#[test]
fn machine_moves_from_flake_to_file_and_back() {
    let env = plain().start("box");
    let base = env.running();
    env.run(&["enable", "hello"]).ok();
    let file = at(&env, "configuration.nix");
    env.run(&["apply", "--file", &file]).ok();
    assert!(env.state()["pin"]["file"].is_object());
    let flake = env.flake();
    env.run(&["apply", "--flake", &flake, "--host", "box"]).ok();
    assert_eq!(env.state()["pin"]["file"], Value::Null);
    env.run(&["disable", "hello"]).ok();
    assert_eq!(env.running(), base);
}

#[test]
fn check_accepts_a_file_and_bench_does_not() {
    let env = running();
    let ran = env.run(&["check", "--json"]).ends_with(3);
    let document = ran.json();
    let rows = document["results"].as_array().expect("rows");
    let status = |name: &str| {
        let row = rows.iter().find(|row| strings(&row["modules"]) == [name]);
        row.expect("a row")["status"].clone()
    };
    assert_eq!(
        [status("hello"), status("web"), status("type-error")],
        ["ok", "ok", "failed"]
    );
    let file = at(&env, "");
    let named = env
        .run(&["check", "hello", "--json", "--file", &file, "--attr", "box"])
        .ok();
    assert_eq!(named.json()["results"][1]["host"], "box");
    let alone = env.json(&["enable", "hello", "--dry-run"]);
    let row = rows
        .iter()
        .find(|row| strings(&row["modules"]) == ["hello"]);
    assert_eq!(row.expect("a row")["drv"], alone["drv"]);
    env.run(&["bench", "eval", "hello", "--runs", "1"])
        .ends_with(5)
        .golden("file-bench");
}

#[test]
fn files_without_a_system_are_refused() {
    let env = plain();
    let enable = |name: &str, more: &[&str], code: i32, golden: &str| {
        let file = at(&env, name);
        let all = ["enable", "hello", "--progress", "off", "--file", &file];
        let ran = env.run(&[&all[..], more].concat());
        ran.ends_with(code).golden(golden);
    };
    let (system, usage) = (3, 2);
    write(&env, "list.nix", "[ ./configuration.nix ]");
    fs::create_dir(env.fixture_path("nothing")).expect("a folder");
    enable("nowhere.nix", &[], usage, "file-nowhere");
    enable("nothing", &[], usage, "file-folder-without");
    enable("", &["--attr", "boks"], usage, "file-attribute-nearest");
    enable("", &["--attr", "nodes.x"], usage, "file-attribute-none");
    enable(
        "",
        &["--attr", "text.x"],
        usage,
        "file-attribute-of-a-string",
    );
    enable("", &["--attr", "a..b"], usage, "file-attribute-malformed");
    enable("", &[], system, "file-with-systems-in-it");
    enable("", &["--attr", "text"], system, "file-a-string");
    enable("", &["--attr", "closed"], system, "file-closed");
    enable(
        "",
        &["--attr", "parameterised"],
        system,
        "file-parameterised",
    );
    enable("", &["--attr", "positional"], system, "file-positional");
    enable("list.nix", &[], system, "file-a-list");
}

#[test]
fn missing_imports_and_search_paths_are_reported() {
    let env = plain();
    let enable = |name: &str, golden: &str| {
        let file = at(&env, name);
        let ran = env.run(&["enable", "hello", "--progress", "off", "--file", &file]);
        ran.ends_with(3).golden(golden);
    };
    write(&env, "search.nix", "import <nowhere> { }\n");
    enable("search.nix", "file-search-path");
    write(&env, "imports.nix", "{ imports = [ ./gone.nix ]; }\n");
    let imports = at(&env, "imports.nix");
    let gone = env
        .run(&["enable", "hello", "--file", &imports])
        .ends_with(3);
    assert!(
        gone.stderr.contains("gone.nix' does not exist")
            && gone.stderr.contains("hint: check the spelling of the path")
            && !gone.stderr.contains("git"),
        "{}",
        gone.stderr
    );
    let conf = fs::read_to_string(env.path("etc/nix.conf")).expect("nix.conf");
    let (without, _) = conf.split_once("nix-path").expect("the setting");
    fs::write(env.path("etc/nix.conf"), without).expect("written");
    enable("configuration.nix", "file-without-nixpkgs");
    // The search path comes from NIX_PATH or from an option.
    let nixpkgs = format!("nixpkgs={}", env.path("nixpkgs").display());
    let file = at(&env, "configuration.nix");
    let all = ["enable", "hello", "--dry-run", "--file", &file];
    let mut command = env.command(all);
    command.env("NIX_PATH", format!("other=/nowhere:{nixpkgs}"));
    env.start_running(command).end().ok();
    env.run(&[&all[..], &["--option", "nix-path", &nixpkgs]].concat())
        .ok();
    let mut command = env.command([&all[..], &["--progress", "off"]].concat());
    command.env("NIX_PATH", "nixpkgs=/nowhere");
    env.start_running(command)
        .end()
        .ends_with(3)
        .golden("file-without-nixpkgs-there");
    // Without either, the channels are on the search path.
    let channels = env.path("home/.nix-defexpr/channels");
    fs::create_dir_all(&channels).expect("a folder");
    symlink(env.path("nixpkgs"), channels.join("nixpkgs")).expect("a link");
    env.run(&all).ok();
}

#[test]
fn flake_options_are_refused_with_a_file() {
    let env = running();
    let file = at(&env, "configuration.nix");
    for (more, golden) in [
        (&["--file", &file, "--flake", "."][..], "file-and-flake"),
        (&["--file", &file, "--host", "box"], "file-and-host"),
        (
            &["--file", &file, "--override-input", "a", "b"],
            "file-and-override-input",
        ),
        (
            &["--file", &file, "--accept-flake-config"],
            "file-and-accept-flake-config",
        ),
        (&["--attr", "box"], "attr-without-file"),
        (&["--host", "other"], "host-of-a-file"),
    ] {
        env.run(&[&["enable", "hello", "--progress", "off"], more].concat())
            .ends_with(2)
            .golden(golden);
    }
    // Global options before the command also conflict.
    env.run(&["--file", &file, "list", "--flake", "."])
        .ends_with(2);
    env.run(&["--file", &file, "list", "--attr", "box"])
        .ends_with(2);
}

#[test]
fn system_without_switch_is_refused_before_build() {
    let env = TestEnv::fixture().start("bare");
    assert_eq!(systems(&env), 1);
    fs::write(env.path("off.nix"), "{ system.switch.enable = false; }").expect("written");
    let off = ["apply", "--module", "./off.nix", "--progress", "off"];
    env.run(&off).ends_with(5).golden("no-switch-program");
    assert_eq!(systems(&env), 1);
    env.run(&[&off[..], &["--dry-run"]].concat())
        .ok()
        .golden("no-switch-program-dry-run");
    // A built toplevel of another kind is refused before the switch.
    let running = env.running();
    let folder = at(&env, "");
    write(&env, "configuration.nix", CONFIGURATION);
    write(&env, "default.nix", SYSTEMS);
    let image = [
        "apply",
        "--file",
        &folder,
        "--attr",
        "image",
        "--progress",
        "off",
    ];
    env.run(&image)
        .ends_with(5)
        .golden("toplevel-of-another-kind");
    assert_eq!(env.running(), running);
}

#[test]
fn file_system_in_a_chroot_store_is_not_activated() {
    let env = plain();
    let store = format!("local?root={}", env.path("chroot").display());
    let file = at(&env, "configuration.nix");
    env.run(&[
        "apply",
        "--file",
        &file,
        "--store",
        &store,
        "--progress",
        "off",
    ])
    .ends_with(5)
    .golden("file-store-in-a-folder");
    assert!(!env.root("run/current-system").exists());
}
