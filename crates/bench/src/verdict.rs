//! Human-readable differences.

use std::fmt::Write as _;

use super::diff::Differences;
use super::numbers::{signed, time};
use super::statistics::{Difference, Verdict};

/// Describes the difference between two sets of samples.
pub fn verdict(difference: &Difference) -> String {
    let percent = (difference.ratio - 1.0).abs() * 100.0;
    let between = format!(
        "{:.3} times the other median, between {:.3} and {:.3} with 95 % confidence",
        difference.ratio, difference.ratio_low, difference.ratio_high
    );
    let chance = match difference.probability {
        p if p < 0.001 => "p < 0.001".to_string(),
        p => format!("p = {p:.3}"),
    };
    match difference.verdict {
        Verdict::Slower => format!("takes {percent:.1} % longer ({chance}): {between}"),
        Verdict::Faster => format!("takes {percent:.1} % less time ({chance}): {between}"),
        Verdict::NotShown => {
            format!("shows no significant difference ({chance}): {between}")
        }
        Verdict::TooFew => format!(
            "takes {:.3} times the other median; too few runs to show a difference",
            difference.ratio
        ),
    }
}

/// Describes the differences between two results.
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
