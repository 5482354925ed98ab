//! A machine in which one thing goes wrong at a time, and whose state, roots and system are then held against each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use unix::sys::signal::{Signal, kill};
use unix::unistd::Pid;

use super::{Processes, Ran, TestEnv, read_json, strings};

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// Whoever passes the point.
    Itself,
    /// One role, while whoever passes the point stands still there.
    Role(Role),
    /// All of them.
    All,
}

/// The processes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that was started.
    Client,
    /// Its copy, which evaluates.
    Evaluator,
    /// Everything else: who waits with rights, and who switches.
    Activator,
}

/// A point at which something can be made to go wrong.
#[derive(Clone, Debug)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// Whether bytes are written there.
    pub writes: bool,
}

/// A machine on which the base runs, and what may run on it.
pub struct Lab {
    /// The machine.
    pub env: TestEnv,
    base: PathBuf,
    /// Commands that between them pass all points.
    scenarios: Vec<Vec<String>>,
    /// Modules that are on, by the toplevel that then runs.
    systems: BTreeMap<PathBuf, Vec<String>>,
    /// Runs in which something went wrong.
    pub faults: usize,
}

impl Lab {
    /// A machine whose toplevels are all built already.
    pub fn new() -> Self {
        let env = TestEnv::new();
        let base = env.running();
        let mut systems = BTreeMap::from([(base.clone(), Vec::new())]);
        for module in ["inline", "folder"] {
            env.run(&["enable", module]).ok();
            systems.insert(env.running(), vec![module.to_string()]);
            env.run(&["reset"]).ok();
        }
        env.run(&["enable", "inline", "failing-activation"])
            .ends_with(6);
        assert_eq!(env.running(), base);
        let flake = env.flake();
        let scenarios: [&[&str]; 6] = [
            &["enable", "inline"],
            // Whatever the cache has.
            &["enable", "inline", "--no-cache"],
            // The way back.
            &["enable", "inline", "failing-activation"],
            // The timer.
            &["enable", "inline", "--confirm", "600s"],
            // A source that is locked anew.
            &["apply", "--flake", &flake, "--force"],
            // No evaluation, no build.
            &["reset", "--force"],
        ];
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        Self {
            scenarios: scenarios.map(words).to_vec(),
            env,
            base,
            systems,
            faults: 0,
        }
    }

    /// Commands that between them pass all points; the one that is most likely to pass this point comes first.
    pub fn scenarios(&self, point: &str) -> Vec<Vec<String>> {
        let first = match point {
            "client.lock" => 4,
            "client.evaluate" => 1,
            "activator.return" => 2,
            "activator.arm" => 3,
            _ if point.starts_with("evaluator.") => 1,
            _ => 0,
        };
        let mut scenarios = self.scenarios.clone();
        scenarios[..=first].rotate_right(1);
        scenarios
    }

    /// Every point that the program has.
    pub fn points(&self) -> Vec<Point> {
        let table = self.env.run(&["__faults"]).ok().stdout;
        let points: Vec<Point> = table
            .lines()
            .map(|line| {
                let mut columns = line.split('\t');
                Point {
                    name: columns.next().unwrap_or_default().into(),
                    writes: columns.next() == Some("write"),
                }
            })
            .collect();
        assert!(points.len() > 20, "{table}");
        points
    }

    /// Runs a scenario in which somebody dies at a point (`NAME@PASSING:SIDE`), and then sees to it that all is
    /// consistent, and that the machine can be used. Returns whether the point was passed at all.
    pub fn kill_at(&mut self, scenario: &[String], point: &str, victim: Victim) -> bool {
        let what = format!("{scenario:?}, killed at {point}: {victim:?}");
        let before = self.prepare(scenario);
        let (ran, met) = self.run_until(scenario, &format!("{point}:stop"), victim);
        self.aftermath(&what, &ran, &before, met);
        met
    }

    /// The same with a fault that goes by itself: a write that fails, or is cut short.
    pub fn fail_at(&mut self, scenario: &[String], fault: &str) -> bool {
        let what = format!("{scenario:?} with {fault}");
        let before = self.prepare(scenario);
        let mut command = self.env.command(scenario);
        command.env("RUNTIME_MODULE_FAULT", fault);
        let ran = self.env.start_running(command).end();
        let met = ran.code != 0 || ran.stderr.contains("warning");
        self.aftermath(&what, &ran, &before, met);
        met
    }

    fn prepare(&self, scenario: &[String]) -> PathBuf {
        if scenario[0] == "reset" {
            self.env.run(&["enable", "inline"]).ok();
        }
        self.env.running()
    }

    fn aftermath(&mut self, what: &str, ran: &Ran, before: &Path, met: bool) {
        self.faults += usize::from(met);
        self.let_nobody_wait();
        self.env.processes().gone_within(Duration::from_secs(30));
        self.settle(what, ran, before);
        self.is_usable(what);
    }

