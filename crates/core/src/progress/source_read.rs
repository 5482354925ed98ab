//! A source that libnix is reading or fetching, such as a flake or an input.

use std::time::Duration;

use nix_types::Activity;

/// The time after which a read or fetch is shown. Most are shorter.
const SLOW: Duration = Duration::from_millis(300);

/// The prefixes and suffixes of libnix's descriptions, each pair with our verb (NixOS/nix,
/// `src/libfetchers`).
const DESCRIPTIONS: [(&str, &str, &str); 2] = [
    ("copying '", "' to the store", "reading"),
    ("unpacking '", "' into the Git cache", "fetching"),
];

/// A running read or fetch of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceRead {
    /// The verb and the source.
    what: String,
    since: Duration,
    /// The ID of the process in which libnix works.
    process: u32,
    /// The number of bytes that the process had read before this read or fetch.
    before: Option<u64>,
    /// The number of bytes that the process has read since then.
    bytes: u64,
}

impl SourceRead {
    /// Returns our description of an activity if it reads or fetches a source.
    pub(super) fn description(activity: &Activity, text: &str) -> Option<String> {
        match activity {
            Activity::FetchTree => Some(text.into()),
            Activity::Other { .. } => DESCRIPTIONS.iter().find_map(|(begin, end, verb)| {
                let source = text.strip_prefix(begin)?.strip_suffix(end)?;
                Some(format!("{verb} {}", source.trim_end_matches('/')))
            }),
            _ => None,
        }
    }

    /// Creates a read or fetch that starts now. The upper half of a libnix activity ID is the ID of
    /// its process (NixOS/nix, `src/libutil/logging.cc`).
    pub(super) fn new(what: String, id: u64, now: Duration) -> Self {
        Self {
            what,
            since: now,
            process: (id >> 32) as u32,
            before: None,
            bytes: 0,
        }
    }

    /// Updates the byte count. `read_by` returns how many bytes a process has read.
    pub(super) fn count(&mut self, read_by: impl Fn(u32) -> Option<u64>) {
        if let Some(now) = read_by(self.process) {
            let before = *self.before.get_or_insert(now);
            self.bytes = now.saturating_sub(before);
        }
    }

    pub(super) fn is_slow(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= SLOW
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// Returns the number of bytes so far, or 0 if it is unknown, for example because a daemon
    /// reads the source. If there are downloads, returns the number of downloaded bytes.
    pub(super) fn bytes(&self, downloaded: u64) -> u64 {
        match downloaded {
            0 => self.bytes,
            downloaded => downloaded,
        }
    }
}

/// Returns how many bytes a process has read, or `None` if the process is not ours.
pub(super) fn bytes_read_by(process: u32) -> Option<u64> {
    let counters = std::fs::read_to_string(format!("/proc/{process}/io")).ok()?;
    counters
        .lines()
        .find_map(|line| line.strip_prefix("rchar: "))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: Activity = Activity::Other { number: 0 };

    #[test]
    fn reads_and_fetches_are_recognised() {
        let described = |activity: &Activity, text: &str| SourceRead::description(activity, text);
        for (text, shown) in [
            (
                "copying '/home/me/it's/' to the store",
                "reading /home/me/it's",
            ),
            (
                "unpacking 'github:o/r/abc' into the Git cache",
                "fetching github:o/r/abc",
            ),
        ] {
            assert_eq!(described(&OTHER, text).as_deref(), Some(shown));
        }
        assert_eq!(described(&OTHER, "querying info about missing paths"), None);
        let git = "fetching Git repository 'x'";
        assert_eq!(described(&Activity::FetchTree, git).as_deref(), Some(git));
        assert_eq!(
            described(&Activity::Builds, "copying 'x' to the store"),
            None
        );
    }

    #[test]
    fn bytes_are_counted_from_the_start() {
        let begun = Duration::from_secs(1);
        let mut source = SourceRead::new("reading x".into(), (7 << 32) + 3, begun);
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        assert_eq!(
            [299, 300].map(|after| source.is_slow(at(after))),
            [false, true]
        );
        assert_eq!(source.bytes(0), 0);
        source.count(|process| (process == 7).then_some(500));
        source.count(|process| (process == 7).then_some(2500));
        source.count(|_| None);
        assert_eq!((source.bytes(0), source.bytes(4000)), (2000, 4000));
    }

    #[test]
    fn own_bytes_are_counted() {
        let ours = std::process::id();
        let before = bytes_read_by(ours).expect("the bytes");
        let read = std::fs::read("/proc/self/exe").expect("our program");
        let after = bytes_read_by(ours).expect("the bytes");
        assert!(after - before >= read.len() as u64, "{before} to {after}");
        assert_eq!(bytes_read_by(u32::MAX), None);
    }
}
