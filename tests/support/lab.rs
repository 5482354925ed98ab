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
    /// Nobody: something else goes wrong.
    Nobody,
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
    /// Who waits with rights, and follows.
    Relay,
    /// Who switches.
    Activator,
}

impl Role {
    /// All of them, with the first part of the names of their points.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Client, "client"),
        (Self::Evaluator, "evaluator"),
        (Self::Relay, "relay"),
        (Self::Activator, "activator"),
    ];
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
    /// Every point that the program has.
    points: Vec<Point>,
    /// Whether anybody came by the point of the last run.
    pub passed: bool,
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
            points: points(&env),
            passed: false,
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
            // The cache is cleared before: then what is evaluated is kept.
            _ if point.starts_with("cache.") => 0,
            _ => 0,
        };
        let mut scenarios = self.scenarios.clone();
        scenarios[..=first].rotate_right(1);
        scenarios
    }

    /// Commands that end what another one has left: interrupted, or waiting to be confirmed.
    pub fn ways_back() -> [Vec<String>; 5] {
        let ways: [&[&str]; 5] = [
            &["recover"],
            &["recover", "--finish"],
            &["confirm"],
            &["rollback"],
            // What the timer starts; the transaction's name is filled in.
            &["__expire", "TRANSACTION", "0", "--after"],
        ];
        ways.map(|words| words.iter().map(ToString::to_string).collect())
    }

    /// Every point that the program has.
    pub fn points(&self) -> Vec<Point> {
        self.points.clone()
    }

    /// Runs a scenario in which somebody dies at a point (`NAME@PASSING:SIDE`), and then sees to it that all is
    /// consistent, and that the machine can be used. Returns whether the point was passed at all.
    pub fn kill_at(&mut self, scenario: &[String], point: &str, victim: Victim) -> bool {
        let what = format!("{scenario:?}, killed at {point}: {victim:?}");
        self.suffer(&what, scenario, &format!("{point}:stop"), victim)
    }

    /// The same with a fault by which nobody dies, or by its own hand: a step or write that fails, or a write that is cut
    /// short. Whoever comes by stands still there first, so that it is seen.
    pub fn fail_at(&mut self, scenario: &[String], fault: &str) -> bool {
        let what = format!("{scenario:?} with {fault}");
        let mut parts = fault.split(':');
        let (point, side) = (parts.next().unwrap_or_default(), parts.next());
        // A write that is cut short is neither before nor after it.
        let side = side.filter(|_| !fault.contains('=')).unwrap_or("before");
        let faults = format!("{point}:{side}:stop,{fault}");
        self.suffer(&what, scenario, &faults, Victim::Nobody)
    }

    /// Runs a scenario with faults at which somebody stands still, and kills who is to die.
    fn suffer(&mut self, what: &str, scenario: &[String], faults: &str, victim: Victim) -> bool {
        let cached = faults.starts_with("cache.");
        let before = self.prepare(scenario, cached);
        let name = self
            .state()
            .map(|state| state["pending"]["transaction"].clone());
        let name = name.as_ref().and_then(Value::as_str).unwrap_or_default();
        let words = scenario
            .iter()
            .map(|word| word.replace("TRANSACTION", name));
        let mut command = self.env.command(words.collect::<Vec<_>>());
        command.env("RUNTIME_MODULE_FAULT", faults);
        let running = self.env.start_running(command);
        let processes = self.env.processes().since(running.pid());
        let stopped = processes.wait_for_stop(running.pid());
        self.passed = stopped.is_some();
        let mut met = self.passed;
        if let Some(stopped) = stopped {
            // That one of them is not there, at this point, is no fault.
            met = kill_some(&processes, running.pid(), stopped, victim) || victim == Victim::Nobody;
            // Whoever stood still and was to live goes on.
            let _ = kill(stopped, Signal::SIGCONT);
        }
        // Another process may come to the same point later, and would stand still there for ever.
        let ran = processes.letting_go(|| {
            let ran = running.end();
            self.let_nobody_wait();
            self.env.processes().gone_within(Duration::from_secs(60));
            ran
        });
        self.faults += usize::from(met);
        self.settle(what, &ran, &before);
        if cached {
            self.is_remembered_or_not(what);
        }
        self.is_usable(what);
        met
    }

    fn prepare(&self, scenario: &[String], cached: bool) -> PathBuf {
        match scenario[0].as_str() {
            "reset" => drop(self.env.run(&["enable", "inline"]).ok()),
            "recover" => {
                let mut command = self.env.command(["enable", "inline"]);
                command.env("RUNTIME_MODULE_FAULT", "activator.switch:after");
                self.env.start_running(command).end().ends_with(8);
            }
            "confirm" | "rollback" | "__expire" => {
                let waits = ["enable", "inline", "--confirm", "600s"];
                drop(self.env.run(&waits).ok());
            }
            _ => {}
        }
        if cached {
            self.env.run(&["cache", "clear"]).ok();
        }
        self.env.running()
    }

    /// Whatever the cache has: with it comes the same system as without.
    fn is_remembered_or_not(&self, what: &str) {
        self.env.run(&["reset"]).ok();
        for arguments in [&["enable", "inline"][..], &["cache"]] {
            let ran = self.env.run(arguments);
            assert_eq!(ran.code, 0, "{what}: with the cache: {}", ran.text());
        }
        self.is_consistent(what);
        for folder in ["results", "results/roots", "estimates"] {
            let names = names_in(&self.env.path("cache/runtime-module").join(folder));
            let left = names.iter().find(|name| name.starts_with('.'));
            assert_eq!(left, None, "{what}: left behind in {folder}");
        }
    }

    /// Ends whoever waits for a confirmation: that is for ten minutes. Only once nobody else is left who could start one.
    fn let_nobody_wait(&self) {
        let left = self
            .env
            .processes()
            .left_but(" __expire ", Duration::from_secs(60));
        for (pid, _) in left {
            let _ = kill(pid, Signal::SIGKILL);
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
        if ran.code == 0 && pending.is_null() && what.starts_with("[\"enable\"") {
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
        // Now and then with an evaluation and a build; the base by itself is quicker. Where the base runs, with nothing to
        // be undone, the next fault comes upon the machine as this one has left it.
        let runs: &[&[&str]] = match self.faults % 8 {
            0 => &[&["enable", "folder"], &["reset"]],
            4 => &[&["reset", "--force"]],
            _ if self.env.running() == self.base => return,
            _ => &[&["reset"]],
        };
        for arguments in runs {
            let ran = self.env.run(arguments);
            assert_eq!(ran.code, 0, "{what}: afterwards: {}", ran.text());
        }
        assert_eq!(self.env.running(), self.base, "{what}");
        self.is_consistent(what);
        self.is_tidy(what);
    }

    /// The last fault is over: the machine can be used.
    pub fn end(&mut self) {
        self.faults = 0;
        self.is_usable("after the last fault");
    }

    /// Only files that are known, and no more roots than there may be.
    fn is_tidy(&self, what: &str) {
        let names = names_in(&self.env.root("run/runtime-modules"));
        let known = |name: &String| {
            matches!(
                name.as_str(),
                "history" | "holder" | "lock" | "log" | "roots" | "state.json"
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

fn points(env: &TestEnv) -> Vec<Point> {
    let table = env.run(&["__faults"]).ok().stdout;
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

/// Kills who is to die; whether there was anybody.
fn kill_some(processes: &Processes, client: Pid, stopped: Pid, victim: Victim) -> bool {
    let mut killed = false;
    // Again until nobody is left: whoever is about to die may have started somebody meanwhile.
    loop {
        let mut found = false;
        for (pid, command) in processes.now() {
            // Neither the switch program nor what it runs, which are in the same folders.
            let role = match () {
                () if pid == client => Some(Role::Client),
                () if command.contains(" __activate") => Some(Role::Relay),
                () if command.contains(" __") => Some(Role::Activator),
                // A copy of the client.
                () if command.contains(&format!(": {} ", super::PROGRAM)) => Some(Role::Evaluator),
                () => None,
            };
            let dies = match victim {
                Victim::Nobody => false,
                Victim::Itself => pid == stopped,
                Victim::Role(victim) => role == Some(victim),
                Victim::All => role.is_some(),
            };
            if dies && kill(pid, Signal::SIGKILL).is_ok() {
                // One that has ended, and that nobody has waited for, is found by its name no more.
                found = true;
            }
        }
        killed |= found;
        if !found || victim != Victim::All {
            return killed;
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
