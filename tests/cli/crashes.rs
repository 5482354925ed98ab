//! Every process of a run is killed before and after every step, each alone and all together; whoever comes next finds
//! state, roots and system in agreement, and can go on.
//!
//! `RUNTIME_MODULE_SOAK` does so ten thousand times, at points, sides and passings by lot.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    let (mut lab, mut lot) = (Lab::new(), Lot(0x9e37_79b9_7f4a_7c15));
    let points = lab.points();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut victims: BTreeMap<String, usize> = BTreeMap::new();
    let (mut done, mut wrong) = (0, Vec::new());
    while done < runs {
        let point = &points[lot.of(points.len())];
        let place = format!(
            "{}@{}:{}",
            point.name,
            // Few points are passed more than once.
            [1, 1, 1, 1, 2, 3][lot.of(6)],
            ["before", "after"][lot.of(2)]
        );
        let (victim, name) = match lot.of(8) {
            0..3 => (Victim::Itself, "whoever takes the step"),
            3 => (Victim::All, "all"),
            role => (Victim::Role(Role::ALL[role - 4].0), Role::ALL[role - 4].1),
        };
        let scenario = lab.scenarios(&point.name)[lot.of(2)].clone();
        // One that goes wrong spoils the machine, and does not end the run.
        let met = match catch_unwind(AssertUnwindSafe(|| lab.kill_at(&scenario, &place, victim))) {
            Ok(met) => met,
            Err(why) => {
                wrong.push(said(why.as_ref()));
                lab = Lab::new();
                true
            }
        };
        if met {
            *at.entry(point.name.clone()).or_default() += 1;
            *victims.entry(name.into()).or_default() += 1;
            done += 1;
        }
        if met && (done == runs || done % 50 == 0) {
            // Whoever ends the run early has what was found until then.
            evidence.write(&json!({
                "crashes": done, "atPoint": at, "killed": victims, "inconsistent": wrong.len(), "wrong": wrong,
            }));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a panic had to say.
fn said(why: &(dyn Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| "a panic without words".into())
}

/// Numbers by lot, the same in every run (xorshift64*).
struct Lot(u64);

impl Lot {
    fn of(&mut self, many: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits") % many
    }
}
