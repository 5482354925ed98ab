//! Every process of a run is killed before and after every step, each alone and all together; whoever comes next finds
//! state, roots and system in agreement, and can go on.
//!
//! `RUNTIME_MODULE_SOAK` does so ten thousand times, at points, sides and passings by lot.

use std::collections::BTreeMap;

use crate::support::{Evidence, Lab, Role, Victim, soak};

/// Who dies at every step alike.
fn at_every_step(victim: Victim) {
    let mut lab = Lab::new();
    let mut never = Vec::new();
    for point in lab.points().iter().filter(|point| !point.writes) {
        for side in ["before", "after"] {
            let place = format!("{}:{side}", point.name);
            // In the first scenario that comes by.
            if !lab
                .scenarios(&point.name)
                .iter()
                .any(|scenario| lab.kill_at(scenario, &place, victim))
            {
                never.push(place);
            }
        }
    }
    assert!(never.is_empty(), "no scenario comes by: {never:?}");
}

#[test]
fn whoever_takes_a_step_is_killed_before_and_after_it() {
    at_every_step(Victim::Itself);
}

#[test]
fn all_are_killed_before_and_after_every_step() {
    at_every_step(Victim::All);
}

#[test]
fn ten_thousand_crashes_by_lot() {
    let Some(runs) = soak(10_000) else { return };
    let evidence = Evidence::of("crashes");
    let mut lab = Lab::new();
    let points = lab.points();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut lot = Lot(0x9e37_79b9_7f4a_7c15);
    while lab.faults < runs {
        let point = &points[lot.of(points.len())];
        let side = ["before", "after"][lot.of(2)];
        let passing = 1 + lot.of(3);
        let scenarios = lab.scenarios(&point.name);
        let scenario = &scenarios[lot.of(2)];
        let victim = match lot.of(5) {
            0 | 1 => Victim::Itself,
            2 => Victim::All,
            3 => Victim::Role(Role::Client),
            _ => Victim::Role(Role::Activator),
        };
        if lab.kill_at(
            scenario,
            &format!("{}@{passing}:{side}", point.name),
            victim,
        ) {
            *at.entry(point.name.clone()).or_default() += 1;
        }
    }
    evidence.write(
        &serde_json::json!({"crashes": lab.faults, "crashesAtPoint": at, "inconsistent": 0}),
    );
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
