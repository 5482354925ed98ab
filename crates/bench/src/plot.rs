//! Draws the samples on the terminal. Each series is a line from the smallest to the largest
//! sample, with a box for the middle half and a mark at the median.
//!
//! This code is our own because the crates that plot on terminals draw curves, not rows with names.

use console::{Alignment, measure_text_width, pad_str, truncate_str};

use super::numbers::time;
use super::samples::times;
use super::samples::{BenchResult, Series};
use super::statistics::{quantile, sorted};

/// Maximum width of a name.
const NAME: usize = 30;

/// Minimum width of the plot. A narrower plot would be unreadable.
const LEAST: usize = 20;

/// Draws the plot with at most this width. Returns an empty string if there is nothing to draw.
pub fn draw(outcome: &BenchResult, width: usize) -> String {
    let name_width = outcome
        .series
        .iter()
        .map(|one| measure_text_width(&one.name).min(NAME))
        .max()
        .unwrap_or(0);
    let room = width.saturating_sub(name_width + 3).min(120);
    let all: Vec<f64> = outcome.series.iter().flat_map(times).collect();
    let most = all.iter().copied().fold(0.0, f64::max);
    if room < LEAST || most <= 0.0 {
        return String::new();
    }
    // Start at zero, so that lengths are proportional to times. If all samples are alike, start
    // near the smallest one, because otherwise their differences would be invisible.
    let least = all.iter().copied().fold(f64::INFINITY, f64::min);
    let from = if least > most * 0.7 {
        least - (most - least) * 0.05
    } else {
        0.0
    };
    let scale = Scale {
        from,
        to: most,
        room,
    };
    let mut text = String::new();
    for one in &outcome.series {
        let name = truncate_str(&one.name, NAME, "…");
        text += &pad_str(&name, name_width, Alignment::Left, None);
        text += "  ";
        text += scale.line(one).trim_end();
        text.push('\n');
    }
    text += &" ".repeat(name_width + 2);
    text += &scale.axis();
    text.push('\n');
    text
}

/// A scale from milliseconds to columns.
struct Scale {
    from: f64,
    to: f64,
    room: usize,
}

impl Scale {
    fn column(&self, milliseconds: f64) -> usize {
        let share = (milliseconds - self.from) / (self.to - self.from).max(f64::EPSILON);
        ((share * (self.room - 1) as f64).round() as usize).min(self.room - 1)
    }

    fn line(&self, one: &Series) -> String {
        let sorted = sorted(&times(one));
        let at = |share: f64| self.column(quantile(&sorted, share));
        let mut cells = vec![' '; self.room];
        cells[at(0.0)..=at(1.0)].fill('─');
        cells[at(0.25)..=at(0.75)].fill('▒');
        cells[at(0.5)] = '█';
        cells.into_iter().collect()
    }

    /// Formats both ends of the scale.
    fn axis(&self) -> String {
        let (from, to) = (
            if self.from == 0.0 {
                "0".into()
            } else {
                time(self.from)
            },
            time(self.to),
        );
        let gap = self
            .room
            .saturating_sub(measure_text_width(&from) + measure_text_width(&to));
        format!("{from}{}{to}", " ".repeat(gap))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Sample;
    use super::*;

    #[test]
    fn box_covers_middle_half_of_samples() {
        let scale = Scale {
            from: 0.0,
            to: 100.0,
            room: 21,
        };
        let samples = [50.0, 60.0, 70.0, 80.0, 100.0];
        let one = Series {
            samples: samples
                .map(|milliseconds| Sample {
                    milliseconds,
                    ..Sample::default()
                })
                .to_vec(),
            ..Series::default()
        };
        assert_eq!(scale.line(&one), "          ──▒▒█▒▒────");
        assert_eq!(scale.axis(), "0            100.0 ms");
    }
}
