//! The state of all running work, computed from the reports. Does not use a clock or a terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use super::format::store_name;
use super::report::{Report, TaskProgress};
use super::source_read::SourceRead;
use crate::error::{neutral, one_line};
use crate::estimate::Estimate;
use crate::timings::Phase;
use nix_types::{Activity, Event, ExpectedKind, Missing, Progress};

/// Words in a daemon's message about a setting that the daemon ignores (NixOS/nix,
/// `src/libstore/daemon.cc`).
const RESTRICTED: &str = "because it is a restricted setting";

/// A notice that is printed once and then stays on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A line of the result, formatted for stdout.
    Row(String),
    /// A phase has begun.
    Begun(Phase),
    Ended(Phase, Duration),
    /// A build has started: the name of the build, and its remote builder if there is one.
    BuildStarted(String, Option<String>),
    /// A download of a store path has started.
    FetchStarted(String),
    /// A line of a build log: the name of the build, and the line.
    BuildLine(String, String),
    /// A build has entered a phase: the names of the build and the phase.
    BuildPhase(String, String),
    /// The number of derivations to build, the number of paths to fetch, and the size of the
    /// download.
    Missing {
        build: usize,
        fetch: usize,
        download: u64,
    },
    Warning(String),
    /// A note for the user that is not a warning.
    Note(String),
    /// A line from the switch program.
    Switch(String),
    /// A message from libnix.
    Message(String),
}

/// A running build or fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The name of the derivation or path.
    pub name: String,
    /// The remote builder, if there is one.
    pub machine: Option<String>,
    /// The start time.
    pub since: Duration,
    /// The current phase of a build, such as `buildPhase`; empty for a fetch.
    pub state: String,
    /// The last line of the log.
    pub line: String,
    /// The numbers of downloaded and expected bytes.
    pub bytes: (u64, u64),
}

/// A count of builds or of bytes, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub done: u64,
    /// The total number, including finished builds or bytes.
    pub expected: u64,
    pub running: u64,
    pub failed: u64,
}

/// The state of all running work.
#[derive(Debug)]
pub struct Model {
    build_logs: bool,
    verbosity: u8,
    /// The current phase and its start time.
    pub phase: Option<(Phase, Duration)>,
    /// The number of files evaluated so far.
    pub files: u64,
    /// The progress curve of the last evaluation.
    pub estimate: Option<Estimate>,
    /// The running builds, by libnix's activity ID.
    pub builds: BTreeMap<u64, Running>,
    /// The running fetches, by libnix's activity ID.
    pub fetches: BTreeMap<u64, Running>,
    /// The numbers of finished and expected builds.
    pub built: Tally,
    /// The number of builds that have started in the running build call.
    started: u64,
    /// The numbers of fetched and expected bytes.
    pub fetched: Tally,
    pub switch_line: String,
    /// The running reads and fetches of sources, by libnix's activity ID.
    sources: BTreeMap<u64, SourceRead>,
    /// The progress of the running benchmark or check.
    pub round: Option<TaskProgress>,
    warned: Vec<String>,
    /// The messages about settings that a daemon ignores.
    restricted: Vec<String>,
    tallies: BTreeMap<u64, Activity>,
    transfers: BTreeMap<u64, (u64, u64)>,
    transferred: u64,
    missing: Missing,
}

impl Model {
    pub(super) fn new(build_logs: bool, verbosity: u8) -> Self {
        Self {
            build_logs,
            verbosity,
            phase: None,
            files: 0,
            estimate: None,
            builds: BTreeMap::new(),
            fetches: BTreeMap::new(),
            built: Tally::default(),
            started: 0,
            fetched: Tally::default(),
            switch_line: String::new(),
            sources: BTreeMap::new(),
            round: None,
            warned: Vec::new(),
            restricted: Vec::new(),
            tallies: BTreeMap::new(),
            transfers: BTreeMap::new(),
            transferred: 0,
            missing: Missing::default(),
        }
    }

    /// Returns the finished share of the current phase, from 0 to 1, if it is known.
    pub fn share(&self, now: Duration) -> Option<f64> {
        let (phase, since) = self.phase?;
        match phase {
            Phase::Evaluate => Some(
                self.estimate
                    .as_ref()?
                    .share(self.files, now.saturating_sub(since)),
            ),
            Phase::Build if self.built.expected > 0 => {
                Some(self.built.done as f64 / self.built.expected as f64)
            }
            _ => None,
        }
    }

