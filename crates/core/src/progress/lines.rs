//! Progress without bars: plain lines for logs, JSON lines for programs, or only warnings.

use std::io::Write as _;
use std::time::Duration;

use super::event::ProgressEvent;
use super::format::{bytes, duration, for_stderr};
use super::model::{Model, Notice};
use super::renderer::Renderer;
use super::report::TaskProgress;
use crate::timings::Phase;

/// The maximum time without output during a phase, a benchmark or a check.
const SILENCE: Duration = Duration::from_secs(10);

/// Writes a line to stderr. Ignores errors, because the work must continue even if stderr is
/// closed.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes a human-readable line, wrapped for a narrow terminal.
fn print_line(line: &str) {
    say(&for_stderr(line));
}

/// A renderer that prints a line for each step.
pub(super) struct Lines {
    spoke: Duration,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self {
            spoke: Duration::ZERO,
        }
    }
}

impl Renderer for Lines {
    fn notice(&mut self, notice: &Notice, model: &Model) {
        if let Some(line) = line(notice, model) {
            print_line(&line);
        }
    }

    fn draw(&mut self, model: &Model, now: Duration) {
        if let Some((phase, since)) = model.phase
            && now.saturating_sub(since) >= SILENCE
            && now.saturating_sub(self.spoke) >= SILENCE
        {
            self.spoke = now;
            say(&still(phase, model, now.saturating_sub(since), now));
        }
        if let Some(round) = &model.round
            && now.saturating_sub(self.spoke) >= SILENCE
        {
            self.spoke = now;
            say(&still_measuring(round));
        }
    }

    fn clear(&mut self) {}
}

fn line(notice: &Notice, model: &Model) -> Option<String> {
    Some(match notice {
        Notice::Begun(Phase::Lock | Phase::Query) => return None,
        Notice::Begun(phase) => format!("{} …", phase.name()),
        Notice::Ended(Phase::Evaluate, time) => {
            format!("evaluate: {} files, {}", model.files, duration(*time))
        }
        Notice::Ended(phase, time) => format!("{}: {}", phase.name(), duration(*time)),
        Notice::BuildStarted(name, None) => format!("build: {name}"),
        Notice::BuildStarted(name, Some(machine)) => format!("build: {name} on {machine}"),
        Notice::FetchStarted(name) => format!("fetch: {name}"),
        Notice::BuildLine(name, line) => format!("{name}> {line}"),
        Notice::Missing {
            build: 0, fetch: 0, ..
        } => return None,
        Notice::Missing {
            build,
            fetch,
            download,
        } => {
            format!(
                "query: {build} to build, {fetch} to fetch ({})",
                bytes(*download)
            )
        }
        Notice::Warning(text) => format!("warning: {text}"),
        Notice::Note(text) | Notice::Message(text) => text.clone(),
        Notice::Switch(text) => format!("activate: {text}"),
        Notice::BuildPhase(..) | Notice::Row(_) => return None,
    })
}

/// Returns a line that tells the user that a long phase is still running.
fn still(phase: Phase, model: &Model, elapsed: Duration, now: Duration) -> String {
    let time = duration(elapsed);
    if let Some((source, read)) = model.slow_source(now) {
        let amount = match read {
            0 => String::new(),
            read => format!(", {}", bytes(read)),
        };
        return format!("{}: {source}{amount}, {time}", phase.name());
    }
    match phase {
        Phase::Evaluate => format!("evaluate: still running, {} files, {time}", model.files),
        Phase::Build | Phase::Fetch => {
            let names: Vec<&str> = model
                .builds
                .values()
                .take(3)
                .map(|build| build.name.as_str())
                .collect();
            format!(
                "{}: {} of {} built, {time}, now {}",
                phase.name(),
                model.built.done,
                model.built.expected,
                if names.is_empty() {
                    "fetching".to_string()
                } else {
                    names.join(", ")
                }
            )
        }
        _ => format!("{}: still running, {time}", phase.name()),
    }
}

/// Returns a line that tells the user that a long benchmark or check is still running.
fn still_measuring(round: &TaskProgress) -> String {
    let left = round
        .left
        .map_or_else(String::new, |left| format!(", {} left", duration(left)));
    format!(
        "{}: {:.0} %{left}, now {}",
        round.what,
        round.share * 100.0,
        round.name
    )
}

/// A renderer that prints JSON lines (`docs/events.md`). It never drops the start or the end of a
/// task, and prints numbers at most ten times a second.
#[derive(Default)]
pub(super) struct Events {
    last: Option<ProgressEvent>,
}

impl Renderer for Events {
    fn notice(&mut self, notice: &Notice, _model: &Model) {
        if let Some(event) = ProgressEvent::of(notice) {
            say(&event.line());
        }
    }

    fn draw(&mut self, model: &Model, now: Duration) {
        let event = ProgressEvent::progress(model, now);
        if let Some(new) = event.as_ref().filter(|_| event != self.last) {
            say(&new.line());
            self.last = event;
        }
    }

    fn clear(&mut self) {}
}

/// A renderer that prints only warnings and build logs.
pub(super) struct Warnings;

impl Warnings {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Renderer for Warnings {
    fn notice(&mut self, notice: &Notice, _model: &Model) {
        match notice {
            Notice::Warning(text) => print_line(&format!("warning: {text}")),
            Notice::BuildLine(name, line) => say(&format!("{name}> {line}")),
            _ => {}
        }
    }

    fn draw(&mut self, _model: &Model, _now: Duration) {}

    fn clear(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_one_line() {
        let model = Model::new(false, 1);
        let text = |notice| line(&notice, &model);
        assert_eq!(
            text(Notice::Ended(Phase::Build, Duration::from_secs(3))).as_deref(),
            Some("build: 3.0 s")
        );
        assert_eq!(
            text(Notice::Missing {
                build: 2,
                fetch: 1,
                download: 1_500_000
            })
            .as_deref(),
            Some("query: 2 to build, 1 to fetch (1.50 MB)")
        );
        assert_eq!(
            text(Notice::Missing {
                build: 0,
                fetch: 0,
                download: 0
            }),
            None
        );
    }

    #[test]
    fn line_of_a_long_phase_names_the_source() {
        use super::super::report::Report;
        use nix_types::{Activity, Event};

        let mut model = Model::new(false, 1);
        let seconds = Duration::from_secs;
        model.apply(Report::Begin(Phase::Evaluate), Duration::ZERO);
        let line = |model: &Model| still(Phase::Evaluate, model, seconds(10), seconds(10));
        assert_eq!(line(&model), "evaluate: still running, 0 files, 10 s");
        let start = Event::Start {
            id: 1,
            activity: Activity::Other { number: 0 },
            text: "copying '/nixpkgs' to the store".into(),
            parent: 0,
        };
        model.apply(Report::Libnix(start), Duration::ZERO);
        assert_eq!(line(&model), "evaluate: reading /nixpkgs, 10 s");
        for read in [0, 5000] {
            model.count_sources(|_| Some(read));
        }
        assert_eq!(line(&model), "evaluate: reading /nixpkgs, 5.00 kB, 10 s");
    }
}
