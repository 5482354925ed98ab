//! Ctrl-C, and processes that are killed: until activation begins nothing is changed and nothing left behind, and from
//! then on the activation goes on alone.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use unix::fcntl::{Flock, FlockArg};
use unix::sys::signal::{Signal, kill};

use crate::support::{Running, TestEnv, compare};

/// How long a run may go on after Ctrl-C.
const GONE: Duration = Duration::from_secs(1);

/// An evaluation of many seconds that libnix looks up from, unlike the module `endless-loop`.
const LONG: &str = r#"{ environment.etc.long.text = toString (builtins.length (builtins.filter (n: n > 0) (builtins.genList
  (n: builtins.seq (builtins.toFile "file-${toString n}" (toString n)) n) 1000000))); }"#;

/// Reads a file that a build has to make first: the evaluator waits for a builder that is its own child.
const WAITS: &str = r#"{ pkgs, ... }: { environment.etc.waits.text = builtins.readFile (pkgs.runCommand "waits" { } ''
  echo waiting
  sleep 600
''); }"#;

fn start(env: &TestEnv, module: &str) -> Running {
    env.start_running(env.command(["enable", module, "--progress", "events"]))
}

/// What a run said that is no event.
fn words(stderr: &str) -> String {
    stderr
        .lines()
        .filter(|line| !line.starts_with('{'))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// How many there are that want each processor at the moment; at least one.
fn crowd() -> u32 {
    let loads = fs::read_to_string("/proc/loadavg").expect("/proc/loadavg");
    let running = loads.split([' ', '/']).nth(3).expect("how many run");
    let processors = std::thread::available_parallelism().expect("processors");
    let running: u32 = running.parse().expect("a number");
    let processors = u32::try_from(processors.get()).expect("not so many");
    running.div_ceil(processors).max(1)
}

/// Nobody holds the lock.
fn lock_is_free(env: &TestEnv) {
    if let Ok(file) = File::open(env.root("run/runtime-modules/lock")) {
        assert!(
            Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok(),
            "the lock is held"
        );
    }
}

/// Interrupts a run that is under way, in the middle of what never ends by itself.
fn interrupt(env: &TestEnv, mut running: Running, until: &str, send: impl Fn(&Running)) {
    running.until(until);
    std::thread::sleep(Duration::from_millis(300));
    let before = env.everything();
    let begun = Instant::now();
    send(&running);
    let ran = running.end();
    let time = begun.elapsed();
    assert_eq!(ran.code, 130, "{}", ran.text());
    // The promise is of a processor that is free to keep it.
    assert!(time < GONE * crowd(), "it took {time:?} to end");
    env.processes().gone_within(Duration::from_millis(100));
    before.is_still(&env.everything());
    lock_is_free(env);
    compare("interrupted", &words(&ran.stderr));
    assert_eq!(ran.stdout, "");
}

/// To the whole group, as a terminal does, and to the client alone.
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
fn in_an_evaluation() {
    let env = TestEnv::fixture().module("web", LONG).start("box");
    both_ways(&env, "web", EVALUATING);
}

#[test]
fn in_an_endless_loop() {
    let env = TestEnv::new();
    both_ways(&env, "endless-loop", EVALUATING);
}

#[test]
fn in_a_build_of_ten_minutes() {
    let env = TestEnv::new();
    both_ways(
        &env,
        "ten-minutes",
        r#""event":"build","name":"ten-minutes""#,
    );
}

#[test]
fn in_a_build_that_evaluation_waits_for() {
    let env = TestEnv::fixture().module("web", WAITS).start("box");
    both_ways(&env, "web", r#""event":"build","name":"waits""#);
}

#[test]
fn an_interrupt_is_one_json_document_too() {
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
fn a_terminal_that_is_closed_ends_it_too() {
    let env = TestEnv::new();
    interrupt(&env, start(&env, "endless-loop"), EVALUATING, |running| {
        running.signal_group(Signal::SIGHUP)
    });
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let env = TestEnv::new();
    let mut running = start(&env, "endless-loop");
    running.until(EVALUATING);
    running.signal_group(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    running.signal_group(Signal::SIGINT);
    running.end().ends_with(130);
    assert!(
        begun.elapsed() < Duration::from_millis(400),
        "{:?}",
        begun.elapsed()
    );
    env.processes().gone_within(GONE);
}

#[test]
fn when_the_client_is_killed_its_evaluator_ends_by_itself() {
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
fn when_the_evaluator_is_killed_the_client_says_so() {
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
fn when_the_activator_is_killed_beforehand_nothing_is_changed() {
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

/// An activation that waits at the gate.
fn gated_activation() -> TestEnv {
    let env = TestEnv::fixture();
    let gate = env.path("gate").display().to_string();
    let text = format!(
        "{{ system.activationScripts.gate = ''\n  echo waiting at the gate\n  while [ ! -e {gate} ]; do sleep 0.02; done\n''; }}"
    );
    env.module("web", &text).start("box")
}

#[test]
fn an_activation_that_has_begun_goes_on_alone() {
    for signal in [Signal::SIGINT, Signal::SIGHUP] {
        let env = gated_activation();
        let base = env.running();
        let mut running = start(&env, "web");
        running.until("waiting at the gate");
        // Whoever looks meanwhile is told what is under way.
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
fn a_client_that_is_killed_does_not_stop_an_activation() {
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
fn an_activator_that_was_killed_is_told_about() {
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
fn a_relay_that_was_killed_takes_nothing_with_it() {
    let env = gated_activation();
    let mut running = start(&env, "web");
    running.until("waiting at the gate");
    kill(env.processes().wait_for("__activate"), Signal::SIGKILL).expect("killed");
    running.until("lost sight of the activation");
    env.open_gate();
    running.end().ok();
    assert_eq!(env.active(), ["web"]);
}

#[test]
fn neither_a_stopped_client_nor_a_stopped_relay_holds_up_the_activation() {
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
    kill(env.processes().wait_for("__activate"), Signal::SIGCONT).expect("let go");
    running.signal(Signal::SIGCONT);
    running.end().ok();
}
