//! Statistics of samples: mean, deviation, median, outliers, and whether two sets of samples
//! differ.
//!
//! Takes numbers and returns numbers. Uses no clock, file or terminal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A sample is an outlier if its distance from the median exceeds this many median absolute
/// deviations. This is the rule of hyperfine (`src/outlier_detection.rs`: 1.4826 × 10).
const FAR: f64 = 1.4826 * 10.0;

/// Significance level: two sets of samples differ significantly if the p-value is at most this.
const LEVEL: f64 = 0.05;

/// A summary of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SampleSummary {
    /// The number of samples.
    pub samples: usize,
    /// The mean.
    pub mean: f64,
    /// Sample standard deviation; 0 for a single sample.
    pub deviation: f64,
    /// The median.
    pub median: f64,
    /// The smallest sample.
    pub minimum: f64,
    /// The largest sample.
    pub maximum: f64,
    /// Lower end of the 95 % confidence interval of the median. With fewer than six samples, the
    /// interval extends from the smallest sample to the largest, with less confidence.
    pub median_low: f64,
    /// Upper end of the 95 % confidence interval of the median.
    pub median_high: f64,
    /// Number of samples that are far from the others.
    pub outliers: usize,
}

impl SampleSummary {
    /// Summarises samples. All fields are 0 if there are none.
    pub fn of(samples: &[f64]) -> Self {
        let sorted = sorted(samples);
        let (Some(&minimum), Some(&maximum)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let mean = mean(&sorted);
        let (low, high) = median_ranks(sorted.len());
        Self {
            samples: sorted.len(),
            mean,
            deviation: deviation(&sorted, mean),
            median: quantile(&sorted, 0.5),
            minimum,
            maximum,
            median_low: sorted[low],
            median_high: sorted[high],
            outliers: outliers(samples).len(),
        }
    }

    /// Returns the possible error of the median, as a share of the median.
    pub fn uncertainty(&self) -> f64 {
        let off = (self.median_high - self.median).max(self.median - self.median_low);
        if self.median > 0.0 {
            off / self.median
        } else {
            0.0
        }
    }
}

/// Returns the samples in ascending order.
pub fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Returns the quantile of sorted samples for this share, interpolated linearly.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * position.fract()
}

/// Returns the median of unsorted samples.
pub fn median(samples: &[f64]) -> f64 {
    quantile(&sorted(samples), 0.5)
}

fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len() as f64
}

fn deviation(samples: &[f64], mean: f64) -> f64 {
    if samples.len() < 2 {
        return 0.0;
    }
    let squares: f64 = samples.iter().map(|x| (x - mean).powi(2)).sum();
    (squares / (samples.len() - 1) as f64).sqrt()
}

/// Returns the ranks between which the median lies with 95 % confidence. This holds for any
/// distribution, because each sample is above or below the median with equal probability.
fn median_ranks(count: usize) -> (usize, usize) {
    // The probability that exactly `below` of `count` samples are on one side of the median.
    let mut chance = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let (mut cumulated, mut below) = (0.0, 0);
    while below < count / 2 {
        cumulated += chance;
        if cumulated > 0.025 {
            break;
        }
        chance *= (count - below) as f64 / (below + 1) as f64;
        below += 1;
    }
    // It is improbable that one side has fewer than `below` samples. So the interval begins at the
    // sample with rank `below`, counted from 1.
    let low = below.saturating_sub(1);
    (low, count - 1 - low)
}

/// Returns the indexes of the samples that are far from the others.
pub fn outliers(samples: &[f64]) -> Vec<usize> {
    let middle = median(samples);
    let deviations: Vec<f64> = samples.iter().map(|x| (x - middle).abs()).collect();
    let spread = median(&deviations);
    if spread <= 0.0 {
        return Vec::new();
    }
    let far = |(index, x): (usize, &f64)| ((x - middle).abs() / spread > FAR).then_some(index);
    samples.iter().enumerate().filter_map(far).collect()
}

