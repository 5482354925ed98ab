//! Ctrl-C and killed processes: before activation begins, nothing changes and nothing is left
//! behind. Once activation has begun, it continues in the background.

use std::fs::File;
use std::time::{Duration, Instant};

use unix::fcntl::{Flock, FlockArg};
use unix::sys::signal::{Signal, kill};

use crate::support::{RunningProgram, TestEnv, compare, crowd};

/// The time within which a run must end after Ctrl-C.
const GONE: Duration = Duration::from_secs(1);

/// An evaluation that takes many seconds and in which libnix checks for interrupts, unlike in the
/// module `endless-loop`.
const LONG: &str = r#"{ environment.etc.long.text = toString (builtins.length (builtins.filter (n: n > 0) (builtins.genList
  (n: builtins.seq (builtins.toFile "file-${toString n}" (toString n)) n) 1000000))); }"#;

/// An evaluation that reads the output of a build, which runs as a child of the evaluator.
const WAITS: &str = r#"{ pkgs, ... }: { environment.etc.waits.text = builtins.readFile (pkgs.runCommand "waits" { } ''
  echo waiting
  sleep 600
''); }"#;

fn start(env: &TestEnv, module: &str) -> RunningProgram {
    env.start_running(env.command(["enable", module, "--progress", "events"]))
}

/// Returns the lines of stderr that are not events.
fn words(stderr: &str) -> String {
    stderr
        .lines()
        .filter(|line| !line.starts_with('{'))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Checks that no process holds the lock.
fn lock_is_free(env: &TestEnv) {
    if let Ok(file) = File::open(env.root("run/runtime-modules/lock")) {
        assert!(
            Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok(),
            "the lock is held"
        );
    }
}

/// Interrupts a run during a long operation, and checks that it ends in time and changes nothing.
fn interrupt(
    env: &TestEnv,
    mut running: RunningProgram,
    until: &str,
    send: impl Fn(&RunningProgram),
) {
    running.until(until);
    std::thread::sleep(Duration::from_millis(300));
    let before = env.everything();
    let begun = Instant::now();
    send(&running);
    let ran = running.end();
    let time = begun.elapsed();
    assert_eq!(ran.code, 130, "{}", ran.text());
    // The promised time holds on an idle machine; allow more on a busy one.
    assert!(time < GONE * crowd(), "it took {time:?} to end");
    env.processes()
        .gone_within(Duration::from_millis(100) * crowd());
    before.is_still(&env.everything());
    lock_is_free(env);
    compare("interrupted", &words(&ran.stderr));
    assert_eq!(ran.stdout, "");
}

/// Interrupts runs by signals to the whole process group, as a terminal does, or to the client.
fn both_ways(env: &TestEnv, module: &str, until: &str) {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        interrupt(env, start(env, module), until, |running| {
            running.signal_group(signal)
        });
        interrupt(env, start(env, module), until, |running| {
            running.signal(signal)
        });
    }
    env.run(&["enable", "inline"]).ok();
}

const EVALUATING: &str = r#""event":"phase-begin","phase":"evaluate""#;

#[test]
fn interrupt_ends_an_evaluation() {
    let env = TestEnv::fixture().module("web", LONG).start("box");
    both_ways(&env, "web", EVALUATING);
}

#[test]
fn interrupt_ends_an_endless_loop() {
    let env = TestEnv::new();
    both_ways(&env, "endless-loop", EVALUATING);
}

#[test]
fn interrupt_ends_a_build_of_ten_minutes() {
    let env = TestEnv::new();
    both_ways(
        &env,
        "ten-minutes",
        r#""event":"build","name":"ten-minutes""#,
    );
}

