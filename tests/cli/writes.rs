//! Makes each of the program's writes fail, run out of space or be truncated, one at a time. Afterwards, the file must
//! be complete, in either its old or its new version.
//!
//! With `RUNTIME_MODULE_SOAK`, a test truncates ten thousand writes.

use crate::support::{Evidence, Lab, attempt_at_random, soak};

/// Runs scenarios with the fault until one of them triggers it. Returns whether one did.
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
fn failed_writes_lose_nothing() {
    let mut lab = Lab::new();
    for name in writes(&lab) {
        for fault in ["before:eio", "before:enospc", "after:eio"] {
            assert!(
                suffer(&mut lab, &format!("{name}:{fault}")),
                "no scenario reaches {name}:{fault}"
            );
        }
    }
    lab.end();
}

#[test]
fn truncated_writes_lose_nothing() {
    let mut lab = Lab::new();
    for name in writes(&lab) {
        for bytes in [0, 1, 40] {
            for end in ["short", "cut"] {
                let fault = format!("{name}:after:{end}={bytes}");
                assert!(suffer(&mut lab, &fault), "no scenario reaches {fault}");
            }
        }
    }
    lab.end();
}

#[test]
fn ten_thousand_random_truncations() {
    // Unit tests truncate the writers at every byte (`record/cuts.rs`, `cache/`), as part of `make test`.
    let Some(runs) = soak(10_000) else { return };
    attempt_at_random(
        &Evidence::of("writes"),
        "cuts",
        runs,
        |lab, number, mut random| {
            let names = writes(lab);
            let name = &names[usize::try_from(number).expect("a number") % names.len()];
            // If the limit is beyond the end, the whole file is written before the write fails for
            // lack of space, or before the process is killed.
            let bytes = random.below(2048);
            let end = ["short", "cut"][random.below(2)];
            assert!(
                suffer(lab, &format!("{name}:after:{end}={bytes}")),
                "no scenario reaches {name}"
            );
            Some(vec![("atFile", name.clone()), ("ended", end.into())])
        },
    );
}