/// The difference between two sets of samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesDifference {
    /// The second median as a multiple of the first.
    pub ratio: f64,
    /// Lower end of the 95 % confidence interval of the ratio.
    pub ratio_low: f64,
    /// Upper end of the 95 % confidence interval of the ratio.
    pub ratio_high: f64,
    /// Probability that chance alone makes the sets differ at least as much (two-sided Mann-Whitney
    /// test).
    #[schemars(range(min = 0, max = 1))]
    pub probability: f64,
    /// Whether the second set is slower or faster, or why the comparison is
    /// inconclusive.
    pub verdict: DifferenceVerdict,
}

/// The conclusion of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceVerdict {
    /// The second set takes longer.
    Slower,
    /// The second set takes less time.
    Faster,
    /// Chance alone would cause this difference more than one time in twenty.
    NotShown,
    /// There are too few samples to show any difference.
    TooFew,
}

impl SeriesDifference {
    pub fn between(first: &[f64], second: &[f64]) -> Self {
        let (probability, above) = mann_whitney(first, second);
        let few = least_probability(first.len(), second.len()) > LEVEL;
        let verdict = match (few, probability <= LEVEL) {
            (true, _) => DifferenceVerdict::TooFew,
            (false, false) => DifferenceVerdict::NotShown,
            (false, true) if above => DifferenceVerdict::Slower,
            (false, true) => DifferenceVerdict::Faster,
        };
        let (a, b) = (SampleSummary::of(first), SampleSummary::of(second));
        let over = |x: f64, y: f64| if y > 0.0 { x / y } else { 1.0 };
        Self {
            ratio: over(b.median, a.median),
            // If both intervals have 95 % confidence, the interval of their quotient has more.
            ratio_low: over(b.median_low, a.median_high),
            ratio_high: over(b.median_high, a.median_low),
            probability,
            verdict,
        }
    }
}

/// Returns the p-value, and whether the values of the second set tend to be larger.
fn mann_whitney(first: &[f64], second: &[f64]) -> (f64, bool) {
    let (n, m) = (first.len(), second.len());
    if n == 0 || m == 0 {
        return (1.0, false);
    }
    // Count how often a sample of the second set exceeds one of the first. A tie counts half.
    let exceeds = |a: f64, b: f64| match b.total_cmp(&a) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    };
    let pairs = first
        .iter()
        .flat_map(|a| second.iter().map(move |b| exceeds(*a, *b)));
    let statistic: f64 = pairs.sum();
    let half = (n * m) as f64 / 2.0;
    let extreme = half - (statistic - half).abs();
    let ties = tie_correction(first, second);
    let probability = if ties == 0.0 && n.max(m) <= 40 {
        exact(n, m, extreme as usize)
    } else {
        approximate(n, m, extreme, ties)
    };
    (probability.min(1.0), statistic > half)
}

/// Returns the two-sided probability of a statistic of at most `extreme`, by counting all orderings
/// of the samples.
fn exact(n: usize, m: usize, extreme: usize) -> f64 {
    let size = n * m + 1;
    // `ways[i][u]` is the number of orderings that give the statistic `u`, for `i` samples of the
    // first set and as many samples of the second set as the outer loop has added. If the largest
    // sample is from the first set, it adds nothing to `u`. If it is from the second set, it adds
    // `i`.
    let mut ways = vec![vec![0.0_f64; size]; n + 1];
    for row in &mut ways {
        row[0] = 1.0;
    }
    for _ in 0..m {
        for i in 1..=n {
            for u in (0..size).rev() {
                let second = if u >= i { ways[i][u - i] } else { 0.0 };
                ways[i][u] = ways[i - 1][u] + second;
            }
        }
    }
    let all: f64 = ways[n].iter().sum();
    let few: f64 = ways[n].iter().take(extreme + 1).sum();
    2.0 * few / all
}

/// Approximates `exact` by the normal distribution, corrected for ties and for continuity.
fn approximate(n: usize, m: usize, extreme: f64, ties: f64) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let all = n + m;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = ((n * m / 2.0 - extreme - 0.5) / variance.sqrt()).max(0.0);
    2.0 * upper_tail(z)
}

