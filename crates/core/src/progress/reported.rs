//! The errors that libnix reports without raising them, and the builds that were running when it
//! reported them, or had just ended. Some releases do not name the derivation in an error about a
//! timeout.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix_types::{Activity, Event, Progress};

/// Time between the end of a build and the report of its failure, at most.
const REPORT_DELAY: Duration = Duration::from_secs(1);

/// An error that libnix reported. It is the cause of a failed build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedError {
    /// The message, without terminal escapes.
    pub message: String,
    /// The builds that were running, or had just ended.
    pub running: Vec<RunningBuild>,
}

/// A build that was running when an error was reported, or had just ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningBuild {
    /// The store path of the derivation.
    pub derivation: String,
    /// The time for which the build has run.
    pub ran: Duration,
    /// The time for which the build has printed nothing.
    pub silent: Duration,
}

/// The reported errors, and the running builds.
#[derive(Debug, Default)]
pub(super) struct ReportedErrors {
    errors: Vec<ReportedError>,
    /// The running builds by libnix's activity ID.
    running: BTreeMap<u64, Build>,
    /// The builds that ended last, with their end.
    ended: Vec<(Instant, RunningBuild)>,
}

#[derive(Debug)]
struct Build {
    derivation: String,
    started: Instant,
    printed: Instant,
}

impl ReportedErrors {
    /// Handles an event that happened at `now`.
    pub fn hear(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Start {
                id,
                activity: Activity::Build { derivation, .. },
                ..
            } => {
                let build = Build {
                    derivation: derivation.clone(),
                    started: now,
                    printed: now,
                };
                self.running.insert(*id, build);
            }
            Event::Stop { id } => {
                if let Some(build) = self.running.remove(id) {
                    self.ended.retain(|(end, _)| now - *end <= REPORT_DELAY);
                    self.ended.push((now, build.at(now)));
                }
            }
            Event::Progress {
                id,
                progress: Progress::LogLine { .. },
            } => {
                if let Some(build) = self.running.get_mut(id) {
                    build.printed = now;
                }
            }
            _ => {
                let error = reported_error(event).map(|message| ReportedError {
                    message,
                    running: self.builds(now),
                });
                self.errors.extend(error);
            }
        }
    }

    /// Returns the running builds, and those that have just ended.
    fn builds(&self, now: Instant) -> Vec<RunningBuild> {
        let ended = self.ended.iter();
        let ended = ended.filter(|(end, _)| now - *end <= REPORT_DELAY);
        let running = self.running.values().map(|build| build.at(now));
        running
            .chain(ended.map(|(_, build)| build.clone()))
            .collect()
    }

    /// Returns the errors, oldest first.
    pub fn errors(&self) -> Vec<ReportedError> {
        self.errors.clone()
    }
}

impl Build {
    fn at(&self, now: Instant) -> RunningBuild {
        RunningBuild {
            derivation: self.derivation.clone(),
            ran: now - self.started,
            silent: now - self.printed,
        }
    }
}

/// Returns the message of an error that libnix reports. A daemon reports errors as plain text.
fn reported_error(event: &Event) -> Option<String> {
    match event {
        Event::Error { error } if error.level == 0 => Some(error.message.clone()),
        Event::Message { level: 0, text } => {
            let text = console::strip_ansi_codes(text);
            Some(text.trim_start().strip_prefix("error:")?.trim().to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Event {
        Event::Message {
            level: 0,
            text: text.into(),
        }
    }

    #[test]
    fn daemon_errors_are_found_in_messages() {
        let daemon = message("\u{1b}[31;1merror:\u{1b}[0m builder for '/s/a.drv' failed");
        assert_eq!(
            reported_error(&daemon).as_deref(),
            Some("builder for '/s/a.drv' failed")
        );
        assert_eq!(reported_error(&message("trace: error: no")), None);
    }

    #[test]
    fn error_has_the_builds_that_ran_until_then() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut reported = ReportedErrors::default();
        for (id, derivation) in [
            (1, "/s/a.drv"),
            (2, "/s/b.drv"),
            (3, "/s/c.drv"),
            (4, "/s/d.drv"),
        ] {
            let activity = Activity::Build {
                derivation: derivation.into(),
                machine: String::new(),
            };
            let event = Event::Start {
                id,
                activity,
                text: String::new(),
                parent: 0,
            };
            reported.hear(&event, at(id));
        }
        let progress = Progress::LogLine { line: "x".into() };
        reported.hear(&Event::Progress { id: 1, progress }, at(8));
        reported.hear(&Event::Stop { id: 3 }, at(8));
        reported.hear(&Event::Stop { id: 4 }, at(9));
        reported.hear(&message("error: timed out"), at(10));
        let errors = reported.errors();
        let builds: Vec<_> = errors[0]
            .running
            .iter()
            .map(|build| {
                let name = build.derivation.as_str();
                (name, build.ran.as_secs(), build.silent.as_secs())
            })
            .collect();
        let expected = [("/s/a.drv", 9, 2), ("/s/b.drv", 8, 8), ("/s/d.drv", 5, 5)];
        assert_eq!(builds, expected);
    }
}
