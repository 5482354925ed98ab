//! Full disks for the store, the state and the cache, and a read-only disk for the state. Each disk
//! is a small file system in the test's own mount namespace.

use std::fs;
use std::process::{Child, Stdio};

use crate::support::{PROGRAM, Ran, TestEnv, has, nix, skip};

/// A mount namespace, kept alive by a sleeping process.
struct Namespace {
    holder: Child,
}

impl Namespace {
    fn new(test: &str, env: &TestEnv) -> Option<Self> {
        if !has(test, "unshare") || !has(test, "nsenter") || !has(test, "mount") {
            return None;
        }
        let mut command = env.other("unshare");
        if !unix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let holder = command
            .args([
                "--mount",
                "sh",
                "-c",
                "mount -t tmpfs none \"$HOME\" && echo ready && exec sleep 600",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare");
        let mut namespace = Self { holder };
        let mut ready = [0u8; 5];
        let out = namespace.holder.stdout.as_mut().expect("a pipe");
        if std::io::Read::read_exact(out, &mut ready).is_err() {
            skip(
                test,
                "this kernel does not let ordinary users mount file systems",
            );
            return None;
        }
        Some(namespace)
    }

    fn enter(&self, env: &TestEnv, program: &str, arguments: &[&str]) -> Ran {
        let mut command = env.other("nsenter");
        if !unix::unistd::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command
            .args(["--mount", "--target", &self.holder.id().to_string()])
            .arg(format!("--wdns={}", env.path("").display()))
            .args(["--", program])
            .args(arguments);
        env.start_running(command).end()
    }

    /// Runs the program in the namespace.
    fn run(&self, env: &TestEnv, arguments: &[&str]) -> Ran {
        self.enter(env, PROGRAM, arguments)
    }

    /// Runs a shell command in the namespace.
    fn shell(&self, env: &TestEnv, line: &str) {
        self.enter(env, "sh", &["-euc", line]).ok();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Compares the exit code and the output with a golden file, without the command line of `nsenter`.
fn golden(env: &TestEnv, ran: &Ran, name: &str) {
    crate::support::compare(name, &text(env, ran));
}

fn text(env: &TestEnv, ran: &Ran) -> String {
    env.normalise(&format!(
        "exit code {}\n{}{}",
        ran.code, ran.stdout, ran.stderr
    ))
}

const FILL: &str = "dd if=/dev/zero bs=64k of=$PWD/FOLDER/full 2>/dev/null || true";

#[test]
fn full_disks_are_reported() {
    let test = "full_disks_are_reported";
    let env = TestEnv::fixture().module(
        "web",
        r#"{ pkgs, ... }: { environment.etc.x.source = pkgs.runCommand "large" { } "cat /dev/zero > $out"; }"#,
    );
    let Some(namespace) = Namespace::new(test, &env) else {
        return;
    };
    for folder in ["store", "state", "cache", "root/run"] {
        fs::create_dir_all(env.path(folder)).expect("a folder");
    }
    namespace.shell(
        &env,
        "mount -t tmpfs -o size=48m none $PWD/store; mount -t tmpfs -o size=6m none $PWD/root/run; mount -t tmpfs -o size=2m none $PWD/cache",
    );
    let flake = env.flake();
    let apply = [
        "apply",
        "--flake",
        &flake,
        "--host",
        "box",
        "--progress",
        "off",
    ];
    namespace.run(&env, &apply).ok();

    // The store fills up during a build.
    let ran = namespace
        .run(&env, &["enable", "web", "--progress", "off"])
        .ends_with(4);
    golden(&env, &ran, "full-store-build");
    // The store is full when evaluation writes derivations.
    namespace.shell(&env, &FILL.replace("FOLDER", "store"));
    let ran = namespace.run(
        &env,
        &["enable", "hello", "--no-cache", "--progress", "off"],
    );
    assert_ne!(ran.code, 0, "{}", ran.text());
    golden(&env, &ran, "full-store-evaluation");
    namespace.shell(&env, "rm -rf $PWD/store/full $PWD/store/*-large");

    // A change succeeds even if Nix's cache and ours cannot be written because the disk is full.
    namespace.shell(&env, &FILL.replace("FOLDER", "cache"));
    let inline = ["enable", "inline", "--progress", "off"];
    let ran = namespace.run(&env, &inline).ok();
    golden(&env, &ran, "full-cache");

    unwritable_state_is_reported(&env, &namespace);
}

fn unwritable_state_is_reported(env: &TestEnv, namespace: &Namespace) {
    // The file system of the state is full.
    namespace.shell(env, &FILL.replace("FOLDER", "root/run"));
    let ran = namespace.run(env, &["enable", "hello", "--progress", "off"]);
    golden(env, &ran, "full-state");
    assert_ne!(ran.code, 0, "{}", ran.text());
    namespace.shell(env, "rm $PWD/root/run/full");
    namespace.run(env, &["recover"]);
    namespace
        .run(env, &["enable", "hello", "--progress", "off"])
        .ok();

    // The file system of the state is read-only.
    namespace.shell(
        env,
        "mount --bind $PWD/root/run $PWD/root/run; mount -o remount,bind,ro $PWD/root/run",
    );
    let ran = namespace
        .run(env, &["disable", "hello", "--progress", "off"])
        .ends_with(5);
    golden(env, &ran, "read-only-state");
    namespace.run(env, &["status"]).ok();
    namespace.run(env, &["list"]).ok();
    namespace.shell(env, "umount -l $PWD/root/run");
    namespace
        .run(env, &["disable", "hello", "--progress", "off"])
        .ok();
}

/// A download that does not fit into the store is refused before it starts, even after a dry run cached the evaluation.
#[test]
fn download_without_space_is_refused() {
    let test = "download_without_space_is_refused";
    let Some(nix) = nix(test) else { return };
    let env = TestEnv::fixture()
        .module(
            "web",
            r#"{ pkgs, ... }: { environment.etc.x.source = pkgs.runCommand "large" { } "dd if=/dev/zero of=$out bs=1M count=64 2>/dev/null"; }"#,
        )
        .start("box");
    env.run(&["enable", "web"]).ok();
    let system = env.running();
    env.run(&["reset"]).ok();
    let cache = format!(
        "file://{}?compression=zstd&store={}",
        env.path("binary-cache").display(),
        env.path("store").display()
    );
    let mut copy = env.other(&nix);
    copy.args(["--extra-experimental-features", "nix-command"])
        .args(["--store", &env.store(), "copy", "--to", &cache])
        .arg(&system);
    assert!(copy.status().expect("nix").success());

    // Simulate another machine with a small store at the same path.
    let Some(namespace) = Namespace::new(test, &env) else {
        return;
    };
    namespace.shell(
        &env,
        "for folder in state cache root/run root/etc; do mount -t tmpfs none $PWD/$folder; done; mount -t tmpfs -o size=48m none $PWD/store",
    );
    let flake = env.flake();
    let run = |arguments: &[&str]| {
        let from = ["--option", "substituters", &cache];
        let all = [arguments, &from, &["--option", "require-sigs", "false"]];
        namespace.run(&env, &all.concat())
    };
    run(&["apply", "--flake", &flake, "--host", "box"]).ok();
    let shown = |ran: &Ran| without_free_space(&text(&env, ran));
    let dry = run(&["enable", "web", "--progress", "off", "--dry-run"]).ok();
    crate::support::compare("no-space-in-the-store-dry-run", &shown(&dry));
    // Run once with the cached evaluation, and once without it.
    for more in [&[][..], &["--no-cache"]] {
        let wish = ["enable", "web", "--progress", "off"];
        let ran = run(&[&wish, more].concat()).ends_with(5);
        crate::support::compare("no-space-in-the-store", &shown(&ran));
    }
    let allowed = ["enable", "web", "--progress", "plain", "--allow", "space"];
    let ran = run(&allowed);
    assert_ne!(ran.code, 0, "{}", ran.text());
    assert!(
        ran.stderr
            .contains("overridden by --allow space: cannot enable web: ")
            && ran.stderr.contains(" has too little free space: "),
        "{}",
        ran.text()
    );
}

/// Returns the lines that are not indented, without the amount of free space.
fn without_free_space(text: &str) -> String {
    let free = regex::Regex::new(r"only \S+ \S+ is available").expect("a pattern");
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("  "))
        .map(|line| free.replace(line, "only <n> is available"))
        .collect();
    lines.join("\n") + "\n"
}
