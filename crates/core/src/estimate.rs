//! Records the progress curve of the last evaluation of a host, so that the next evaluation can
//! show a realistic progress bar.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache_files::replace;
use crate::fault::Point;
use crate::locations::Locations;

/// The number of intervals into which an evaluation is divided.
const POINTS: usize = 50;

/// The progress curve of an evaluation: the number of evaluated files, the total time, and the
/// share of this time that had passed after each fiftieth of the files.
///
/// A NixOS evaluation reads nine tenths of its files in the first half of the time, so the number
/// of files alone is a poor measure of progress. The curve of the last run maps this number to a
/// share of the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The version of the format, always 1.
    schema: u64,
    /// The number of evaluated files.
    pub files: u64,
    pub milliseconds: f64,
    /// The share of the total time that had passed after each fiftieth of the files.
    curve: Vec<f64>,
}

impl Estimate {
    /// Creates an estimate from the time at which each file was evaluated, and from the total time.
    pub fn observe(files: &[Duration], total: Duration) -> Self {
        let total_seconds = total.as_secs_f64().max(f64::EPSILON);
        let share = |point: usize| {
            let index = (files.len() * point / POINTS).min(files.len().saturating_sub(1));
            files
                .get(index)
                .map_or(0.0, |at| (at.as_secs_f64() / total_seconds).min(1.0))
        };
        Self {
            schema: 1,
            files: files.len() as u64,
            milliseconds: total_seconds * 1e3,
            curve: (0..=POINTS).map(share).collect(),
        }
    }

    /// Returns the share of the work that is done, from 0 to 1, given the number of files and the
    /// time so far.
    pub fn share(&self, files: u64, elapsed: Duration) -> f64 {
        let by_time = (elapsed.as_secs_f64() * 1e3 / self.milliseconds.max(1.0)).min(1.0);
        if files >= self.files || self.files == 0 {
            // After the last file, only the time shows progress. If this run takes longer than the
            // last run, stay just below 1.
            let floor = self.curve.last().copied().unwrap_or(0.0);
            return by_time.max(floor).min(0.99);
        }
        let position = files as f64 / self.files as f64 * POINTS as f64;
        let at = |index: usize| self.curve.get(index).copied().unwrap_or(0.0);
        let (below, fraction) = (position.floor() as usize, position.fract());
        at(below) + (at(below + 1) - at(below)) * fraction
    }

    /// Reads the estimate for a host, if there is a valid one.
    pub fn read(locations: &Locations, host: &str) -> Option<Self> {
        let text = fs::read_to_string(file(locations, host)).ok()?;
        serde_json::from_str::<Self>(&text)
            .ok()
            .filter(|estimate| estimate.schema == 1 && estimate.files > 0 && estimate.is_sane())
    }

    /// Returns whether all numbers are possible results of a real run.
    fn is_sane(&self) -> bool {
        (0.0..1e9).contains(&self.milliseconds)
            && self.curve.iter().all(|share| (0.0..=1.0).contains(share))
    }

    /// Saves the estimate. Ignores errors, because an unwritable cache must not fail the command.
    pub fn write(&self, locations: &Locations, host: &str) {
        let path = file(locations, host);
        if let Ok(text) = serde_json::to_vec(self) {
            let _ = replace(&path, &text, Point::CacheEstimate);
        }
    }
}

/// Returns the path of the file that stores a host's estimate.
fn file(locations: &Locations, host: &str) -> PathBuf {
    locations.estimates().join(host_file(host))
}

/// Returns the file name for a host. Host names are untrusted, so the file name contains only
/// letters and digits of the host name, and a checksum.
pub fn host_file(host: &str) -> String {
    let name: String = host
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    format!("{name}-{:08x}.json", crc32fast::hash(host.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an estimate with half of the files in the first tenth of the time. The other files
    /// are spread evenly until nine tenths of the time.
    fn estimate() -> Estimate {
        let files: Vec<Duration> = (0..100)
            .map(|i| Duration::from_millis(if i < 50 { i * 2 } else { 100 + (i - 50) * 16 }))
            .collect();
        Estimate::observe(&files, Duration::from_secs(1))
    }

    #[test]
    fn estimate_maps_files_to_time_of_last_run() {
        let estimate = estimate();
        assert!((estimate.share(50, Duration::ZERO) - 0.1).abs() < 0.02);
        assert!((estimate.share(75, Duration::ZERO) - 0.5).abs() < 0.05);
    }

    #[test]
    fn estimate_never_decreases_or_reaches_one() {
        let estimate = estimate();
        let shares: Vec<f64> = (0..=120)
            .map(|n| estimate.share(n, Duration::from_millis(n * 8)))
            .collect();
        assert!(
            shares.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9),
            "{shares:?}"
        );
        assert!(estimate.share(200, Duration::from_secs(9)) < 1.0);
    }

    #[test]
    fn interrupted_write_leaves_old_file_intact() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path());
        estimate().write(&locations, "box");
        let other = Estimate {
            files: 7,
            ..estimate()
        };
        let length = serde_json::to_vec(&other).expect("JSON").len();
        for end in ["short", "cut"] {
            for byte in 0..length {
                let fault = format!("cache.estimate:after:{end}={byte}");
                let _ = crate::fault::within::with(&fault, || other.write(&locations, "box"));
                assert_eq!(
                    Estimate::read(&locations, "box"),
                    Some(estimate()),
                    "{fault}"
                );
            }
        }
        other.write(&locations, "box");
        assert_eq!(Estimate::read(&locations, "box"), Some(other));
        let folder = fs::read_dir(locations.estimates()).expect("listed");
        assert_eq!(folder.count(), 1, "a temporary file was left behind");
    }

    #[test]
    fn estimate_is_found_only_for_its_host() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path());
        estimate().write(&locations, "box/../..");
        assert_eq!(Estimate::read(&locations, "box/../.."), Some(estimate()));
        assert_eq!(Estimate::read(&locations, "box"), None);
    }
}
