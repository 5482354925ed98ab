//! A machine for fault injection: after each fault, its state file, GC roots and running system
//! must agree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use unix::sys::signal::{Signal, kill};
use unix::unistd::Pid;

use super::{Processes, Ran, TestEnv, read_json, strings};

/// The process that a fault kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// No process: the program itself injects the fault.
    Nobody,
    /// The process that reaches the point.
    Itself,
    /// The process with this role, while the process that reached the point is stopped there.
    Process(ProcessRole),
    /// All processes of the run that have a role.
    All,
}

/// The role of a process in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessRole {
    /// The process that the test started.
    Client,
    /// The child that the client forks to evaluate.
    Evaluator,
    /// The elevated process that waits for requests and relays progress.
    Relay,
    /// The process that runs the switch.
    Activator,
}

impl ProcessRole {
    /// All roles, each with the prefix of the names of its fault points.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Client, "client"),
        (Self::Evaluator, "evaluator"),
        (Self::Relay, "relay"),
        (Self::Activator, "activator"),
    ];
}

/// A point in the program at which a fault can be injected.
#[derive(Clone, Debug)]
pub struct FaultPoint {
    pub name: String,
    /// Whether the program writes a file at this point.
    pub writes: bool,
}

/// The command that overrides an option, and the text that it sets.
const OVERRIDE: [&str; 5] = [
    "set",
    "environment.etc.motd.text",
    "\"overridden\"",
    "systemd.services.heartbeat.environment.OVERRIDDEN",
    "\"yes\"",
];
const OVERRIDDEN: &str = "overridden";

/// A machine that runs the base, and the systems that scenarios may activate.
pub struct Lab {
    pub env: TestEnv,
    base: PathBuf,
    /// Commands that together reach every fault point.
    scenarios: Vec<Vec<String>>,
    /// The enabled modules for each toplevel.
    systems: BTreeMap<PathBuf, Vec<String>>,
    /// All fault points of the program.
    points: Vec<FaultPoint>,
    /// Whether a process reached the point in the last run.
    pub passed: bool,
    /// The number of runs in which a fault took effect.
    pub faults: usize,
}

