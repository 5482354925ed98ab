//! Kills each process of a run before and after every step, alone and together with all others.
//! Afterwards, the state file, the GC roots and the running system must agree, and further runs
//! must succeed.
//!
//! With `RUNTIME_MODULE_SOAK`, a test does this ten thousand times, each time at a random point:
//! before or after a step, on the first, second or third time that a process reaches it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::support::{
    Counted, Evidence, FaultPoint, Lab, ProcessRole, PseudoRandom, Victim, attempt_at_random, soak,
};

/// Injects a fault before and after every step, in the first scenario that reaches it. Every step must be reached.
fn at_every_step(mut wrong: impl FnMut(&mut Lab, &[String], &str) -> bool) {
    let mut lab = Lab::new();
    let mut never = Vec::new();
    for point in lab.points().iter().filter(|point| !point.writes) {
        for side in ["before", "after"] {
            let place = format!("{}:{side}", point.name);
            let scenarios = lab.scenarios(&point.name);
            // The client stops the evaluator after receiving its answer. On a busy machine, the
            // evaluator therefore seldom reaches its last step. Retry.
            let mut again = scenarios.iter().cycle().take(3 * scenarios.len());
            if !again.any(|scenario| wrong(&mut lab, scenario, &place)) {
                never.push(place);
            }
        }
    }
    assert!(never.is_empty(), "no scenario reaches {never:?}");
    lab.end();
}

#[test]
fn process_is_killed_before_and_after_each_step() {
    at_every_step(|lab, scenario, place| lab.kill_at(scenario, place, Victim::Itself));
}

#[test]
fn all_are_killed_before_and_after_each_step() {
    at_every_step(|lab, scenario, place| lab.kill_at(scenario, place, Victim::All));
}

#[test]
fn each_step_fails_before_and_after() {
    at_every_step(|lab, scenario, place| lab.fail_at(scenario, &format!("{place}:eio")));
}

#[test]
fn other_role_is_killed_during_a_step() {
    let mut lab = Lab::new();
    let mut killed: BTreeMap<String, usize> = BTreeMap::new();
    for point in lab.points().iter().filter(|point| !point.writes) {
        for (role, name) in others(point) {
            for side in ["before", "after"] {
                let scenario = &lab.scenarios(&point.name)[0];
                let place = format!("{}:{side}", point.name);
                let met = lab.kill_at(scenario, &place, Victim::Process(role));
                *killed.entry(name.into()).or_default() += usize::from(met);
            }
        }
    }
    lab.end();
    // Not every role exists at every step. Whether the activator is still running at a step of
    // another process depends on timing.
    for (_, name) in ProcessRole::ALL {
        let times = killed.get(name).copied().unwrap_or(0);
        assert!(times > 0, "{name} was never killed: {killed:?}");
    }
}

#[test]
fn recovery_is_killed_before_and_after_each_step() {
    let mut lab = Lab::new();
    let ways = Lab::ways_back();
    let mut passed: BTreeMap<String, usize> = BTreeMap::new();
    let points = lab.points();
    // Kill each command at every step of the activator, which does the recovery. Alternate between
    // before and after the step.
    let steps = points
        .iter()
        .filter(|point| point.name.starts_with("activator."));
    for (number, point) in steps.enumerate() {
        for (order, way) in ways.iter().enumerate() {
            let side = ["before", "after"][(number + order) % 2];
            let met = lab.kill_at(way, &format!("{}:{side}", point.name), Victim::Itself);
            *passed.entry(way.join(" ")).or_default() += usize::from(met);
        }
    }
    lab.end();
    for (way, times) in &passed {
        assert!(*times >= 4, "{way} reached {times} steps: {passed:?}");
    }
    assert_eq!(passed.len(), ways.len());
}

/// Returns the other roles whose processes can be running when the point is reached.
fn others(point: &FaultPoint) -> Vec<(ProcessRole, &'static str)> {
    let there = match point.name.split('.').next().unwrap_or_default() {
        "client" => &["evaluator", "relay", "activator"][..],
        "evaluator" => &["client", "relay"],
        "relay" => &["client", "activator"],
        _ => &["client", "relay"],
    };
    let is_there = |(_, name): &(ProcessRole, &str)| there.contains(name);
    ProcessRole::ALL.into_iter().filter(is_there).collect()
}

#[test]
fn ten_thousand_random_crashes() {
    let Some(runs) = soak(10_000) else { return };
    let nobody = Mutex::new(BTreeMap::new());
    attempt_at_random(
        &Evidence::of("crashes"),
        "crashes",
        runs,
        |lab, _, random| crash_at_random(lab, random, &nobody),
    );
}

/// Counts the crashes without effect in each case. A crash has no effect if no process reaches the
/// point, or if the victim does not exist at that time.
type Nobody = Mutex<BTreeMap<String, usize>>;

/// The number of attempts before a crash without effect is skipped. One attempt is not enough,
/// because whether a process exists at a point also depends on timing.
const TRIES: usize = 2;

/// Causes one random crash. Returns nothing if the crash had no effect.
fn crash_at_random(lab: &mut Lab, mut random: PseudoRandom, nobody: &Nobody) -> Counted {
    let points = lab.points();
    let point = &points[random.below(points.len())];
    // Few points are reached more than once.
    let passing = format!("{}@{}", point.name, [1, 1, 1, 1, 2, 3][random.below(6)]);
    let place = format!("{passing}:{}", ["before", "after"][random.below(2)]);
    let (victim, name) = match random.below(8) {
        0..3 => (Victim::Itself, "the process at the step"),
        3 => (Victim::All, "all"),
        role => (
            Victim::Process(ProcessRole::ALL[role - 4].0),
            ProcessRole::ALL[role - 4].1,
        ),
    };
    let ways_back = Lab::ways_back();
    let scenario = match random.below(3) {
        0 => ways_back[random.below(ways_back.len())].clone(),
        _ => lab.scenarios(&point.name)[random.below(2)].clone(),
    };
    let passed = format!("{scenario:?} {passing}");
    let there = format!("{} {name}", point.name);
    let known = || nobody.lock().expect("the failed attempts");
    let in_vain = |what: &String| known().get(what).is_some_and(|tried| *tried >= TRIES);
    if in_vain(&passed) || in_vain(&there) {
        return None;
    }
    if lab.kill_at(&scenario, &place, victim) {
        return Some(vec![
            ("atPoint", point.name.clone()),
            ("killed", name.into()),
        ]);
    }
    let what = if lab.passed { there } else { passed };
    *known().entry(what).or_default() += 1;
    None
}