    /// Runs a command with a fault at which somebody stands still, and kills who is to die.
    fn run_until(&self, scenario: &[String], fault: &str, victim: Victim) -> (Ran, bool) {
        let mut command = self.env.command(scenario);
        command.env("RUNTIME_MODULE_FAULT", fault);
        let running = self.env.start_running(command);
        let processes = self.env.processes().since(running.pid());
        let stopped = processes.wait_for_stop(running.pid());
        if let Some(stopped) = stopped {
            kill_some(&processes, running.pid(), stopped, victim);
            // Whoever stood still and was to live goes on.
            let _ = kill(stopped, Signal::SIGCONT);
        }
        (running.end(), stopped.is_some())
    }

    /// Ends whoever waits for a confirmation: that is for ten minutes.
    fn let_nobody_wait(&self) {
        for (pid, command) in self.env.processes().now() {
            if command.contains(" __expire ") {
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
    }

    /// The state says what was interrupted, if anything was; then it is undone, and nothing may be left of it.
    fn settle(&self, what: &str, ran: &Ran, before: &Path) {
        let state = self.state();
        let pending = state
            .as_ref()
            .map_or(&Value::Null, |state| &state["pending"]);
        if !pending.is_null() {
            let told = self.env.run(&["status", "--json"]).ok().json();
            assert!(
                !told["pending"].is_null(),
                "{what}: status hides it: {told:#}"
            );
            let recovered = self.env.run(&["recover"]);
            assert_eq!(recovered.code, 0, "{what}: recover: {}", recovered.text());
            let from = pending["from"].as_str().map(PathBuf::from);
            assert_eq!(
                Some(self.env.running()),
                from,
                "{what}: recover went elsewhere"
            );
        }
        self.is_consistent(what);
        if ran.code == 0 && pending.is_null() && before == self.base {
            // What is said to be done is done.
            assert_ne!(self.env.running(), before, "{what}: {}", ran.text());
        }
    }

    /// State, roots and system agree.
    pub fn is_consistent(&self, what: &str) {
        let running = self.env.running();
        let on = self.systems.get(&running);
        let on = on
            .unwrap_or_else(|| panic!("{what}: {} runs, which is none of ours", running.display()));
        let state = self
            .state()
            .unwrap_or_else(|| panic!("{what}: the state is gone"));
        assert!(state["pending"].is_null(), "{what}: {state:#}");
        assert_eq!(&strings(&state["active"]), on, "{what}: {state:#}");
        assert_eq!(
            state["current"],
            running.display().to_string(),
            "{what}: {state:#}"
        );
        assert_eq!(
            state["base"]["toplevel"],
            self.base.display().to_string(),
            "{what}"
        );
        assert_eq!(
            self.env.etc("inline").is_some(),
            on.iter().any(|name| name == "inline"),
            "{what}"
        );
        let roots = self.roots();
        for path in [&running, &self.base] {
            assert!(
                roots.contains(path),
                "{what}: {} is not rooted: {roots:?}",
                path.display()
            );
        }
    }

    /// The next runs find nothing in their way, and nothing is left lying about.
    fn is_usable(&self, what: &str) {
        // Now and then with an evaluation and a build; the base by itself is quicker.
        let runs: &[&[&str]] = match self.faults % 8 {
            0 => &[&["enable", "folder"], &["reset"]],
            _ => &[&["reset", "--force"]],
        };
        for arguments in runs {
            let ran = self.env.run(arguments);
            assert_eq!(ran.code, 0, "{what}: afterwards: {}", ran.text());
        }
        assert_eq!(self.env.running(), self.base, "{what}");
        self.is_consistent(what);
        self.is_tidy(what);
    }

    /// Only files that are known, and no more roots than there may be.
    fn is_tidy(&self, what: &str) {
        let names = names_in(&self.env.root("run/runtime-modules"));
        let known = |name: &String| {
            matches!(
                name.as_str(),
                "history" | "lock" | "log" | "roots" | "state.json"
            ) || name.starts_with("request")
        };
        assert!(names.iter().all(known), "{what}: left behind: {names:?}");
        let names = names_in(&self.env.root("var/lib/runtime-modules"));
        assert_eq!(names, ["wanted.json"], "{what}: left behind");
        assert!(self.roots().len() <= 40, "{what}: {:?}", self.roots());
    }

    fn state(&self) -> Option<Value> {
        let path = self.env.root("run/runtime-modules/state.json");
        path.exists().then(|| read_json(&path))
    }

    /// What is kept from the collector.
    fn roots(&self) -> Vec<PathBuf> {
        let folder = self.env.root("run/runtime-modules/roots");
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries
            .filter_map(|entry| fs::read_link(entry.expect("an entry").path()).ok())
            .collect()
    }
}

/// Kills who is to die.
fn kill_some(processes: &Processes, client: Pid, stopped: Pid, victim: Victim) {
    for (pid, command) in processes.now() {
        let ours =
            command.contains("runtime-module") && !command.contains("/switch-to-configuration");
        let role = match () {
            () if pid == client => Role::Client,
            () if command.contains(" __") => Role::Activator,
            // A copy of the client.
            () => Role::Evaluator,
        };
        let dies = match victim {
            Victim::Itself => pid == stopped,
            Victim::Role(victim) => ours && role == victim,
            Victim::All => ours,
        };
        if dies {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