    /// Returns a description of the source that libnix has been reading or fetching for a while,
    /// and the number of bytes so far. The number is 0 if it is unknown.
    pub fn slow_source(&self, now: Duration) -> Option<(&str, u64)> {
        if !matches!(self.phase, Some((Phase::Lock | Phase::Evaluate, _))) {
            return None;
        }
        // The newest source has the largest activity ID.
        let source = self.sources.values().next_back()?;
        let downloaded = self.transfers.values().map(|(done, _)| done).sum();
        source
            .is_slow(now)
            .then(|| (source.what(), source.bytes(downloaded)))
    }

    /// Updates the byte counts of the sources. `read_by` returns how many bytes a process has read.
    pub(super) fn count_sources(&mut self, read_by: impl Fn(u32) -> Option<u64>) {
        for source in self.sources.values_mut() {
            source.count(&read_by);
        }
    }

    /// Applies a report, and returns the notices to print.
    pub(super) fn apply(&mut self, report: Report, now: Duration) -> Vec<Notice> {
        match report {
            Report::Begin(phase) => {
                self.phase = Some((phase, now));
                vec![Notice::Begun(phase)]
            }
            Report::End(phase, time) => {
                if self.phase.is_some_and(|(current, _)| current == phase) {
                    self.phase = None;
                }
                // libnix may report the end of a build or fetch shortly after the phase has ended.
                self.builds.clear();
                self.fetches.clear();
                vec![Notice::Ended(phase, time)]
            }
            Report::Libnix(event) => self.libnix(event, now),
            Report::Warnings(warnings) => {
                let notices = warnings
                    .iter()
                    .map(|text| Notice::Warning(clean(text)))
                    .collect();
                self.warned.extend(warnings);
                notices
            }
            Report::Estimate(estimate) => {
                self.estimate = Some(estimate);
                Vec::new()
            }
            Report::Missing(missing) => {
                self.built.expected = missing.build.len() as u64;
                self.fetched.expected = missing.download_bytes;
                let notice = Notice::Missing {
                    build: missing.build.len(),
                    fetch: missing.fetch.len(),
                    download: missing.download_bytes,
                };
                self.missing = missing;
                vec![notice]
            }
            Report::Switch(line) => {
                self.switch_line = clean(&line);
                vec![Notice::Switch(self.switch_line.clone())]
            }
            Report::Round(round) => {
                self.round = round.map(|round| TaskProgress {
                    name: clean(&round.name),
                    ..round
                });
                Vec::new()
            }
            Report::Note(text) => vec![Notice::Note(clean(&text))],
            Report::Row(text) => vec![Notice::Row(text)],
            Report::Pause(_) | Report::Finish(_) => Vec::new(),
        }
    }

    fn libnix(&mut self, event: Event, now: Duration) -> Vec<Notice> {
        if nix_types::evaluated_file(&event).is_some() {
            // Locking also reads `flake.nix`, but the bar must count only the files of the
            // evaluation.
            if matches!(self.phase, Some((Phase::Evaluate, _))) {
                self.files += 1;
            }
            return Vec::new();
        }
        match event {
            Event::Message { level, text } => self.message(level, &text),
            Event::Error { error } => self.message(error.level, &error.rendered),
            Event::Start {
                id, activity, text, ..
            } => self.start(id, activity, &text, now),
            Event::Stop { id } => {
                self.stop(id);
                Vec::new()
            }
            Event::Progress { id, progress } => self.progress(id, progress),
        }
    }

    fn message(&mut self, level: u8, text: &str) -> Vec<Notice> {
        // The configuration's warnings were already printed. libnix prints them again in a
        // different form.
        if level > self.verbosity || self.warned.iter().any(|warning| same_words(text, warning)) {
            return Vec::new();
        }
        let text = clean(text);
        // `notes/relocked.rs` reports this once in our own words.
        if text.contains("not writing modified lock file of flake") {
            return Vec::new();
        }
        if let Some(warning) = text
            .strip_prefix("warning: ")
            .or_else(|| text.strip_prefix("evaluation warning: "))
        {
            return self.warn_of_setting(warning);
        }
        match level {
            // The stage that fails will report the error.
            0 if text.starts_with("error:") => Vec::new(),
            1 => vec![Notice::Warning(text)],
            _ => vec![Notice::Message(text)],
        }
    }

