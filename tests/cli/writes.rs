//! Every write of every file that we write fails, finds no space, or is cut short; whoever comes next finds the file as it
//! was before or as it was to be, and nothing else.
//!
//! `RUNTIME_MODULE_SOAK` cuts at ten thousand bytes.

use crate::support::{Evidence, Lab, by_lot, soak};

/// Whether any scenario comes upon this fault.
fn suffer(lab: &mut Lab, fault: &str) -> bool {
    let point = fault.split(':').next().unwrap_or_default();
    lab.scenarios(point)
        .iter()
        .any(|scenario| lab.fail_at(scenario, fault))
}

fn writes(lab: &Lab) -> Vec<String> {
    let points = lab.points().into_iter().filter(|point| point.writes);
    points.map(|point| point.name).collect()
}

#[test]
fn every_write_fails_and_nothing_is_lost() {
    let mut lab = Lab::new();
    for name in writes(&lab) {
        for fault in ["before:eio", "before:enospc", "after:eio"] {
            assert!(
                suffer(&mut lab, &format!("{name}:{fault}")),
                "{name}:{fault} was never come upon"
            );
        }
    }
    lab.end();
}

#[test]
fn every_write_is_cut_short_and_nothing_is_lost() {
    let mut lab = Lab::new();
    for name in writes(&lab) {
        for bytes in [0, 1, 40] {
            for end in ["short", "cut"] {
                let fault = format!("{name}:after:{end}={bytes}");
                assert!(suffer(&mut lab, &fault), "{fault} was never come upon");
            }
        }
    }
    lab.end();
}

#[test]
fn every_write_is_cut_by_lot() {
    // At every byte the writers themselves are cut by unit tests (`src/record/cuts.rs`, `src/cache`), in `make test`.
    let Some(runs) = soak(10_000) else { return };
    by_lot(
        &Evidence::of("writes"),
        "cuts",
        runs,
        |lab, number, mut lot| {
            let names = writes(lab);
            let name = &names[usize::try_from(number).expect("a number") % names.len()];
            // Beyond the end of a file it is whole, and then the disk is full or we are killed.
            let bytes = lot.below(2048);
            let end = ["short", "cut"][lot.below(2)];
            assert!(
                suffer(lab, &format!("{name}:after:{end}={bytes}")),
                "{name} was never come upon"
            );
            Some(vec![("atFile", name.clone()), ("ended", end.into())])
        },
    );
}
