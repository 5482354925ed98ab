//! Every process of a run is killed before and after every step, each alone and all together; whoever comes next finds
//! state, roots and system in agreement, and can go on.
//!
//! `RUNTIME_MODULE_SOAK` does so ten thousand times, at points, sides and passings by lot.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::support::{Counted, Evidence, Lab, Lot, Point, Role, Victim, by_lot, soak};

/// Something goes wrong before and after every step, in the first scenario that comes by. None may be left out.
fn at_every_step(mut wrong: impl FnMut(&mut Lab, &[String], &str) -> bool) {
    let mut lab = Lab::new();
    let mut never = Vec::new();
    for point in lab.points().iter().filter(|point| !point.writes) {
        for side in ["before", "after"] {
            let place = format!("{}:{side}", point.name);
            let scenarios = lab.scenarios(&point.name);
            // An evaluator that has answered is ended, and on a busy machine seldom comes to say so: again, then.
            let mut again = scenarios.iter().cycle().take(3 * scenarios.len());
            if !again.any(|scenario| wrong(&mut lab, scenario, &place)) {
                never.push(place);
            }
        }
    }
    assert!(never.is_empty(), "no scenario comes by: {never:?}");
    lab.end();
}

#[test]
fn whoever_takes_a_step_is_killed_before_and_after_it() {
    at_every_step(|lab, scenario, place| lab.kill_at(scenario, place, Victim::Itself));
}

#[test]
fn all_are_killed_before_and_after_every_step() {
    at_every_step(|lab, scenario, place| lab.kill_at(scenario, place, Victim::All));
}

#[test]
fn every_step_fails_before_and_after_it_is_done() {
    at_every_step(|lab, scenario, place| lab.fail_at(scenario, &format!("{place}:eio")));
}

#[test]
fn one_of_the_others_is_killed_while_somebody_takes_a_step() {
    let mut lab = Lab::new();
    let mut killed: BTreeMap<String, usize> = BTreeMap::new();
    for point in lab.points().iter().filter(|point| !point.writes) {
        for (role, name) in others(point) {
            for side in ["before", "after"] {
                let scenario = &lab.scenarios(&point.name)[0];
                let place = format!("{}:{side}", point.name);
                let met = lab.kill_at(scenario, &place, Victim::Role(role));
                *killed.entry(name.into()).or_default() += usize::from(met);
            }
        }
    }
    lab.end();
    // Not each of them is there at each step; how often the activator still is when another passes one is a matter of speed.
    for (_, name) in Role::ALL {
        let times = killed.get(name).copied().unwrap_or(0);
        assert!(times > 0, "{name} was never killed: {killed:?}");
    }
}

#[test]
fn whoever_goes_back_is_killed_before_and_after_every_step() {
    let mut lab = Lab::new();
    let ways = Lab::ways_back();
    let mut passed: BTreeMap<String, usize> = BTreeMap::new();
    let points = lab.points();
    // Each way at the steps of the activator, which is the one that goes back; the sides take turns.
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
        assert!(*times >= 4, "{way} came by {times} steps: {passed:?}");
    }
    assert_eq!(passed.len(), ways.len());
}

/// Those who may be there while another one passes a point.
fn others(point: &Point) -> Vec<(Role, &'static str)> {
    let there = match point.name.split('.').next().unwrap_or_default() {
        "client" => &["evaluator", "relay", "activator"][..],
        "evaluator" => &["client", "relay"],
        "relay" => &["client", "activator"],
        _ => &["client", "relay"],
    };
    let is_there = |(_, name): &(Role, &str)| there.contains(name);
    Role::ALL.into_iter().filter(is_there).collect()
}

#[test]
fn ten_thousand_crashes_by_lot() {
    let Some(runs) = soak(10_000) else { return };
    let nobody = Mutex::new(BTreeMap::new());
    by_lot(&Evidence::of("crashes"), "crashes", runs, |lab, _, lot| {
        crash_by_lot(lab, lot, &nobody)
    });
}

/// Where nobody came by, or where whoever was to die was not there, and how often that was tried.
type Nobody = Mutex<BTreeMap<String, usize>>;

/// How often a crash is tried for which nobody comes by: who is there, and when, is a matter of speed too.
const TRIES: usize = 2;

/// One crash; none where nobody came by.
fn crash_by_lot(lab: &mut Lab, mut lot: Lot, nobody: &Nobody) -> Counted {
    let points = lab.points();
    let point = &points[lot.below(points.len())];
    // Few points are passed more than once.
    let passing = format!("{}@{}", point.name, [1, 1, 1, 1, 2, 3][lot.below(6)]);
    let place = format!("{passing}:{}", ["before", "after"][lot.below(2)]);
    let (victim, name) = match lot.below(8) {
        0..3 => (Victim::Itself, "whoever takes the step"),
        3 => (Victim::All, "all"),
        role => (Victim::Role(Role::ALL[role - 4].0), Role::ALL[role - 4].1),
    };
    let ways_back = Lab::ways_back();
    let scenario = match lot.below(3) {
        0 => ways_back[lot.below(ways_back.len())].clone(),
        _ => lab.scenarios(&point.name)[lot.below(2)].clone(),
    };
    let passed = format!("{scenario:?} {passing}");
    let there = format!("{} {name}", point.name);
    let known = || nobody.lock().expect("who was nobody");
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
