//! The verdicts of comparisons, in words.

use super::statistics::{DifferenceVerdict, SeriesDifference};

/// Describes the difference between two sets of samples.
pub fn verdict(difference: &SeriesDifference) -> String {
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
        DifferenceVerdict::Slower => format!("takes {percent:.1} % longer ({chance}): {between}"),
        DifferenceVerdict::Faster => {
            format!("takes {percent:.1} % less time ({chance}): {between}")
        }
        DifferenceVerdict::NotShown => {
            format!("shows no significant difference ({chance}): {between}")
        }
        DifferenceVerdict::TooFew => format!(
            "has {:.3} times the median of the other; too few runs to show a difference",
            difference.ratio
        ),
    }
}
