use std::collections::VecDeque;

use super::super::unit_state::UnitJob;
use super::*;

/// A fake machine whose clock advances only during waits, and whose units change at given times.
#[derive(Default)]
struct Scripted {
    clock: u64,
    /// Unit states, each with the time at which it begins.
    changes: Vec<(u64, UnitState)>,
    has_failed: bool,
    said: Vec<String>,
    queries: VecDeque<u64>,
}

impl Scripted {
    fn states_now(&self) -> States {
        let due = self.changes.iter().filter(|(at, _)| *at <= self.clock);
        due.map(|(_, unit)| (UnitId::of_system(&unit.name), unit.clone()))
            .collect()
    }
}

impl WatchedMachine for Scripted {
    fn states(&mut self) -> States {
        self.queries.push_back(self.clock);
        let mut states = self.states_now();
        states.retain(|_, unit| unit.active != "inactive" || unit.job.is_some());
        states
    }

    fn states_of(&mut self, ids: &[UnitId]) -> States {
        let mut states = self.states_now();
        states.retain(|id, _| ids.contains(id));
        states
    }

    fn failed_command(&mut self, _id: &UnitId) -> Option<FailedCommand> {
        None
    }

    fn has_failed(&mut self, _id: &UnitId) -> bool {
        self.has_failed
    }

    fn now(&mut self) -> u64 {
        self.clock
    }

    fn wait(&mut self, time: Duration) {
        self.clock += micros(time);
    }

    fn say(&mut self, text: &str) {
        self.said.push(text.into());
    }
}

fn service(kind: &str, active: &str) -> UnitState {
    UnitState {
        name: "a.service".into(),
        service_type: kind.into(),
        active: active.into(),
        result: "success".into(),
        ..UnitState::default()
    }
}

fn job() -> Option<UnitJob> {
    Some(UnitJob {
        kind: "start".into(),
        state: "running".into(),
    })
}

/// Watches for a settle time of three seconds, after a switch whose output names `a.service`.
/// Returns the duration in milliseconds, and the problems that were found.
fn watch(machine: &mut Scripted) -> (u64, Vec<(String, UnitProblem)>) {
    watch_with(machine, &States::new(), 3000, &[])
}

fn watch_with(
    machine: &mut Scripted,
    before: &States,
    settle: u64,
    unwell: &[&str],
) -> (u64, Vec<(String, UnitProblem)>) {
    let unwell_before = unwell.iter().map(|name| UnitId::of_system(name)).collect();
    let watch = Watch {
        changes: Changes {
            before,
            named: BTreeSet::from(["a.service", "a.timer"].map(UnitId::of_system)),
            redefined: &|_| false,
        },
        unwell_before: &unwell_before,
        settle: Duration::from_millis(settle),
    };
    let watched = watch.run(machine);
    let problems = watched
        .unwell
        .into_iter()
        .map(|(id, unwell)| (id.name, unwell.problem));
    (machine.clock / 1000, problems.collect())
}

fn found(problem: UnitProblem) -> Vec<(String, UnitProblem)> {
    vec![("a.service".into(), problem)]
}

#[test]
fn services_that_report_their_start_are_not_watched() {
    for kind in ["notify", "dbus", "forking", "oneshot", "notify-reload"] {
        let mut machine = Scripted {
            changes: vec![(0, service(kind, "active"))],
            ..Scripted::default()
        };
        assert_eq!(watch(&mut machine), (0, vec![]), "{kind}");
        assert_eq!(
            (machine.queries.len(), machine.said.len()),
            (1, 0),
            "{kind}"
        );
    }
}

#[test]
fn other_services_are_watched_for_the_settle_time() {
    for kind in ["simple", "exec", "idle"] {
        let mut machine = Scripted {
            changes: vec![(0, service(kind, "active"))],
            ..Scripted::default()
        };
        assert_eq!(watch(&mut machine), (3000, vec![]), "{kind}");
        assert_eq!(machine.said, ["watching a.service for 3.0 s"]);
    }
}

#[test]
fn settle_time_begins_when_the_service_starts() {
    let mut machine = Scripted {
        clock: 2_000_000,
        changes: vec![(0, service("simple", "active"))],
        ..Scripted::default()
    };
    assert_eq!(watch(&mut machine), (3000, vec![]));
}

#[test]
fn late_failure_is_found_and_ends_the_watch() {
    let mut failed = service("simple", "failed");
    failed.result = "exit-code".into();
    let mut machine = Scripted {
        changes: vec![(0, service("simple", "active")), (2_000_000, failed)],
        ..Scripted::default()
    };
    let (time, problems) = watch(&mut machine);
    assert_eq!(problems, found(UnitProblem::Failed));
    assert!((2000..2500).contains(&time), "{time}");
}

#[test]
fn service_that_exits_successfully_is_healthy() {
    let mut machine = Scripted {
        changes: vec![
            (0, service("simple", "active")),
            (1_000_000, service("simple", "inactive")),
        ],
        ..Scripted::default()
    };
    let (time, problems) = watch(&mut machine);
    assert_eq!(problems, []);
    assert!(time < 1500, "{time}");
}

