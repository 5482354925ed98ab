//! Common failures: the complete message of each, with its hint.

use std::fs;

use crate::support::{TestEnv, nix};

/// A machine on which each case replaces the module `web` and enables it.
struct Bench {
    env: TestEnv,
    flake: String,
}

impl Bench {
    fn new() -> Self {
        let env = TestEnv::new();
        let flake = env.flake();
        Self { env, flake }
    }

    fn run(&self, text: &str, more: &[&str], code: i32, golden: &str) {
        fs::write(self.env.fixture_path("runtime/web.nix"), text).expect("a module");
        let before = self.env.everything();
        let mut arguments = vec!["enable", "web", "--flake", &self.flake, "--progress", "off"];
        arguments.extend(more);
        self.env.run(&arguments).ends_with(code).golden(golden);
        before.is_still(&self.env.everything());
    }

    fn evaluation(&self, text: &str, golden: &str) {
        self.run(text, &["--dry-run"], 3, golden);
    }

    fn build(&self, text: &str, golden: &str) {
        self.run(text, &[], 4, golden);
    }
}

#[test]
fn module_errors_have_hints() {
    let bench = Bench::new();
    bench.evaluation(
        r#"{ systemd.services.x = { script = ""; wantedBy = "multi-user.target"; }; }"#,
        "explained-type-deep-in-a-submodule",
    );
    bench.evaluation(
        r#"{ systemd.services.x = { script = ""; wantdBy = [ ]; }; }"#,
        "explained-option-of-a-submodule",
    );
    bench.evaluation("{ enviroment.etc = { }; }", "explained-option-nearest");
    bench.evaluation("{ users.zzz = 1; }", "explained-option-nothing-near");
    bench.evaluation(
        r#"{ networking.hostName = "other"; }"#,
        "explained-conflict-with-the-host",
    );
    bench.evaluation(
        r#"{ lib, ... }: { imports = [ (lib.mkRemovedOptionModule [ "services" "old" ] "Use services.new.") { services.old = 1; } ]; }"#,
        "explained-removed-option",
    );
    bench.run(
        r#"{ lib, ... }: { imports = [ (lib.mkRenamedOptionModule [ "networking" "host" ] [ "networking" "hostName" ]) { networking.host = "box"; } ]; }"#,
        &["--dry-run"],
        0,
        "explained-renamed-option",
    );
    bench.evaluation(
        r#"{ config, lib, ... }: { options.a = lib.mkOption { type = lib.types.str; description = "x"; }; config.environment.etc.x.text = config.a; }"#,
        "explained-not-defined",
    );
    bench.evaluation("[ 1 2 ]", "explained-no-module");
    bench.evaluation(
        "{ environment.etc.x.text = hostname; }",
        "explained-undefined-variable",
    );
}

#[test]
fn refused_and_unknown_packages_have_hints() {
    let bench = Bench::new();
    let package = |name: &str| {
        format!("{{ pkgs, ... }}: {{ environment.systemPackages = [ pkgs.{name} ]; }}")
    };
    bench.evaluation(&package("insecure-thing"), "explained-insecure");
    bench.evaluation(&package("helo"), "explained-package-nearest");
    bench.evaluation(&package("zzz"), "explained-package-nowhere");
    // Following the hint resolves the error.
    let allowed = r#"{ pkgs, ... }: { nixpkgs.config.permittedInsecurePackages = [ "insecure-thing-1.0" ]; environment.systemPackages = [ pkgs.insecure-thing ]; }"#;
    fs::write(bench.env.fixture_path("runtime/web.nix"), allowed).expect("a module");
    bench
        .env
        .run(&["enable", "web", "--flake", &bench.flake, "--dry-run"])
        .ok();
}

#[test]
fn impure_expressions_have_hints() {
    let bench = Bench::new();
    bench.evaluation(
        r#"{ environment.etc.x.text = (builtins.getFlake "path:/tmp").outPath; }"#,
        "explained-unlocked-flake",
    );
    bench.evaluation(
        r#"{ environment.etc.x.text = builtins.fetchTarball "https://example.org/x.tar.gz"; }"#,
        "explained-unlocked-tarball",
    );
    bench.evaluation(
        r#"{ environment.etc.x.text = builtins.fetchGit "https://example.org/x.git"; }"#,
        "explained-unlocked-git",
    );
    bench.evaluation(
        "{ environment.etc.x.text = toString builtins.currentTime; }",
        "explained-current-time",
    );
    bench.evaluation(
        "{ environment.etc.x.text = import <nixpkgs>; }",
        "explained-search-path",
    );
}

#[test]
fn build_failures_have_hints() {
    let bench = Bench::new();
    let build = |attributes: &str, script: &str| {
        format!(
            r#"{{ pkgs, ... }}: {{ environment.etc.x.source = pkgs.runCommand "thing" {{ {attributes} }} "{script}"; }}"#
        )
    };
    bench.build(
        &build("", "echo about to die; kill -9 $$"),
        "explained-builder-killed",
    );
    bench.build(
        &build(
            r#"outputHashAlgo = "sha256"; outputHashMode = "flat"; outputHash = "0000000000000000000000000000000000000000000000000000";"#,
            "echo hello > $out",
        ),
        "explained-hash-mismatch",
    );
    bench.build(
        r#"{ environment.etc.x.source = derivation { name = "alien"; system = "riscv64-linux"; builder = "/bin/sh"; }; }"#,
        "explained-another-machine",
    );
    bench.build(
        r#"{ environment.etc.x.source = derivation { name = "headless"; system = "x86_64-linux"; builder = "/nonexistent"; }; }"#,
        "explained-no-builder",
    );
}

