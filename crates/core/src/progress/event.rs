//! The JSON lines of `--progress events`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::model::{Model, Notice};
use super::report::TaskProgress;
use crate::timings::{Phase, milliseconds};

/// A line of `--progress events`, without the version of the schema (`docs/events.md`).
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum ProgressEvent {
    /// A phase starts.
    PhaseBegin {
        /// The phase that starts.
        phase: Phase,
    },
    /// A phase ends.
    PhaseEnd {
        /// The phase that ends.
        phase: Phase,
        /// The duration of the phase.
        milliseconds: f64,
    },
    /// Progress within a phase.
    Progress {
        /// The current phase.
        phase: Phase,
        /// The finished share, from 0 to 1; null if the total is unknown.
        #[schemars(range(min = 0, max = 1))]
        share: Option<f64>,
        /// The number of files evaluated so far.
        files: u64,
        /// The numbers of finished, expected and running builds.
        builds: BuildCounts,
        /// The numbers of downloaded and expected bytes.
        bytes: ByteCounts,
    },
    /// The numbers of derivations to build and of paths to fetch, and the size of the download.
    Missing {
        /// The number of derivations to build.
        build: usize,
        /// The number of paths to fetch.
        fetch: usize,
        /// The number of bytes to download.
        download_bytes: u64,
    },
    /// A build starts.
    Build {
        /// The derivation's name.
        name: String,
        /// The remote builder; absent for this machine.
        #[serde(skip_serializing_if = "Option::is_none")]
        machine: Option<String>,
    },
    /// A download starts.
    Fetch {
        /// The path's name.
        name: String,
    },
    /// A build enters a phase.
    BuildPhase {
        /// The derivation's name.
        name: String,
        /// The phase of the build.
        phase: String,
    },
    /// A line of a build's log; only with `--print-build-logs`.
    BuildLine {
        /// The derivation's name.
        name: String,
        /// The line of the log.
        line: String,
    },
    /// A line of the switch program's output, or the units that are watched after the switch.
    SwitchLine {
        /// The line of the output, or the list of watched units.
        line: String,
    },
    /// A warning.
    Warning {
        /// The text of the warning.
        text: String,
    },
    /// A note.
    Note {
        /// The text of the note.
        text: String,
    },
    /// A message from libnix.
    Message {
        /// The text of the message.
        text: String,
    },
    /// Progress of `check`.
    Check {
        /// A status line with the numbers of finished, known and running checks.
        name: String,
        /// The number of finished checks.
        done: u64,
        /// The finished share, from 0 to 1.
        #[schemars(range(min = 0, max = 1))]
        share: f64,
        /// Estimated remaining milliseconds; null if there is no estimate.
        left: Option<f64>,
    },
    /// Progress of `bench`.
    Bench {
        /// The benchmark that is running.
        name: String,
        /// The number of finished measurements.
        done: u64,
        /// The finished share, from 0 to 1.
        #[schemars(range(min = 0, max = 1))]
        share: f64,
        /// Estimated remaining milliseconds; null if there is no estimate.
        left: Option<f64>,
    },
}

/// Numbers of builds.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BuildCounts {
    /// The number of finished builds.
    done: u64,
    /// The total number of builds, including finished ones.
    expected: u64,
    /// The number of running builds.
    running: u64,
}

/// Numbers of bytes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ByteCounts {
    /// The bytes downloaded so far.
    done: u64,
    /// The total number of bytes to download.
    expected: u64,
}

impl ProgressEvent {
    /// Returns the event for a notice. Returns `None` for a row, because only bars show rows.
    pub(super) fn of(notice: &Notice) -> Option<Self> {
        Some(match notice.clone() {
            Notice::Begun(phase) => Self::PhaseBegin { phase },
            Notice::Ended(phase, time) => Self::PhaseEnd {
                phase,
                milliseconds: milliseconds(time),
            },
            Notice::BuildStarted(name, machine) => Self::Build { name, machine },
            Notice::FetchStarted(name) => Self::Fetch { name },
            Notice::BuildLine(name, line) => Self::BuildLine { name, line },
            Notice::BuildPhase(name, phase) => Self::BuildPhase { name, phase },
            Notice::Missing {
                build,
                fetch,
                download,
            } => Self::Missing {
                build,
                fetch,
                download_bytes: download,
            },
            Notice::Warning(text) => Self::Warning { text },
            Notice::Note(text) => Self::Note { text },
            Notice::Message(text) => Self::Message { text },
            Notice::Switch(line) => Self::SwitchLine { line },
            Notice::Row(_) => return None,
        })
    }

    /// Returns the event about the progress of a benchmark, a check or a phase.
    pub(super) fn progress(model: &Model, now: Duration) -> Option<Self> {
        if let Some(round) = model.round.clone() {
            return Some(Self::round(round));
        }
        let (phase, _) = model.phase?;
        Some(Self::Progress {
            phase,
            share: model.share(now).map(rounded),
            files: model.files,
            builds: BuildCounts {
                done: model.built.done,
                expected: model.built.expected,
                running: model.built.running,
            },
            bytes: ByteCounts {
                done: model.fetched.done,
                expected: model.fetched.expected,
            },
        })
    }

    fn round(round: TaskProgress) -> Self {
        let TaskProgress {
            what,
            name,
            done,
            share,
            left,
        } = round;
        let (share, left) = (rounded(share), left.map(milliseconds));
        match what {
            "check" => Self::Check {
                name,
                done,
                share,
                left,
            },
            _ => Self::Bench {
                name,
                done,
                share,
                left,
            },
        }
    }

    /// Formats the line, with its fields in alphabetical order.
    pub(super) fn line(&self) -> String {
        let mut line = json!(self);
        line["schema"] = Value::from(1);
        line.to_string()
    }
}

fn rounded(share: f64) -> f64 {
    (share * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_has_its_fields_and_the_schema() {
        let line = |notice| ProgressEvent::of(&notice).map(|event| event.line());
        assert_eq!(
            line(Notice::Missing {
                build: 2,
                fetch: 1,
                download: 3
            })
            .as_deref(),
            Some(r#"{"build":2,"downloadBytes":3,"event":"missing","fetch":1,"schema":1}"#)
        );
        assert_eq!(
            line(Notice::BuildStarted("a".into(), None)).as_deref(),
            Some(r#"{"event":"build","name":"a","schema":1}"#)
        );
        assert_eq!(line(Notice::Row("a".into())), None);
    }
}
