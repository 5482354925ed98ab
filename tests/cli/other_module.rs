//! A host that uses the NixOS module of nixos-runtime-modules instead of ours.

use std::fs;

use crate::support::{Site, TestEnv};

/// A module with the options of nixos-runtime-modules, written for this test. Its activation
/// script, like that of the original, deletes the state if it considers the system to be without
/// runtime modules.
const MODULE: &str = r#"{ config, lib, ... }:
let
  cfg = config.services.runtimeModules;
  inherit (lib) mkOption types;
in
{
  options.services.runtimeModules = {
    enable = mkOption { type = types.bool; default = false; description = "x"; };
    flakeUrl = mkOption { type = types.str; description = "x"; };
    modules = mkOption { type = types.raw; default = [ ]; description = "x"; };
    _allModules = mkOption { type = types.raw; internal = true; readOnly = true; description = "x"; };
  };
  config = lib.mkIf cfg.enable {
    services.runtimeModules._allModules = map (
      one: { desc = ""; path = null; } // one // { imports = (one.imports or [ ]) ++ (if one ? path then [ one.path ] else [ ]); }
    ) cfg.modules;
    system.activationScripts.forget = ''
      if [ ! -f "$root/etc/runtime-modules-enabled" ]; then
        rm -f "$root/run/runtime-modules/state.json"
      fi
    '';
  };
}
"#;

const HOST: &str = r#"{
  imports = [ ./theirs.nix ];
  system.stateVersion = "24.05";
  networking.hostName = "box";
  services.runtimeModules = {
    enable = true;
    flakeUrl = "path:/nowhere";
    modules = [
      { name = "hello"; imports = [ ./hello.nix ]; desc = "A greeting"; }
      { name = "older"; path = ./older.nix; }
      { name = "pair"; imports = [ ./hello.nix { environment.etc.pair.text = "two\n"; } ]; }
    ];
  };
}
"#;

fn site(env: &TestEnv) -> Site {
    let site = Site::new(env, "site");
    site.write("theirs.nix", MODULE);
    site.write("host.nix", HOST);
    site.write(
        "older.nix",
        "{ environment.etc.older.text = \"older\\n\"; }\n",
    );
    site
}

#[test]
fn modules_of_the_other_program_work() {
    let env = TestEnv::fixture();
    let flake = site(&env).reference();
    env.run(&["list", "--flake", &flake, "--host", "box"])
        .ok()
        .golden("other-module-list");
    env.apply(&flake, "box").ok();
    let base = env.running();
    env.run(&["enable", "hello", "pair"])
        .ok()
        .golden("other-module-enable");
    assert_eq!(env.active(), ["hello", "pair"]);
    assert_eq!(env.etc("pair").as_deref(), Some("two\n"));
    // The activation script recognises a system with runtime modules by this file.
    assert_eq!(env.etc("runtime-modules-enabled").as_deref(), Some("true"));
    env.run(&["disable", "pair"]).ok();
    env.run(&["enable", "older"]).ok();
    assert_eq!(env.active(), ["hello", "older"]);
    env.run(&["reset"]).ok();
    assert_eq!((env.running(), env.active()), (base, Vec::<String>::new()));
    env.run(&["rollback"]).ok();
    assert_eq!(env.active(), ["hello", "older"]);
    env.quiet(&["enable", "helo"]).ends_with(2);
    let check = env.run(&["check"]).ok();
    assert!(check.stdout.contains("box with older"), "{}", check.stdout);
}

#[test]
fn state_file_of_the_other_program_is_ignored() {
    let env = TestEnv::fixture();
    let flake = site(&env).reference();
    let folder = env.root("run/runtime-modules");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("state.json"), r#"{"enabled":["hello"]}"#).expect("written");
    env.run(&["status"]).ok();
    env.apply(&flake, "box").ok();
    env.run(&["enable", "hello"]).ok();
    assert_eq!(env.active(), ["hello"]);
}