#[test]
fn interrupt_ends_a_build_during_evaluation() {
    let env = TestEnv::fixture().module("web", WAITS).start("box");
    both_ways(&env, "web", r#""event":"build","name":"waits""#);
}

#[test]
fn interrupt_is_reported_as_one_json_document() {
    let env = TestEnv::new();
    let mut command = env.command(["enable", "endless-loop", "--json", "--progress", "events"]);
    command.env("TERM", "dumb");
    let mut running = env.start_running(command);
    running.until(EVALUATING);
    running.signal(Signal::SIGINT);
    let document = running.end().ends_with(130).json();
    assert_eq!(document["error"]["kind"], "interrupted", "{document}");
}

#[test]
fn closed_terminal_ends_the_run() {
    let env = TestEnv::new();
    interrupt(&env, start(&env, "endless-loop"), EVALUATING, |running| {
        running.signal_group(Signal::SIGHUP)
    });
}

#[test]
fn second_interrupt_ends_the_run_immediately() {
    let env = TestEnv::new();
    let mut running = start(&env, "endless-loop");
    running.until(EVALUATING);
    running.signal_group(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    running.signal_group(Signal::SIGINT);
    running.end().ends_with(130);
    assert!(
        begun.elapsed() < Duration::from_millis(400) * crowd(),
        "{:?}",
        begun.elapsed()
    );
    env.processes().gone_within(GONE);
}

#[test]
fn evaluator_ends_when_the_client_is_killed() {
    for module in ["endless-loop", "web"] {
        let env = TestEnv::fixture().module("web", LONG).start("box");
        let before = env.everything();
        let mut running = start(&env, module);
        running.until(EVALUATING);
        env.processes().wait_for("__evaluate");
        running.signal(Signal::SIGKILL);
        running.end().ends_with(128 + 9);
        env.processes().gone_within(GONE);
        before.is_still(&env.everything());
        lock_is_free(&env);
    }
}

#[test]
fn killed_evaluator_is_reported() {
    let env = TestEnv::new();
    let before = env.everything();
    let mut running = start(&env, "endless-loop");
    running.until(EVALUATING);
    kill(env.processes().wait_for("__evaluate"), Signal::SIGKILL).expect("killed");
    let ran = running.end().ends_with(3);
    compare("evaluator-killed", &words(&ran.stderr));
    env.processes().gone_within(GONE);
    before.is_still(&env.everything());

    let mut running = start(&env, "endless-loop");
    running.until(EVALUATING);
    kill(env.processes().wait_for("__evaluate"), Signal::SIGABRT).expect("killed");
    compare(
        "evaluator-crashed",
        &words(&running.end().ends_with(3).stderr),
    );
}

#[test]
fn killed_relay_before_activation_changes_nothing() {
    let env = TestEnv::fixture().gated().start("box");
    let before = env.everything();
    let mut running = start(&env, "slow");
    running.until(r#""name":"gate""#);
    kill(env.processes().wait_for("__activate"), Signal::SIGKILL).expect("killed");
    env.open_gate();
    let ran = running.end();
    assert_ne!(ran.code, 0);
    compare("activator-killed", &words(&ran.stderr));
    before.is_still(&env.everything());
}

/// Starts a machine on which the activation of `web` waits at the gate.
fn gated_activation() -> TestEnv {
    let env = TestEnv::fixture();
    let gate = env.path("gate").display().to_string();
    let text = format!(
        "{{ system.activationScripts.gate = ''\n  echo waiting at the gate\n  while [ ! -e {gate} ]; do sleep 0.02; done\n''; }}"
    );
    env.module("web", &text).start("box")
}

#[test]
fn activation_continues_after_an_interrupt() {
    for signal in [Signal::SIGINT, Signal::SIGHUP] {
        let env = gated_activation();
        let base = env.running();
        let mut running = start(&env, "web");
        running.until("waiting at the gate");
        // Meanwhile other runs report the change in progress.
        env.run(&["status"]).ok().golden("status-under-way");
        env.run(&["enable", "inline", "--progress", "off"])
            .ends_with(5)
            .golden("enable-under-way");
        running.signal_group(signal);
        let ran = running.end().ends_with(130);
        compare("detached", &env.normalise(&words(&ran.stderr)));
        assert_eq!(env.state()["active"], serde_json::json!([]));
        env.open_gate();
        env.processes().wait_to_end();
        assert_ne!(env.running(), base);
        assert_eq!(env.active(), ["web"]);
        env.run(&["status"]).ok().golden("status-after-detaching");
    }
}

#[test]
fn activation_continues_after_client_is_killed() {
    let env = gated_activation();
    let mut running = start(&env, "web");
    running.until("waiting at the gate");
    running.signal(Signal::SIGKILL);
    running.end();
    env.open_gate();
    env.processes().wait_to_end();
    assert_eq!(env.active(), ["web"]);
    lock_is_free(&env);
}

#[test]
fn killed_activator_is_reported() {
    let env = gated_activation();
    let mut running = start(&env, "web");
    running.until("waiting at the gate");
    kill(env.processes().wait_for("__transact"), Signal::SIGKILL).expect("killed");
    let ran = running.end().ends_with(8);
    compare("activator-killed-in-the-middle", &words(&ran.stderr));
    env.open_gate();
    env.processes().wait_to_end();
    env.run(&["status"])
        .ok()
        .golden("status-after-a-killed-activator");
    env.run(&["apply", "--progress", "off"])
        .ends_with(5)
        .golden("apply-after-a-killed-activator");
    env.run(&["recover", "--finish", "--progress", "off"])
        .ok()
        .golden("recover-after-a-killed-activator");
    assert_eq!(env.active(), ["web"]);
}

#[test]
fn activation_continues_after_relay_is_killed() {
    let env = gated_activation();
    let mut running = start(&env, "web");
    running.until("waiting at the gate");
    kill(env.processes().wait_for("__activate"), Signal::SIGKILL).expect("killed");
    running.until("lost the connection to the activator");
    env.open_gate();
    running.end().ok();
    assert_eq!(env.active(), ["web"]);
}

#[test]
fn stopped_client_or_relay_does_not_block() {
    let env = gated_activation();
    let mut running = start(&env, "web");
    running.until("waiting at the gate");
    running.signal(Signal::SIGSTOP);
    kill(env.processes().wait_for("__activate"), Signal::SIGSTOP).expect("stopped");
    let activator = env.processes().wait_for("__transact");
    env.open_gate();
    while std::path::Path::new(&format!("/proc/{activator}")).exists()
        && !std::fs::read_to_string(format!("/proc/{activator}/stat"))
            .is_ok_and(|stat| stat.contains(") Z"))
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(env.active(), ["web"]);
    kill(env.processes().wait_for("__activate"), Signal::SIGCONT).expect("continued");
    running.signal(Signal::SIGCONT);
    running.end().ok();
}