    /// Returns the notice for a warning. A warning about an ignored setting is shown only once,
    /// because a daemon repeats it on every connection, and each of our processes has its own
    /// connection.
    fn warn_of_setting(&mut self, warning: &str) -> Vec<Notice> {
        if warning.contains(RESTRICTED) {
            if self.restricted.iter().any(|known| known == warning) {
                return Vec::new();
            }
            self.restricted.push(warning.to_string());
        }
        vec![Notice::Warning(warning.to_string())]
    }

    fn start(&mut self, id: u64, activity: Activity, text: &str, now: Duration) -> Vec<Notice> {
        let running = |path: &str| Running {
            name: store_name(path),
            machine: None,
            since: now,
            state: String::new(),
            line: String::new(),
            bytes: (0, 0),
        };
        if let Some(what) = SourceRead::description(&activity, text) {
            let source = SourceRead::new(clean(&what), id, now);
            self.sources.insert(id, source);
            return Vec::new();
        }
        match &activity {
            Activity::Build {
                derivation,
                machine,
            } => {
                let mut build = running(derivation);
                build.machine = machine_name(machine);
                let notice = Notice::BuildStarted(build.name.clone(), build.machine.clone());
                self.started += 1;
                self.builds.insert(id, build);
                return vec![notice];
            }
            Activity::Substitute { path, .. } => {
                let fetch = running(path);
                let name = fetch.name.clone();
                self.fetches.insert(id, fetch);
                return vec![Notice::FetchStarted(name)];
            }
            Activity::FileTransfer { .. } => {
                self.transfers.insert(id, (0, 0));
            }
            Activity::Builds | Activity::CopyPaths | Activity::Realise => {
                if activity == Activity::Builds {
                    self.started = 0;
                }
                self.tallies.insert(id, activity);
            }
            _ => {}
        }
        Vec::new()
    }

    fn stop(&mut self, id: u64) {
        self.builds.remove(&id);
        self.fetches.remove(&id);
        self.tallies.remove(&id);
        self.sources.remove(&id);
        if let Some((done, _)) = self.transfers.remove(&id) {
            self.transferred += done;
            self.count_bytes();
        }
    }

    /// Returns the numbers of builds. Newer releases of libnix have two goals for a derivation. When
    /// the build ends, one of them is done, and the other is still expected, so that libnix's total
    /// is too large. Therefore, its total is used only if the builds were not queried before, and
    /// the builds that have started limit the number of finished builds.
    fn builds_of(&self, done: u64, expected: u64, running: u64, failed: u64) -> Tally {
        let queried = self.missing.build.len() as u64;
        let total = if queried == 0 { expected } else { queried };
        Tally {
            done: done.min(self.started.saturating_sub(running)),
            expected: total.max(self.started),
            running,
            failed,
        }
    }

    fn count_bytes(&mut self) {
        let under_way: u64 = self.transfers.values().map(|(done, _)| done).sum();
        self.fetched.done = self.transferred + under_way;
        self.fetched.expected = self.fetched.expected.max(self.fetched.done);
    }

    fn progress(&mut self, id: u64, progress: Progress) -> Vec<Notice> {
        match progress {
            Progress::LogLine { line } => {
                if let Some(build) = self.builds.get_mut(&id) {
                    build.line = clean(&line);
                    if self.build_logs {
                        return vec![Notice::BuildLine(build.name.clone(), build.line.clone())];
                    }
                }
            }
            Progress::Phase { phase } => {
                if let Some(build) = self.builds.get_mut(&id) {
                    build.state = clean(&phase);
                    return vec![Notice::BuildPhase(build.name.clone(), build.state.clone())];
                }
            }
            Progress::Amount {
                done,
                expected,
                running,
                failed,
            } => {
                if let Some(transfer) = self.transfers.get_mut(&id) {
                    *transfer = (done, expected);
                    self.count_bytes();
                } else if self.tallies.get(&id) == Some(&Activity::Builds) {
                    self.built = self.builds_of(done, expected, running, failed);
                }
            }
            Progress::Expected { what, amount } => {
                if what == ExpectedKind::FileTransfer {
                    self.fetched.expected = amount.max(self.missing.download_bytes);
                }
            }
            Progress::Other { .. } => {}
        }
        Vec::new()
    }
}

