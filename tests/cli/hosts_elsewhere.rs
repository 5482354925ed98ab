//! Hosts that are not directly in `nixosConfigurations`, but in packages, or in a set for each
//! system.

use serde_json::Value;

use crate::support::{Site, TestEnv};

const HOST: &str = "mini [ ./host.nix ]";

fn site(env: &TestEnv, outputs: &str) -> Site {
    Site::with(env, "site", outputs)
}

fn drv(env: &TestEnv, arguments: &[&str]) -> Value {
    env.json(&[&["enable", "hello", "--dry-run"], arguments].concat())["drv"].clone()
}

#[test]
fn hosts_in_packages_are_found() {
    for output in ["packages", "legacyPackages"] {
        let env = TestEnv::fixture();
        let outputs = format!("{{ {output}.x86_64-linux.nixosConfigurations.box = {HOST}; }}");
        let site = site(&env, &outputs);
        let flake = site.reference();
        let found = drv(&env, &["--flake", &format!("{flake}#box")]);
        assert!(found.is_string(), "{output}: {found}");
        let path = format!("{output}.x86_64-linux.nixosConfigurations.box");
        assert_eq!(drv(&env, &["--flake", &flake, "--host", &path]), found);
        let check = env.run(&["check", "--flake", &flake, "--all-hosts"]).ok();
        assert!(check.stdout.contains("box with hello"), "{}", check.stdout);
        // The baked host name selects the same host.
        env.apply(&flake, "box").ok();
        env.run(&["enable", "hello"]).ok();
        assert_eq!(env.active(), ["hello"]);
    }
}

#[test]
fn packages_take_precedence_as_in_nix() {
    let env = TestEnv::fixture();
    let site = site(
        &env,
        &format!(
            "{{
    nixosConfigurations.box = mini [ ./host.nix {{ environment.etc.place.text = \"top\\n\"; }} ];
    nixosConfigurations.other = {HOST};
    packages.x86_64-linux.nixosConfigurations.box = mini [ ./host.nix {{ environment.etc.place.text = \"packages\\n\"; }} ];
  }}"
        ),
    );
    env.apply(&site.reference(), "box").ok();
    assert_eq!(env.etc("place").as_deref(), Some("packages\n"));
    assert!(drv(&env, &["--host", "other"]).is_string());
}

#[test]
fn host_in_a_set_for_each_system_needs_its_path() {
    let env = TestEnv::fixture();
    let each = format!(
        "{{ nixosConfigurations = builtins.mapAttrs (_: host: {{ box = host; }}) {{ x86_64-linux = {HOST}; aarch64-linux = {HOST}; }}; }}"
    );
    let site = site(&env, &each);
    let flake = site.reference();
    let quiet =
        |arguments: &[&str]| env.quiet(&[&["enable", "hello", "--dry-run"], arguments].concat());
    quiet(&["--flake", &format!("{flake}#box")])
        .ends_with(2)
        .golden("host-in-a-set-for-each-system");
    quiet(&["--flake", &format!("{flake}#x86_64-linux")])
        .ends_with(2)
        .golden("host-is-a-set-of-hosts");
    let found = drv(&env, &["--flake", &format!("{flake}#x86_64-linux.box")]);
    for host in ["x86_64-linux.box", "nixosConfigurations.x86_64-linux.box"] {
        assert_eq!(drv(&env, &["--flake", &flake, "--host", host]), found);
    }
    let check = env.run(&["check", "--flake", &flake, "--all-hosts"]).ok();
    assert!(
        check.stdout.contains("aarch64-linux.box with hello"),
        "{}",
        check.stdout
    );
    // The baked host name selects the same host.
    env.apply(&flake, "x86_64-linux.box").ok();
    env.run(&["enable", "hello"]).ok();
    assert_eq!(env.active(), ["hello"]);
    assert!(
        env.etc("runtime-modules/config.json")
            .is_some_and(|text| text.contains("\"host\":\"x86_64-linux.box\"")),
        "{:?}",
        env.etc("runtime-modules/config.json")
    );
}

#[test]
fn messages_have_no_empty_host_name() {
    let env = TestEnv::fixture();
    let cases = [
        ("{ }", "hosts-none-at-all"),
        ("{ nixosConfigurations = { }; }", "hosts-empty"),
        ("throw \"no outputs today\"", "hosts-that-throw"),
    ];
    for (outputs, golden) in cases {
        let site = Site::with(&env, golden, outputs);
        let ran = env.quiet(&["check", "--flake", &site.reference(), "--all-hosts"]);
        assert!(!ran.text().contains("''"), "{}", ran.text());
        ran.golden(golden);
    }
    let site = Site::new(&env, "site");
    env.quiet(&["list", "--flake", &site.reference(), "--host", ""])
        .ends_with(2)
        .golden("host-without-a-name");
}
