//! The same through a `nix daemon`, as on every NixOS: it builds, we evaluate and activate.

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use unix::sys::signal::{Signal, killpg};
use unix::unistd::Pid;

use super::traced::Trace;
use crate::support::{Ran, TestEnv, compare, has, nix};

/// A daemon for the store of one environment.
struct Daemon {
    child: Child,
    url: String,
}

impl Daemon {
    /// Starts one; `None` where there is no `nix`.
    fn start(test: &str, env: &TestEnv) -> Option<Self> {
        let socket = env.path("daemon.sock");
        let mut command = env.other(nix(test)?);
        command
            .args([
                "daemon",
                "--extra-experimental-features",
                "nix-command",
                "--option",
                "trusted-users",
                "*",
            ])
            .env("NIX_STORE_DIR", env.path("store"))
            .env("NIX_STATE_DIR", env.path("state"))
            .env("NIX_LOG_DIR", env.path("log"))
            .env("NIX_DAEMON_SOCKET_PATH", &socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let child = command.spawn().expect("the daemon started");
        let at = |name: &str| env.path(name).display().to_string();
        let url = format!(
            "unix://{}?store={}&state={}&log={}",
            socket.display(),
            at("store"),
            at("state"),
            at("log")
        );
        let daemon = Self { child, url };
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "the daemon does not answer"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(daemon)
    }

    fn run(&self, env: &TestEnv, arguments: &[&str]) -> Ran {
        let mut command = env.command(arguments);
        command.env("RUNTIME_MODULE_STORE", &self.url);
        env.start_running(command).end()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

#[test]
fn modules_are_turned_on_and_off_through_a_daemon() {
    let test = "modules_are_turned_on_and_off_through_a_daemon";
    let env = TestEnv::fixture();
    let Some(daemon) = Daemon::start(test, &env) else {
        return;
    };
    let flake = env.flake();
    daemon
        .run(&env, &["apply", "--flake", &flake, "--host", "box"])
        .ok();
    daemon
        .run(&env, &["enable", "hello", "web"])
        .ok()
        .golden("daemon-enable");
    assert_eq!(env.unit("hello.service").as_deref(), Some("active"));
    assert_eq!(env.active(), ["hello", "web"]);
    assert!(
        env.path("state/gcroots/auto")
            .read_dir()
            .expect("roots")
            .count()
            >= 2,
        "no indirect roots"
    );
    daemon.run(&env, &["disable", "web"]).ok();
    daemon.run(&env, &["reset"]).ok();
    assert_eq!(env.active(), Vec::<String>::new());
    daemon.run(&env, &["enable", "slow", "--dry-run"]).ok();
}

/// Forks inherit a connection that they must not use: each makes its own.
#[test]
fn modules_are_checked_through_a_daemon() {
    let env = TestEnv::fixture();
    let Some(daemon) = Daemon::start("modules_are_checked_through_a_daemon", &env) else {
        return;
    };
    let flake = env.flake();
    daemon
        .run(&env, &["apply", "--flake", &flake, "--host", "box"])
        .ok();
    let names = ["hello", "web", "pair", "folder", "ifd", "users"];
    let arguments = [&["check", "--json", "--workers", "3"], &names[..]].concat();
    let document = daemon.run(&env, &arguments).ok().json();
    let rows = document["results"].as_array().expect("results");
    assert_eq!(rows.len(), names.len() + 2);
    for row in rows.iter().filter(|row| {
        row["modules"]
            .as_array()
            .is_some_and(|names| names.len() == 1)
    }) {
        let name = row["modules"][0].as_str().expect("a name");
        let arguments = [
            "enable",
            name,
            "--dry-run",
            "--allow-ifd",
            "--no-cache",
            "--json",
        ];
        assert_eq!(
            row["drv"],
            daemon.run(&env, &arguments).ok().json()["drv"],
            "{name}"
        );
        assert_eq!(row["forked"], name != "ifd", "{name}");
    }
}

#[test]
fn a_build_that_fails_in_a_daemon_shows_its_last_lines() {
    let test = "a_build_that_fails_in_a_daemon_shows_its_last_lines";
    let env = TestEnv::new();
    let Some(daemon) = Daemon::start(test, &env) else {
        return;
    };
    let ran = daemon
        .run(&env, &["enable", "broken-build", "--progress", "off"])
        .ends_with(4)
        .golden("daemon-broken-build");
    assert!(ran.stderr.contains("> part 41 does not compile"));
    daemon
        .run(&env, &["enable", "type-error", "--progress", "off"])
        .ends_with(3)
        .golden("daemon-type-error");
    let logs = daemon
        .run(&env, &["enable", "broken-build", "-L"])
        .ends_with(4);
    assert!(
        logs.stderr.contains("broken-build> compiling part 1\n"),
        "{}",
        logs.stderr
    );
}

#[test]
fn with_a_daemon_nothing_is_started_but_our_own_roles_and_the_switch_program() {
    let test = "with_a_daemon_nothing_is_started_but_our_own_roles_and_the_switch_program";
    if !has(test, "strace") {
        return;
    }
    let env = TestEnv::new();
    let Some(daemon) = Daemon::start(test, &env) else {
        return;
    };
    let mut command = Trace::command(&env, &["enable", "hello"]);
    command.env("RUNTIME_MODULE_STORE", &daemon.url);
    env.start_running(command).end().ok();
    let counts = Trace::read(&env).check(&env.path(""));
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    assert_eq!(
        ["client", "__activate", "__transact", "switch", "build"].map(count),
        [1, 1, 1, 1, 0]
    );
}

#[test]
fn an_interrupt_ends_a_build_in_a_daemon() {
    let test = "an_interrupt_ends_a_build_in_a_daemon";
    let env = TestEnv::new();
    let Some(daemon) = Daemon::start(test, &env) else {
        return;
    };
    let mut command = env.command(["enable", "ten-minutes", "--progress", "events"]);
    command.env("RUNTIME_MODULE_STORE", &daemon.url);
    let mut running = env.start_running(command);
    running.until(r#""name":"ten-minutes""#);
    std::thread::sleep(Duration::from_millis(300));
    let before = env.everything();
    let begun = Instant::now();
    running.signal_group(Signal::SIGINT);
    let ran = running.end().ends_with(130);
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    let words: String = ran
        .stderr
        .lines()
        .filter(|line| !line.starts_with('{'))
        .map(|line| format!("{line}\n"))
        .collect();
    compare("interrupted", &words);
    before.is_still(&env.everything());
    // The daemon gives the build up once its client is gone.
    let begun = Instant::now();
    while env
        .processes()
        .now()
        .iter()
        .any(|(_, command)| command.contains("sleep 600"))
    {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the build goes on: {:?}",
            env.processes().now()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_daemon_that_dies_is_told_about() {
    let test = "a_daemon_that_dies_is_told_about";
    let env = TestEnv::fixture().gated().start("box");
    let Some(daemon) = Daemon::start(test, &env) else {
        return;
    };
    let before = env.everything();
    let mut command = env.command(["enable", "slow", "--progress", "events"]);
    command.env("RUNTIME_MODULE_STORE", &daemon.url);
    let mut running = env.start_running(command);
    running.until(r#""name":"gate""#);
    drop(daemon);
    // Its children, one for each connection, are in other groups.
    for (pid, command) in env.processes().now() {
        if command.contains("/nix ") {
            let _ = unix::sys::signal::kill(pid, Signal::SIGKILL);
        }
    }
    let ran = running.end().ends_with(4);
    let words: String = ran
        .stderr
        .lines()
        .filter(|line| !line.starts_with('{'))
        .map(|line| format!("{line}\n"))
        .collect();
    compare("daemon-dies", &env.normalise(&words));
    before.is_still(&env.everything());
    env.open_gate();
    env.processes().wait_to_end();
}
