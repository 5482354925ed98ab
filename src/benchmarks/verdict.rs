//! Differences in words.

use std::fmt::Write as _;

use super::diff::Differences;
use super::numbers::{signed, time};
use super::statistics::{Difference, Verdict};

/// A difference in words.
pub fn verdict(difference: &Difference) -> String {
    let percent = (difference.ratio - 1.0).abs() * 100.0;
    let between = format!(
        "{:.3} of the other's median, between {:.3} and {:.3} with 95 % confidence",
        difference.ratio, difference.ratio_low, difference.ratio_high
    );
    let chance = match difference.probability {
        p if p < 0.001 => "p < 0.001".to_string(),
        p => format!("p = {p:.3}"),
    };
    match difference.verdict {
        Verdict::Slower => format!("takes {percent:.1} % longer ({chance}): {between}"),
        Verdict::Faster => format!("takes {percent:.1} % less ({chance}): {between}"),
        Verdict::NotShown => {
            format!("takes no other time as far as this shows ({chance}): {between}")
        }
        Verdict::TooFew => format!(
            "takes {:.3} of the other's median; so few runs could never show a difference",
            difference.ratio
        ),
    }
}

/// Two results against each other.
pub fn differences(differences: &Differences) -> String {
    let mut text = String::new();
    for one in &differences.series {
        let _ = writeln!(text, "{}: {} → {}", one.name, time(one.old), time(one.new));
        let _ = writeln!(text, "  {}", verdict(&one.difference));
        if let (Some(thunks), Some(calls)) = (one.thunks, one.function_calls) {
            let _ = match (thunks, calls) {
                (0, 0) => writeln!(
                    text,
                    "  the same evaluation: thunks and calls are the same to the last one"
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
            let _ = writeln!(text, "only in the {which} one: {}", names.join(", "));
        }
    }
    text
}
