//! Describes the differences between two results.

use std::fmt::Write as _;

use super::diff::Differences;
use super::numbers::{signed, time};
use super::verdict::verdict;

pub fn differences(differences: &Differences) -> String {
    let mut text = String::new();
    for one in &differences.series {
        let _ = writeln!(text, "{}: {} → {}", one.name, time(one.old), time(one.new));
        let _ = writeln!(text, "  {}", verdict(&one.difference));
        if let (Some(thunks), Some(calls)) = (one.thunks, one.function_calls) {
            let _ = match (thunks, calls) {
                (0, 0) => writeln!(
                    text,
                    "  same evaluation: the numbers of thunks and calls are equal"
                ),
                _ => writeln!(text, "  {} thunks, {} calls", signed(thunks), signed(calls)),
            };
        }
    }
    for (names, which) in [
        (&differences.only_old, "old"),
        (&differences.only_new, "new"),
    ] {
        if !names.is_empty() {
            let _ = writeln!(text, "only in the {which} result: {}", names.join(", "));
        }
    }
    text
}
