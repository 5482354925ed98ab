//! Every process of a run is killed before and after every step, each alone and all together; whoever comes next finds
//! state, roots and system in agreement, and can go on.
//!
//! `RUNTIME_MODULE_SOAK` does so ten thousand times, at points, sides and passings by lot.

use std::any::Any;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use serde_json::json;

use crate::support::{Evidence, Lab, Point, Role, Victim, soak};

/// Something goes wrong before and after every step, in the first scenario that comes by. None may be left out.
fn at_every_step(mut wrong: impl FnMut(&mut Lab, &[String], &str) -> bool) {
    let mut lab = Lab::new();
    let mut never = Vec::new();
    for point in lab.points().iter().filter(|point| !point.writes) {
        for side in ["before", "after"] {
            let place = format!("{}:{side}", point.name);
            let scenarios = lab.scenarios(&point.name);
            if !scenarios
                .iter()
                .any(|scenario| wrong(&mut lab, scenario, &place))
            {
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
    let evidence = Evidence::of("crashes");
    let found = Mutex::new(Found::default());
    // More than half of its time a machine waits.
    let machines = 2 * thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for machine in 0..machines {
            let (evidence, found) = (&evidence, &found);
            scope.spawn(move || crash_by_lot(Lot::of(machine), runs, found, evidence));
        }
    });
    let wrong = found.into_inner().expect("what was found").wrong;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What came of crashes by lot.
#[derive(Default)]
struct Found {
    /// Crashes for which nobody was there, and how often each was tried.
    nobody: BTreeMap<String, usize>,
    crashes: usize,
    at: BTreeMap<String, usize>,
    killed: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

/// How often a crash is tried for which nobody comes by: who is there, and when, is a matter of speed too.
const TRIES: usize = 2;

/// One machine's crashes, until all of them together have had so many.
fn crash_by_lot(mut lot: Lot, runs: usize, found: &Mutex<Found>, evidence: &Evidence) {
    let mut lab = Lab::new();
    let (points, ways_back) = (lab.points(), Lab::ways_back());
    loop {
        let point = &points[lot.below(points.len())];
        let place = format!(
            "{}@{}:{}",
            point.name,
            // Few points are passed more than once.
            [1, 1, 1, 1, 2, 3][lot.below(6)],
            ["before", "after"][lot.below(2)]
        );
        let (victim, name) = match lot.below(8) {
            0..3 => (Victim::Itself, "whoever takes the step"),
            3 => (Victim::All, "all"),
            role => (Victim::Role(Role::ALL[role - 4].0), Role::ALL[role - 4].1),
        };
        let scenario = match lot.below(3) {
            0 => ways_back[lot.below(ways_back.len())].clone(),
            _ => lab.scenarios(&point.name)[lot.below(2)].clone(),
        };
        let what = format!("{scenario:?} {place} {name}");
        let tried = found
            .lock()
            .expect("what was found")
            .nobody
            .get(&what)
            .copied();
        if tried >= Some(TRIES) {
            continue;
        }
        // One that goes wrong spoils the machine, and does not end the run.
        let ended = catch_unwind(AssertUnwindSafe(|| lab.kill_at(&scenario, &place, victim)));
        if ended.is_err() {
            lab = Lab::new();
        }
        let mut found = found.lock().expect("what was found");
        if found.crashes == runs {
            return;
        }
        match ended {
            Ok(true) => {}
            Ok(false) => {
                *found.nobody.entry(what).or_default() += 1;
                continue;
            }
            Err(why) => found.wrong.push(said(why.as_ref())),
        }
        found.crashes += 1;
        *found.at.entry(point.name.clone()).or_default() += 1;
        *found.killed.entry(name).or_default() += 1;
        if found.crashes == runs || found.crashes.is_multiple_of(50) {
            // Whoever ends the run early has what was found until then.
            evidence.write(&json!({
                "crashes": found.crashes, "atPoint": found.at, "killed": found.killed,
                "inconsistent": found.wrong.len(), "wrong": found.wrong,
            }));
        }
    }
}

/// What a panic had to say.
fn said(why: &(dyn Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| "a panic without words".into())
}

/// Numbers by lot, the same in every run (xorshift64*).
struct Lot(u64);

impl Lot {
    /// Those of one machine.
    fn of(machine: usize) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (machine as u64) << 7)
    }

    fn below(&mut self, many: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % many
    }
}