/// Returns the host of a remote builder, with its user name if there is one, from the URL of its
/// store.
fn machine_name(url: &str) -> Option<String> {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['?', '/']).next().unwrap_or_default();
    (!host.is_empty()).then(|| clean(host))
}

/// Returns whether `text` contains the words of `warning`. Ignores line breaks and colours.
fn same_words(text: &str, warning: &str) -> bool {
    let words = |text: &str| one_line(&console::strip_ansi_codes(text));
    words(text).contains(&words(warning))
}

/// Makes untrusted text safe to print: one line without control characters or colours.
fn clean(text: &str) -> String {
    let plain = console::strip_ansi_codes(text);
    // If a line overwrites itself with `\r`, such as the progress of a download, keep only its last
    // part.
    let last = plain.trim_end().rsplit('\r').next().unwrap_or_default();
    neutral(&last.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(model: &mut Model, event: Event) -> Vec<Notice> {
        model.apply(Report::Libnix(event), Duration::ZERO)
    }

    fn build(model: &mut Model, id: u64) -> Vec<Notice> {
        let activity = Activity::Build {
            derivation: "/nix/store/abc-hello.drv".into(),
            machine: String::new(),
        };
        event(
            model,
            Event::Start {
                id,
                activity,
                text: String::new(),
                parent: 0,
            },
        )
    }

    #[test]
    fn build_is_shown_from_start_to_stop() {
        let mut model = Model::new(false, 1);
        assert_eq!(
            build(&mut model, 1),
            [Notice::BuildStarted("hello".into(), None)]
        );
        let line = Progress::LogLine {
            line: "\u{1b}[31mone\rtwo\u{1b}[0m".into(),
        };
        assert!(
            event(
                &mut model,
                Event::Progress {
                    id: 1,
                    progress: line
                }
            )
            .is_empty()
        );
        assert_eq!(model.builds[&1].line, "two");
        event(&mut model, Event::Stop { id: 1 });
        assert!(model.builds.is_empty());
    }

    #[test]
    fn slow_source_is_shown_while_it_is_read() {
        let mut model = Model::new(false, 1);
        model.apply(Report::Begin(Phase::Evaluate), Duration::ZERO);
        let id = 7 << 32;
        event(
            &mut model,
            Event::Start {
                id,
                activity: Activity::Other { number: 0 },
                text: "copying '/src\u{1b}[2J' to the store".into(),
                parent: 0,
            },
        );
        for read in [100, 5100] {
            model.count_sources(|process| (process == 7).then_some(read));
        }
        let shown = |model: &Model| {
            let slow = model.slow_source(Duration::from_secs(1));
            slow.map(|(what, bytes)| (what.to_string(), bytes))
        };
        assert_eq!(shown(&model), Some(("reading /src".into(), 5000)));
        model.phase = Some((Phase::Build, Duration::ZERO));
        assert_eq!(shown(&model), None);
        model.phase = Some((Phase::Lock, Duration::ZERO));
        event(&mut model, Event::Stop { id });
        assert_eq!(shown(&model), None);
    }

    #[test]
    fn builds_are_not_shown_after_their_phase() {
        let mut model = Model::new(false, 1);
        model.apply(Report::Begin(Phase::Build), Duration::ZERO);
        build(&mut model, 1);
        model.apply(Report::End(Phase::Build, Duration::ZERO), Duration::ZERO);
        assert!(model.builds.is_empty());
        event(&mut model, Event::Stop { id: 1 });
        assert!(model.builds.is_empty());
    }

    #[test]
    fn builders_are_named_by_host() {
        let name = |url: &str| machine_name(url);
        assert_eq!(name(""), None);
        assert_eq!(
            name("ssh-ng://me@builder?remote-program=x").as_deref(),
            Some("me@builder")
        );
        assert_eq!(name("ssh://builder/").as_deref(), Some("builder"));
        assert_eq!(name("builder\u{1b}[2J").as_deref(), Some("builder"));
    }

    #[test]
    fn ignored_setting_is_reported_once() {
        let mut model = Model::new(false, 1);
        let shown = |model: &mut Model, text: &str| {
            let text = format!("warning: {text}");
            event(model, Event::Message { level: 1, text }).len()
        };
        let one = "ignoring the client-specified setting 'a', because it is a restricted setting and you are not a trusted user";
        let other = one.replace("'a'", "'b'");
        let counts =
            [one, one, &other, one, "disk full", "disk full"].map(|text| shown(&mut model, text));
        assert_eq!(counts, [1, 0, 1, 0, 1, 1]);
    }

    #[test]
    fn build_logs_are_printed_on_request() {
        let mut model = Model::new(true, 1);
        build(&mut model, 1);
        let line = Progress::LogLine { line: "one".into() };
        assert_eq!(
            event(
                &mut model,
                Event::Progress {
                    id: 1,
                    progress: line
                }
            ),
            [Notice::BuildLine("hello".into(), "one".into())]
        );
    }

    #[test]
    fn configuration_warning_is_printed_once() {
        let mut model = Model::new(false, 1);
        model.apply(
            Report::Warnings(vec!["old option,\nsecond line".into()]),
            Duration::ZERO,
        );
        let echo = Event::Message {
            level: 0,
            text: "trace: warning: old option,\n         second line".into(),
        };
        assert!(event(&mut model, echo).is_empty());
        // The second copy of the warning may or may not have colours.
        model.apply(
            Report::Warnings(vec!["\u{1b}[31mred\u{1b}[0m option".into()]),
            Duration::ZERO,
        );
        for text in ["red option", "\u{1b}[31mred\u{1b}[0m option"] {
            let text = format!("trace: warning: {text}");
            assert!(event(&mut model, Event::Message { level: 0, text }).is_empty());
        }
    }

    /// Returns a model that has begun to build these derivations.
    fn building(queried: &[&str]) -> Model {
        let mut model = Model::new(false, 1);
        let missing = Missing {
            build: queried.iter().map(|path| (*path).to_string()).collect(),
            ..Missing::default()
        };
        model.apply(Report::Missing(missing), Duration::ZERO);
        event(
            &mut model,
            Event::Start {
                id: 9,
                activity: Activity::Builds,
                text: String::new(),
                parent: 0,
            },
        );
        model
    }

    /// Reports libnix's numbers of done, expected and running builds. Returns the shown numbers of
    /// done and expected builds.
    fn counted(model: &mut Model, [done, expected, running]: [u64; 3]) -> (u64, u64) {
        let progress = Progress::Amount {
            done,
            expected,
            running,
            failed: 0,
        };
        event(model, Event::Progress { id: 9, progress });
        (model.built.done, model.built.expected)
    }

    #[test]
    fn total_never_drops_below_queried_number() {
        let mut model = building(&["a", "b", "c"]);
        build(&mut model, 1);
        assert_eq!(counted(&mut model, [0, 1, 1]), (0, 3));
        event(&mut model, Event::Stop { id: 1 });
        assert_eq!(counted(&mut model, [1, 1, 0]), (1, 3));
    }

    #[test]
    fn finished_build_is_not_expected_again() {
        // The numbers of 2.34.8 for a derivation and the requested one, which depends on it.
        let mut model = building(&["a", "b"]);
        let mut shown = Vec::new();
        for (id, reports) in [(1, [[0, 2, 1], [1, 3, 0]]), (2, [[1, 2, 1], [2, 3, 0]])] {
            build(&mut model, id);
            shown.extend(reports.iter().map(|numbers| counted(&mut model, *numbers)));
        }
        assert_eq!(shown, [(0, 2), (1, 2), (1, 2), (2, 2)]);
    }

    #[test]
    fn failed_build_is_not_done() {
        let mut model = building(&["a", "b"]);
        build(&mut model, 1);
        assert_eq!(counted(&mut model, [0, 1, 0]), (0, 2));
    }

    #[test]
    fn bytes_of_downloads_add_up() {
        let mut model = Model::new(false, 1);
        let transfer = || Activity::FileTransfer { uri: "u".into() };
        for id in [1, 2] {
            event(
                &mut model,
                Event::Start {
                    id,
                    activity: transfer(),
                    text: String::new(),
                    parent: 0,
                },
            );
            let progress = Progress::Amount {
                done: 10,
                expected: 20,
                running: 0,
                failed: 0,
            };
            event(&mut model, Event::Progress { id, progress });
        }
        event(&mut model, Event::Stop { id: 1 });
        assert_eq!(model.fetched.done, 20);
    }
}