impl Lab {
    /// Creates a machine with all toplevels of the scenarios already built.
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
        env.run(&OVERRIDE).ok();
        systems.insert(env.running(), Vec::new());
        env.run(&["reset", "--all"]).ok();
        let flake = env.flake();
        let scenarios: [&[&str]; 8] = [
            &["enable", "inline"],
            // Evaluates although the result is cached.
            &["enable", "inline", "--no-cache"],
            // An activation that fails and is rolled back.
            &["enable", "inline", "failing-activation"],
            // An activation with a confirmation timer.
            &["enable", "inline", "--confirm", "600s"],
            // Locks the flake again.
            &["apply", "--flake", &flake, "--force"],
            // Neither evaluates nor builds.
            &["reset", "--force"],
            // Records a generation of option overrides, and applies it without a new toplevel.
            &OVERRIDE,
            // Records a verification and what it has learned.
            &["overrides", "verify"],
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

    /// Returns commands that together reach all points. The first one is most likely to reach
    /// `point`.
    pub fn scenarios(&self, point: &str) -> Vec<Vec<String>> {
        let first = match point {
            "client.lock" => 4,
            "client.evaluate" => 1,
            "activator.return" => 2,
            "activator.arm" => 3,
            "activator.overrides"
            | "activator.stop-units"
            | "activator.replace-files"
            | "activator.reload-systemd"
            | "activator.start-units"
            | "write.unit"
            | "write.overrides"
            | "write.kept-overrides"
            | "cache.options" => 6,
            "write.effects" => 7,
            _ if point.starts_with("evaluator.") => 1,
            // The cache is cleared before the run, so the evaluation is stored in it.
            _ if point.starts_with("cache.") => 0,
            _ => 0,
        };
        let mut scenarios = self.scenarios.clone();
        scenarios[..=first].rotate_right(1);
        scenarios
    }

    /// Returns commands that resolve an interrupted or unconfirmed change.
    pub fn ways_back() -> [Vec<String>; 5] {
        let ways: [&[&str]; 5] = [
            &["recover"],
            &["recover", "--finish"],
            &["confirm"],
            &["rollback"],
            // The command that the timer starts; `suffer` fills in the transaction's name.
            &["__expire", "TRANSACTION", "0", "--after"],
        ];
        ways.map(|words| words.iter().map(ToString::to_string).collect())
    }

    /// Returns all fault points of the program.
    pub fn points(&self) -> Vec<FaultPoint> {
        self.points.clone()
    }

    /// Kills `victim` at a point (`NAME@PASSING:SIDE`) in a scenario. Then checks that the machine
    /// is consistent and usable. Returns whether the fault took effect.
    pub fn kill_at(&mut self, scenario: &[String], point: &str, victim: Victim) -> bool {
        let what = format!("{scenario:?}, killed at {point}: {victim:?}");
        self.suffer(&what, scenario, &format!("{point}:stop"), victim)
    }

    /// Like [`Self::kill_at`], with a fault that the program injects itself: a step or write that
    /// fails, or a truncated write. The process stops at the point first, so that the test can
    /// detect that the process reached it.
    pub fn fail_at(&mut self, scenario: &[String], fault: &str) -> bool {
        let what = format!("{scenario:?} with {fault}");
        let mut parts = fault.split(':');
        let (point, side) = (parts.next().unwrap_or_default(), parts.next());
        // A truncated write has no side: stop before it.
        let side = side.filter(|_| !fault.contains('=')).unwrap_or("before");
        let faults = format!("{point}:{side}:stop,{fault}");
        self.suffer(&what, scenario, &faults, Victim::Nobody)
    }

    /// Runs a scenario in which processes stop at the faults, and kills the victim there.
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
            // If the victim's role has no process at this point, that is not an error.
            met = kill_some(&processes, running.pid(), stopped, victim) || victim == Victim::Nobody;
            // The stopped process may have survived: continue it.
            let _ = kill(stopped, Signal::SIGCONT);
        }
        // Another process may stop at the same point later, and nothing else would continue it.
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
            "overrides" => drop(self.env.run(&OVERRIDE).ok()),
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
            // `cache clear` keeps the names of options, and known names are not written again.
            let _ = std::fs::remove_dir_all(self.env.path("cache/runtime-module/options"));
        }
        self.env.running()
    }

    /// Checks that runs with this cache succeed, that they activate a known system, and that the
    /// fault left no temporary files in the cache.
    fn is_remembered_or_not(&self, what: &str) {
        self.env.run(&["reset", "--all"]).ok();
        for arguments in [&["enable", "inline"][..], &["cache"]] {
            let ran = self.env.run(arguments);
            assert_eq!(
                ran.code,
                0,
                "{what}: a run with this cache fails: {}",
                ran.text()
            );
        }
        self.is_consistent(what);
        for folder in ["results", "results/roots", "estimates"] {
            let names = names_in(&self.env.path("cache/runtime-module").join(folder));
            let left = names.iter().find(|name| name.starts_with('.'));
            assert_eq!(left, None, "{what}: temporary file left in {folder}");
        }
    }

    /// Kills confirmation timers, which would run for ten minutes, once no other process is left that could start one.
    fn let_nobody_wait(&self) {
        let left = self
            .env
            .processes()
            .left_but(" __expire ", Duration::from_secs(60));
        for (pid, _) in left {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// If a change is pending, checks that `status` reports it and that `recover` undoes it. Then
    /// checks that the machine is consistent.
    fn settle(&self, what: &str, ran: &Ran, before: &Path) {
        let state = self.state();
        let pending = state
            .as_ref()
            .map_or(&Value::Null, |state| &state["pending"]);
        if !pending.is_null() {
            let found = self.env.run(&["status", "--json"]).ok().json();
            assert!(
                !found["pending"].is_null(),
                "{what}: status does not report the pending change: {found:#}"
            );
            let recovered = self.env.run(&["recover"]);
            assert_eq!(
                recovered.code,
                0,
                "{what}: recover fails: {}",
                recovered.text()
            );
            let from = pending["from"].as_str().map(PathBuf::from);
            assert_eq!(
                Some(self.env.running()),
                from,
                "{what}: recover activated another system"
            );
        }
        self.is_consistent(what);
        if ran.code == 0 && pending.is_null() && what.starts_with("[\"enable\"") {
            // A reported success must have switched the system.
            assert_ne!(self.env.running(), before, "{what}: {}", ran.text());
        }
    }

    /// Checks that the state file, the GC roots and the running system agree.
    pub fn is_consistent(&self, what: &str) {
        let running = self.env.running();
        let on = self.systems.get(&running);
        let on = on
            .unwrap_or_else(|| panic!("{what}: running an unknown system: {}", running.display()));
        let state = self
            .state()
            .unwrap_or_else(|| panic!("{what}: there is no state file"));
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
        let overridden = self.is_overridden();
        let unit = self
            .env
            .root("run/systemd/system.control/heartbeat.service");
        assert_eq!(unit.exists(), overridden && running == self.base, "{what}");
        let definitions = state["overrides"]["definitions"].as_array();
        assert_eq!(
            definitions.is_some_and(|definitions| !definitions.is_empty()),
            overridden,
            "{what}: {state:#}"
        );
        let roots = self.roots();
        for path in [&running, &self.base] {
            assert!(
                roots.contains(path),
                "{what}: {} has no GC root: {roots:?}",
                path.display()
            );
        }
    }

    /// Returns whether the overrides of a scenario are in force.
    fn is_overridden(&self) -> bool {
        self.env.etc("motd").as_deref() == Some(OVERRIDDEN)
    }

    /// Checks that the next runs succeed and leave no stray files.
    fn is_usable(&self, what: &str) {
        // Evaluate and build only after every eighth fault, because a reset alone is quicker.
        // Usually skip the reset too if the base is running, so that the next fault starts from the
        // files that this one left.
        let runs: &[&[&str]] = match self.faults % 8 {
            0 => &[&["enable", "folder"], &["reset", "--all"]],
            4 => &[&["reset", "--all", "--force"]],
            _ if self.env.running() == self.base && !self.is_overridden() => return,
            _ => &[&["reset", "--all"]],
        };
        for arguments in runs {
            let ran = self.env.run(arguments);
            assert_eq!(ran.code, 0, "{what}: a later run fails: {}", ran.text());
        }
        assert_eq!(self.env.running(), self.base, "{what}");
        self.is_consistent(what);
        self.is_tidy(what);
    }

    /// Checks, after the last fault, that the machine is usable.
    pub fn end(&mut self) {
        self.faults = 0;
        self.is_usable("after the last fault");
    }

    /// Checks that only known files exist, and that the number of GC roots is bounded.
    fn is_tidy(&self, what: &str) {
        let names = names_in(&self.env.root("run/runtime-modules"));
        let known = |name: &String| {
            matches!(
                name.as_str(),
                // A killed process can leave the file that was to replace this one.
                "effects.json"
                    | "effects.json.new"
                    | "history"
                    | "holder"
                    | "lock"
                    | "log"
                    | "overrides"
                    | "roots"
                    | "state.json"
            ) || name.starts_with("request")
        };
        assert!(
            names.iter().all(known),
            "{what}: unexpected file among {names:?}"
        );
        let names = names_in(&self.env.root("var/lib/runtime-modules"));
        let known = |name: &String| ["overrides.json", "wanted.json"].contains(&name.as_str());
        assert!(
            names.iter().all(known),
            "{what}: unexpected file among {names:?}"
        );
        assert!(self.roots().len() <= 40, "{what}: {:?}", self.roots());
    }

    fn state(&self) -> Option<Value> {
        let path = self.env.root("run/runtime-modules/state.json");
        path.exists().then(|| read_json(&path))
    }

    /// Returns the store paths that the program's GC roots keep alive.
    fn roots(&self) -> Vec<PathBuf> {
        let folder = self.env.root("run/runtime-modules/roots");
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries
            .filter_map(|entry| fs::read_link(entry.expect("an entry").path()).ok())
            .collect()
    }
}

fn points(env: &TestEnv) -> Vec<FaultPoint> {
    let table = env.run(&["__faults"]).ok().stdout;
    let points: Vec<FaultPoint> = table
        .lines()
        .map(|line| {
            let mut columns = line.split('\t');
            FaultPoint {
                name: columns.next().unwrap_or_default().into(),
                writes: columns.next() == Some("write"),
            }
        })
        .collect();
    assert!(points.len() > 20, "{table}");
    points
}

/// Kills the victim. Returns whether there was a process to kill.
fn kill_some(processes: &Processes, client: Pid, stopped: Pid, victim: Victim) -> bool {
    let mut killed = false;
    // Repeat until no process is left: a dying process may have forked another one.
    loop {
        let mut found = false;
        for (pid, command) in processes.now() {
            // The switch program and its children have no role, although they inherit the same
            // environment.
            let role = match () {
                () if pid == client => Some(ProcessRole::Client),
                () if command.contains(" __activate") => Some(ProcessRole::Relay),
                () if command.contains(" __") => Some(ProcessRole::Activator),
                // A fork of the client.
                () if command.contains(": runtime-module ") => Some(ProcessRole::Evaluator),
                () => None,
            };
            let dies = match victim {
                Victim::Nobody => false,
                Victim::Itself => pid == stopped,
                Victim::Process(victim) => role == Some(victim),
                Victim::All => role.is_some(),
            };
            if dies && kill(pid, Signal::SIGKILL).is_ok() {
                // A zombie has no command line, so it is not found again.
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
