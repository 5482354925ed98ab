//! Changes through a Nix daemon, as on every NixOS machine: the daemon builds, and the program
//! evaluates and activates.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use unix::sys::signal::{Signal, killpg};
use unix::unistd::Pid;

use super::traced::FileTrace;
use crate::support::{PROGRAM, Ran, Sshd, TestEnv, compare, crowd, has, nix, skip};

/// A Nix daemon for the store of one environment.
struct TestDaemon {
    child: Child,
    url: String,
}

impl TestDaemon {
    /// Starts a daemon that trusts everyone. Returns nothing if there is no `nix`.
    fn start(test: &str, env: &TestEnv) -> Option<Self> {
        Self::start_with(test, env, &[("trusted-users", "*")], "")
    }

    /// Starts a daemon with these settings, and with these options for its ssh commands.
    fn start_with(test: &str, env: &TestEnv, settings: &[(&str, &str)], ssh: &str) -> Option<Self> {
        let socket = env.path("daemon.sock");
        let mut command = env.other(nix(test)?);
        let settings = settings
            .iter()
            .flat_map(|(name, value)| ["--option", name, value]);
        command
            .args(["daemon", "--extra-experimental-features", "nix-command"])
            .args(settings)
            .env("NIX_SSHOPTS", ssh)
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

impl Drop for TestDaemon {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

#[test]
fn daemon_builds_enabled_modules() {
    let test = "daemon_builds_enabled_modules";
    let env = TestEnv::fixture();
    let Some(daemon) = TestDaemon::start(test, &env) else {
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
        "no indirect GC roots"
    );
    daemon.run(&env, &["disable", "web"]).ok();
    daemon.run(&env, &["reset"]).ok();
    assert_eq!(env.active(), Vec::<String>::new());
    daemon.run(&env, &["enable", "slow", "--dry-run"]).ok();
}

/// Forks must not use the daemon connection that they inherit: each opens its own.
#[test]
fn check_forks_through_a_daemon() {
    let env = TestEnv::fixture();
    let Some(daemon) = TestDaemon::start("check_forks_through_a_daemon", &env) else {
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

/// There are two machines: the daemon of the first one delegates builds that it cannot run to the
/// second one over SSH. The second machine has its own store at the same path, visible only in its
/// mount namespace.
#[test]
fn remote_builder_builds_and_is_named() {
    let test = "remote_builder_builds_and_is_named";
    let env = TestEnv::fixture().module(
        "web",
        r#"{ pkgs, ... }: {
  environment.etc.who.source = pkgs.runCommand "faraway" { requiredSystemFeatures = [ "elsewhere" ]; } ''
    cat PLACE/who > $out
    echo compiled there
  '';
}"#,
    );
    let place = env.path("").display().to_string();
    let place = place.trim_end_matches('/');
    let env = env.edit("runtime/web.nix", |text| text.replace("PLACE", place));
    let mut isolated = env.other("unshare");
    isolated.args(["--mount", "true"]);
    if !isolated.status().is_ok_and(|status| status.success()) {
        return skip(test, "only root can create mount namespaces here");
    }
    let Some(sshd) = Sshd::start(test, &env) else {
        return;
    };
    let Some(nix) = nix(test) else { return };
    std::fs::write(env.path("who"), "here\n").expect("written");
    for folder in ["there/store", "there/state", "store"] {
        std::fs::create_dir_all(env.path(folder)).expect("a folder");
    }
    std::fs::write(env.path("there/who"), "there\n").expect("written");
    let program = env.path("daemon-there");
    let script = format!(
        "#!/bin/sh\nexport NIX_STORE_DIR={place}/store NIX_STATE_DIR={place}/there/state NIX_LOG_DIR={place}/there/log \
         NIX_CONFIG='extra-system-features = elsewhere'\n\
         exec unshare --mount sh -c 'mount --bind {place}/there/store {place}/store && \
         mount --bind {place}/there/who {place}/who && exec \"$0\" \"$@\"' '{}' \"$@\"\n",
        nix.with_file_name("nix-daemon").display()
    );
    std::fs::write(&program, script).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    let builder = format!(
        "ssh-ng://127.0.0.1?remote-program={} {}-linux - 1 1 elsewhere elsewhere",
        program.display(),
        std::env::consts::ARCH
    );
    let settings = [("trusted-users", "*"), ("builders", &builder)];
    let ssh = format!("-p {} {}", sshd.port, Sshd::options(&env));
    let Some(daemon) = TestDaemon::start_with(test, &env, &settings, &ssh) else {
        return;
    };
    let flake = env.flake();
    daemon
        .run(&env, &["apply", "--flake", &flake, "--host", "box"])
        .ok();
    let ran = daemon
        .run(&env, &["enable", "web", "--progress", "events", "-L"])
        .ok();
    assert_eq!(env.etc("who").as_deref(), Some("there\n"));
    let events = ran.events();
    let builds: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "build")
        .collect();
    let faraway = builds.iter().find(|event| event["name"] == "faraway");
    assert_eq!(
        faraway.expect("an event of the build")["machine"],
        "127.0.0.1"
    );
    // Other builds run on this machine.
    assert!(
        builds.len() > 1
            && builds
                .iter()
                .all(|event| event["name"] == "faraway" || event.get("machine").is_none()),
        "{builds:?}"
    );
    assert!(
        events
            .iter()
            .any(|event| event["event"] == "build-line" && event["line"] == "compiled there"),
        "{}",
        ran.stderr
    );
    let there = std::fs::read_dir(env.path("there/store")).expect("its store");
    assert!(
        there
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().ends_with("-faraway")),
        "the remote store does not have the output"
    );
    // If the remote machine is unreachable, the build fails.
    drop(sshd);
    daemon.run(&env, &["reset"]).ok();
    let env = env.edit("runtime/web.nix", |text| {
        text.replace("compiled", "compiled again")
    });
    let enable = [
        "enable",
        "web",
        "--flake",
        &env.flake(),
        "--progress",
        "plain",
    ];
    let ran = daemon.run(&env, &enable).ends_with(4);
    assert!(
        ran.stderr
            .contains("hint: use a remote builder (nix.buildMachines in the configuration)"),
        "{}",
        ran.stderr
    );
}

/// The daemon runs as root, and the client runs as the ordinary user `nobody`.
#[test]
fn ordinary_user_builds_through_roots_daemon() {
    let test = "ordinary_user_builds_through_roots_daemon";
    if !unix::unistd::geteuid().is_root() {
        return skip(test, "only root can run programs as two users");
    }
    if !has(test, "setpriv") {
        return;
    }
    let env = TestEnv::fixture();
    let Some(daemon) = TestDaemon::start_with(test, &env, &[("trusted-users", "root")], "") else {
        return;
    };
    let nobody = 65_534;
    give_root_to(nobody, &env);
    let run = |arguments: &[&str]| {
        let mut command = env.other("setpriv");
        command
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(PROGRAM)
            .args(arguments)
            .env("RUNTIME_MODULE_STORE", &daemon.url);
        env.start_running(command).end()
    };
    // The checkout may be in a home folder that only its owner can enter.
    if [126, 127].contains(&run(&["cache", "list"]).code) {
        return skip(test, "user nobody cannot reach the program and its libnix");
    }
    let flake = env.flake();
    run(&["apply", "--flake", &flake, "--host", "box"]).ok();
    let outputs = env.outputs();
    let ran = run(&["enable", "web", "--dry-run"]).ok();
    assert!(
        ran.stdout.contains("would be active: web"),
        "{}",
        ran.stdout
    );
    assert_eq!(outputs, env.outputs(), "a dry run built something");
    let ran = run(&["enable", "web"]).ok();
    assert!(
        ran.stderr.contains("build: unit-web.service\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(env.active(), ["web"]);
    // The user owns the state file, and root owns the store.
    let owner = |path: std::path::PathBuf| std::fs::metadata(path).expect("there").uid();
    assert_eq!(owner(env.root("run/runtime-modules/state.json")), nobody);
    assert_eq!(owner(env.running()), 0);
    // The report of a failed build is the same as for root.
    let ran = run(&["enable", "broken-build", "--progress", "off"]).ends_with(4);
    assert!(
        ran.stderr.contains("> part 41 does not compile"),
        "{}",
        ran.stderr
    );
    let restricted = ["enable", "hello", "--option", "sandbox", "true"];
    let ran = run(&[&restricted[..], &["--option", "timeout", "60"]].concat()).ok();
    assert_one_restricted_setting(&ran);
}

/// Makes a user the owner of the machine's root, but not of the store.
fn give_root_to(user: u32, env: &TestEnv) {
    std::fs::set_permissions(env.path(""), std::fs::Permissions::from_mode(0o755)).expect("set");
    for folder in ["root", "home", "cache"] {
        std::fs::create_dir_all(env.path(folder)).expect("a folder");
        std::os::unix::fs::chown(env.path(folder), Some(user), Some(user)).expect("given");
    }
}

/// Checks the warning about a setting that the daemon ignores. Several of our processes connect, but
/// the warning appears only once.
fn assert_one_restricted_setting(ran: &Ran) {
    let warnings: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning:"))
        .collect();
    assert_eq!(
        warnings,
        [
            "warning: ignoring the client-specified setting 'sandbox', because it is a restricted setting and you are not a trusted user"
        ]
    );
}

#[test]
fn failed_daemon_build_shows_last_log_lines() {
    let test = "failed_daemon_build_shows_last_log_lines";
    let env = TestEnv::new();
    let Some(daemon) = TestDaemon::start(test, &env) else {
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
fn only_our_processes_start_with_a_daemon() {
    let test = "only_our_processes_start_with_a_daemon";
    if !has(test, "strace") {
        return;
    }
    let env = TestEnv::new();
    let Some(daemon) = TestDaemon::start(test, &env) else {
        return;
    };
    let mut command = FileTrace::command(&env, &["enable", "hello"]);
    command.env("RUNTIME_MODULE_STORE", &daemon.url);
    env.start_running(command).end().ok();
    let counts = FileTrace::read(&env).check(&env.path(""));
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    assert_eq!(
        ["client", "__activate", "__transact", "switch", "build"].map(count),
        [1, 1, 1, 1, 0]
    );
}

#[test]
fn interrupt_ends_a_daemon_build() {
    let test = "interrupt_ends_a_daemon_build";
    let env = TestEnv::new();
    let Some(daemon) = TestDaemon::start(test, &env) else {
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
        begun.elapsed() < Duration::from_secs(1) * crowd(),
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
    // The daemon stops the build once its client is gone.
    let begun = Instant::now();
    while env
        .processes()
        .now()
        .iter()
        .any(|(_, command)| command.contains("sleep 600"))
    {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the build is still running: {:?}",
            env.processes().now()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn killed_daemon_is_reported() {
    let test = "killed_daemon_is_reported";
    let env = TestEnv::fixture().gated().start("box");
    let Some(daemon) = TestDaemon::start(test, &env) else {
        return;
    };
    let before = env.everything();
    let mut command = env.command(["enable", "slow", "--progress", "events"]);
    command.env("RUNTIME_MODULE_STORE", &daemon.url);
    let mut running = env.start_running(command);
    running.until(r#""name":"gate""#);
    drop(daemon);
    // The daemon's children, one for each connection, are in other process groups.
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