#[test]
fn unreachable_input_next_to_a_stored_one_is_explained() {
    let env = TestEnv::fixture();
    let near = env.path("near");
    fs::create_dir_all(&near).expect("a folder");
    fs::write(near.join("flake.nix"), "{ outputs = _: { }; }").expect("a flake");
    let Some(program) = nix("unreachable_input_next_to_a_stored_one_is_explained") else {
        return;
    };
    let mut command = env.other(program);
    command.args(["--extra-experimental-features", "nix-command"]);
    let output = command.args(["hash", "path"]).arg(&near).output();
    let output = output.expect("nix hash");
    let hash = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let near_input = format!(r#"inputs.near.url = "path:{}";"#, near.display());
    let locked = format!(
        r#"{{"nodes":{{
          "far":{{"locked":{{"lastModified":1,"narHash":"sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","type":"tarball","url":"https://localhost:1/x.tar.gz"}},"original":{{"type":"tarball","url":"https://localhost:1/x.tar.gz"}}}},
          "near":{{"locked":{{"lastModified":1,"narHash":"{hash}","path":"{0}","type":"path"}},"original":{{"path":"{0}","type":"path"}}}},
          "root":{{"inputs":{{"far":"far","near":"near"}}}}}},"root":"root","version":7}}"#,
        near.display()
    );
    // Fetch the reachable input first, so that it is in the store.
    env.run(&[
        "list",
        "--flake",
        &flake_with_inputs(&env, "near", &near_input, ""),
        "--host",
        "box",
    ])
    .ends_with(2);
    let locked = flake_with_inputs(&env, "locked", &format!("{FAR} {near_input}"), &locked);
    source_is_explained(&env, &locked, 4, "explained-locked-input-out-of-reach");
}

#[test]
fn unavailable_sources_have_hints() {
    let env = TestEnv::fixture();
    let gone = r#"inputs.far.url = "path:/nowhere";"#;
    // The lock file lacks an input that the flake has.
    let stale = r#"{"nodes":{"root":{}},"root":"root","version":7}"#;
    let newer = r#"{"nodes":{"root":{}},"root":"root","version":99}"#;
    let missing = r#"{"nodes":{"root":{"inputs":{"a":"gone"}}},"root":"root","version":7}"#;
    for (name, inputs, lock, code, golden) in [
        ("far", FAR, "", 4, "explained-input-out-of-reach"),
        ("gone", gone, "", 3, "explained-input-nowhere"),
        ("stale", FAR, stale, 4, "explained-lock-stale"),
        ("newer", "", newer, 3, "explained-lock-newer"),
        ("cut", "", r#"{"nodes":{"#, 3, "explained-lock-cut"),
        ("missing", "", missing, 3, "explained-lock-without-a-node"),
    ] {
        let flake = flake_with_inputs(&env, name, inputs, lock);
        source_is_explained(&env, &flake, code, golden);
    }
    let far = "https://localhost:1/x.tar.gz";
    source_is_explained(&env, far, 4, "explained-flake-out-of-reach");
}

/// An input that cannot be fetched. No server listens on port 1 of localhost, so this works on any
/// network.
const FAR: &str = r#"inputs.far.url = "https://localhost:1/x.tar.gz";"#;

/// Makes a flake with these inputs and, unless it is empty, this lock. Returns its reference.
fn flake_with_inputs(env: &TestEnv, name: &str, inputs: &str, lock: &str) -> String {
    let folder = env.path("flakes").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let text = format!(
        "{{ {inputs} outputs = inputs: {{ nixosConfigurations = inputs.far.x or {{ }}; }}; }}"
    );
    fs::write(folder.join("flake.nix"), text).expect("a flake");
    if !lock.is_empty() {
        fs::write(folder.join("flake.lock"), lock).expect("a lock");
    }
    format!("path:{}", folder.display())
}

/// Compares the error about a source that cannot be used.
fn source_is_explained(env: &TestEnv, reference: &str, code: i32, golden: &str) {
    let enable = ["enable", "hello", "--flake", reference, "--host", "box"];
    let dry_run = ["--dry-run", "--progress", "off"];
    let quick = ["--option", "download-attempts", "1"];
    let ran = env.run(&[&enable[..], &dry_run, &quick].concat());
    ran.ends_with(code).golden(golden);
}

#[test]
fn store_of_newer_nix_is_refused() {
    let env = TestEnv::new();
    let schema = env.path("state/db/schema");
    let before = fs::read(&schema).expect("the schema");
    fs::write(&schema, "99").expect("written");
    env.run(&["enable", "inline", "--progress", "off"])
        .ends_with(5)
        .golden("explained-store-newer");
    fs::write(&schema, before).expect("written");
    env.run(&["enable", "inline"]).ok();
}
