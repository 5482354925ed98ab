//! Disks that are full or read-only: of the store, of the state and of the cache. Each is a small file system of its own,
//! in a mount namespace that goes with the test.

use std::fs;
use std::process::{Child, Stdio};

use crate::support::{PROGRAM, Ran, TestEnv, has, skip};

/// A mount namespace of its own, held by a process that sleeps.
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
                "this kernel lets nobody mount a file system of one's own",
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

    /// The program, in it.
    fn run(&self, env: &TestEnv, arguments: &[&str]) -> Ran {
        self.enter(env, PROGRAM, arguments)
    }

    /// A shell's line, in it.
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

/// Whole text of a run, without how it was entered.
fn golden(env: &TestEnv, ran: &Ran, name: &str) {
    crate::support::compare(
        name,
        &env.normalise(&format!(
            "exit code {}\n{}{}",
            ran.code, ran.stdout, ran.stderr
        )),
    );
}

const FILL: &str = "dd if=/dev/zero bs=64k of=$PWD/FOLDER/full 2>/dev/null || true";

#[test]
fn a_full_disk() {
    let test = "a_full_disk";
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

    // The store: in a build.
    let ran = namespace
        .run(&env, &["enable", "web", "--progress", "off"])
        .ends_with(4);
    golden(&env, &ran, "full-store-build");
    // The store: for what evaluation writes.
    namespace.shell(&env, &FILL.replace("FOLDER", "store"));
    let ran = namespace.run(
        &env,
        &["enable", "hello", "--no-cache", "--progress", "off"],
    );
    assert_ne!(ran.code, 0, "{}", ran.text());
    golden(&env, &ran, "full-store-evaluation");
    namespace.shell(&env, "rm -rf $PWD/store/full $PWD/store/*-large");

    // The cache, Nix's and ours: it is only ever a help.
    namespace.shell(&env, &FILL.replace("FOLDER", "cache"));
    let inline = ["enable", "inline", "--progress", "off"];
    let ran = namespace.run(&env, &inline).ok();
    golden(&env, &ran, "full-cache");

    // The state.
    namespace.shell(&env, &FILL.replace("FOLDER", "root/run"));
    let ran = namespace.run(&env, &["enable", "hello", "--progress", "off"]);
    golden(&env, &ran, "full-state");
    assert_ne!(ran.code, 0, "{}", ran.text());
    namespace.shell(&env, "rm $PWD/root/run/full");
    namespace.run(&env, &["recover"]);
    namespace
        .run(&env, &["enable", "hello", "--progress", "off"])
        .ok();

    // And a state that cannot be written at all.
    namespace.shell(
        &env,
        "mount --bind $PWD/root/run $PWD/root/run; mount -o remount,bind,ro $PWD/root/run",
    );
    let ran = namespace
        .run(&env, &["disable", "hello", "--progress", "off"])
        .ends_with(5);
    golden(&env, &ran, "read-only-state");
    namespace.run(&env, &["status"]).ok();
    namespace.run(&env, &["list"]).ok();
    namespace.shell(&env, "umount -l $PWD/root/run");
    namespace
        .run(&env, &["disable", "hello", "--progress", "off"])
        .ok();
}