fn tie_correction(first: &[f64], second: &[f64]) -> f64 {
    let all = sorted(&[first, second].concat());
    let groups = all.chunk_by(|a, b| a == b).map(|group| group.len() as f64);
    groups.map(|t| t.powi(3) - t).sum()
}

/// Returns the share of the normal distribution beyond `z` (Abramowitz and Stegun 26.2.17; off by
/// less than 10⁻⁷).
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let series = [
        0.319_381_53,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let polynomial = series
        .iter()
        .rev()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    polynomial * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// Returns the smallest p-value that samples of these sizes can give.
fn least_probability(n: usize, m: usize) -> f64 {
    let orders: f64 = (1..=n).map(|i| (m + i) as f64 / i as f64).product();
    2.0 / orders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn summary_has_mean_median_and_extremes() {
        let summary = SampleSummary::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!((summary.median, summary.mean), (2.5, 2.5));
        assert!(close(summary.deviation, 1.290_994_448));
        assert_eq!((summary.minimum, summary.maximum), (1.0, 4.0));
        assert_eq!((summary.median_low, summary.median_high), (1.0, 4.0));
        assert_eq!(SampleSummary::of(&[]), SampleSummary::default());
        assert_eq!(SampleSummary::of(&[7.0]).deviation, 0.0);
    }

    #[test]
    fn median_ranks_match_binomial_table() {
        // Published ranks, counted from 1, for each number of samples: 6: 1, 6; 9: 2, 8; 10: 2, 9;
        // 20: 6, 15; 30: 10, 21.
        let ranks = |count| median_ranks(count);
        assert_eq!(
            [
                ranks(5),
                ranks(6),
                ranks(9),
                ranks(10),
                ranks(20),
                ranks(30)
            ],
            [(0, 4), (0, 5), (1, 7), (1, 8), (5, 14), (9, 20)]
        );
    }

    #[test]
    fn sample_far_from_the_others_is_an_outlier() {
        assert_eq!(outliers(&[10.0, 10.1, 9.9, 10.2, 30.0]), [4]);
        assert!(outliers(&[10.0, 10.1, 9.9, 10.2, 10.4]).is_empty());
        assert!(outliers(&[5.0; 6]).is_empty());
    }

    #[test]
    fn mann_whitney_matches_published_tables() {
        // n = m = 5: of 252 orderings, 7 give a statistic of at most 3, and 1 gives 0.
        let a = [1.0, 2.0, 3.0, 4.0, 8.5];
        let b = [6.0, 7.0, 8.0, 9.0, 10.0];
        let (p, above) = mann_whitney(&a, &b);
        assert!((p - 14.0 / 252.0).abs() < 1e-9, "{p}");
        assert!(above);
        let (p, _) = mann_whitney(&[1.0, 2.0, 3.0, 4.0, 5.0], &b);
        assert!((p - 2.0 / 252.0).abs() < 1e-9, "{p}");
        // The approximation is close to the exact value.
        let near = approximate(5, 5, 3.0, 0.0);
        assert!((near - 14.0 / 252.0).abs() < 0.01, "{near}");
        assert!((upper_tail(1.959_964) - 0.025).abs() < 1e-6);
    }

    #[test]
    fn verdict_needs_enough_samples() {
        let slow: Vec<f64> = (0..10).map(|n| 20.0 + f64::from(n) * 0.1).collect();
        let fast: Vec<f64> = (0..10).map(|n| 10.0 + f64::from(n) * 0.1).collect();
        let verdict = |a: &[f64], b: &[f64]| SeriesDifference::between(a, b).verdict;
        assert_eq!(verdict(&fast, &slow), DifferenceVerdict::Slower);
        assert_eq!(verdict(&slow, &fast), DifferenceVerdict::Faster);
        assert_eq!(verdict(&slow, &slow), DifferenceVerdict::NotShown);
        assert_eq!(verdict(&fast[..3], &slow[..3]), DifferenceVerdict::TooFew);
        let difference = SeriesDifference::between(&fast, &slow);
        assert!(
            difference.ratio_low < difference.ratio && difference.ratio < difference.ratio_high
        );
    }
}