#[test]
fn restart_between_two_checks_is_found() {
    let mut again = service("simple", "active");
    again.restarts = 1;
    for (restart, has_failed, problems) in [
        ("on-failure", false, found(UnitProblem::Restarting)),
        ("always", true, found(UnitProblem::Restarting)),
        // The service exited successfully, and `Restart=always` restarted it.
        ("always", false, vec![]),
    ] {
        again.restart = restart.into();
        let mut machine = Scripted {
            changes: vec![(0, service("simple", "active")), (500_000, again.clone())],
            has_failed,
            ..Scripted::default()
        };
        assert_eq!(watch(&mut machine).1, problems, "{restart}");
    }
}

#[test]
fn watch_of_a_restarting_service_is_bounded() {
    let mut changes = Vec::new();
    for round in 0..200_u64 {
        let at = round * 300_000;
        let mut runs = service("simple", "active");
        runs.restart = "always".into();
        runs.restarts = round as u32;
        runs.changed_at = at;
        let mut starts = service("simple", "activating");
        starts.restart = "always".into();
        starts.restarts = round as u32;
        starts.changed_at = at + 200_000;
        starts.job = job();
        changes.extend([(at, runs), (at + 200_000, starts)]);
    }
    let mut machine = Scripted {
        changes,
        ..Scripted::default()
    };
    let (time, problems) = watch(&mut machine);
    assert_eq!(problems, []);
    assert!((3000..3500).contains(&time), "{time}");
}

#[test]
fn watch_of_a_repeating_timer_is_bounded() {
    let changes = (0..200_u64).map(|round| {
        let timer = UnitState {
            name: "a.timer".into(),
            active: "active".into(),
            sub: if round % 2 == 0 { "waiting" } else { "running" }.into(),
            changed_at: round * 300_000,
            elapses_at: Some(round * 300_000 + 300_000),
            ..UnitState::default()
        };
        (round * 300_000, timer)
    });
    let mut machine = Scripted {
        changes: changes.collect(),
        ..Scripted::default()
    };
    let (time, problems) = watch(&mut machine);
    assert_eq!(problems, []);
    assert!(time <= 6500, "{time}");
}

#[test]
fn unit_that_failed_before_does_not_count() {
    let mut machine = Scripted {
        changes: vec![(0, service("simple", "failed"))],
        ..Scripted::default()
    };
    let before = States::new();
    let found = watch_with(&mut machine, &before, 3000, &["a.service"]);
    assert_eq!(found, (0, vec![]));
}

#[test]
fn start_job_gets_ten_settle_times() {
    let mut starting = service("notify", "activating");
    starting.job = job();
    let mut machine = Scripted {
        changes: vec![(0, starting.clone())],
        ..Scripted::default()
    };
    let (time, problems) = watch(&mut machine);
    assert_eq!(problems, found(UnitProblem::Starting));
    assert!((30_000..31_000).contains(&time), "{time}");
    assert_eq!(
        machine.said,
        ["watching the start of a.service for up to 30 s"]
    );
    // A start job that finishes in time is not a problem.
    let mut machine = Scripted {
        changes: vec![(0, starting), (20_000_000, service("notify", "active"))],
        ..Scripted::default()
    };
    let (time, problems) = watch(&mut machine);
    assert_eq!(problems, []);
    assert!(time < 21_000, "{time}");
}

#[test]
fn failure_of_a_timers_service_is_found() {
    let timer = |sub: &str| UnitState {
        name: "a.timer".into(),
        active: "active".into(),
        sub: sub.into(),
        changed_at: if sub == "waiting" { 0 } else { 1_000_000 },
        elapses_at: (sub == "waiting").then_some(1_000_000),
        ..UnitState::default()
    };
    let mut failed = service("oneshot", "failed");
    failed.name = "b.service".into();
    failed.triggered_by = vec!["a.timer".into()];
    failed.changed_at = 1_000_000;
    let mut machine = Scripted {
        changes: vec![
            (0, timer("waiting")),
            (1_000_000, timer("elapsed")),
            (1_050_000, failed),
        ],
        ..Scripted::default()
    };
    let (time, problems) = watch(&mut machine);
    assert_eq!(problems, [("b.service".into(), UnitProblem::Failed)]);
    assert!(time < 2000, "{time}");
}

#[test]
fn triggered_service_may_exceed_the_settle_time() {
    let mut runs = service("oneshot", "activating");
    runs.name = "b.service".into();
    runs.triggered_by = vec!["a.timer".into()];
    runs.job = job();
    let timer = UnitState {
        name: "a.timer".into(),
        active: "active".into(),
        sub: "running".into(),
        ..UnitState::default()
    };
    let mut machine = Scripted {
        changes: vec![(0, timer), (0, runs)],
        ..Scripted::default()
    };
    assert_eq!(watch(&mut machine), (3000, vec![]));
}

#[test]
fn zero_settle_time_means_one_check() {
    let mut starting = service("simple", "activating");
    starting.job = job();
    for unit in [starting, service("simple", "active")] {
        let mut machine = Scripted {
            changes: vec![(0, unit)],
            ..Scripted::default()
        };
        let found = watch_with(&mut machine, &States::new(), 0, &[]);
        assert_eq!((found, machine.queries.len()), ((0, vec![]), 1));
    }
    let mut machine = Scripted {
        changes: vec![(0, service("simple", "failed"))],
        ..Scripted::default()
    };
    let (time, problems) = watch_with(&mut machine, &States::new(), 0, &[]);
    assert_eq!((time, problems), (0, found(UnitProblem::Failed)));
}
