//! The handle with which stages and all threads of libnix report their progress.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::drawing;
use super::report::{Report, TaskProgress};
use super::reported::{ReportedError, ReportedErrors};
use super::style::{RendererKind, Style};
use crate::estimate::Estimate;
use crate::timings::{Phase, Phases, time_of};
use nix_types::{Event, Missing};

/// A handle that receives all progress reports. Cloning the handle is cheap, and sending a report
/// never blocks.
#[derive(Clone)]
pub struct Reporter {
    reports: Sender<Report>,
    shared: Arc<SharedData>,
    started: Instant,
    draws: bool,
}

/// Data that stages can read from the reporter.
#[derive(Default)]
struct SharedData {
    phases: Mutex<Phases>,
    /// Errors that libnix reported without raising them. They are the real causes of failed builds.
    errors: Mutex<ReportedErrors>,
    /// The time at which each file was evaluated, relative to the start of the evaluation.
    files: Mutex<Vec<Duration>>,
    evaluating_since: Mutex<Option<Instant>>,
}

impl Reporter {
    /// Starts the drawing thread.
    pub fn start(style: Style) -> Result<Self> {
        Ok(Self {
            reports: drawing::start(style)?,
            shared: Arc::default(),
            started: Instant::now(),
            draws: style.kind == RendererKind::Bars,
        })
    }

    /// Creates a reporter that records times and errors, but does not show anything.
    pub fn silent() -> Self {
        Self {
            reports: channel().0,
            shared: Arc::default(),
            started: Instant::now(),
            draws: false,
        }
    }

    fn say(&self, report: Report) {
        // Ignore errors: the drawing thread may have ended, and a silent reporter has none.
        let _ = self.reports.send(report);
    }

    /// Records how long opening libnix took.
    pub fn opened(&self, time: Duration) {
        lock(&self.shared.phases).opened(time);
    }

    /// Reports the start of a phase.
    pub fn begin(&self, phase: Phase) {
        if phase == Phase::Evaluate {
            *lock(&self.shared.evaluating_since) = Some(Instant::now());
        }
        self.say(Report::Begin(phase));
    }

    /// Reports the end of a phase and its duration.
    pub fn end_after(&self, phase: Phase, milliseconds: f64) {
        self.end(phase, time_of(milliseconds));
    }

    fn end(&self, phase: Phase, time: Duration) {
        lock(&self.shared.phases).add(phase, time);
        self.say(Report::End(phase, time));
    }

    /// Runs `work` as a phase.
    pub fn phase<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        self.begin(phase);
        let begun = Instant::now();
        let result = work();
        self.end(phase, begun.elapsed());
        result
    }

    /// Handles an event from libnix.
    pub fn libnix(&self, event: Event) {
        if nix_types::evaluated_file(&event).is_some()
            && let Some(since) = *lock(&self.shared.evaluating_since)
        {
            lock(&self.shared.files).push(since.elapsed());
        }
        lock(&self.shared.errors).hear(&event, Instant::now());
        self.say(Report::Libnix(event));
    }

    /// Reports warnings of the configuration.
    pub fn warnings(&self, warnings: &[String]) {
        self.say(Report::Warnings(warnings.to_vec()));
    }

    /// Passes on the timing of the last evaluation, from which the progress bar estimates the
    /// remaining time.
    pub fn estimate(&self, estimate: Estimate) {
        self.say(Report::Estimate(estimate));
    }

    /// Reports the paths that will be built and fetched.
    pub fn missing(&self, missing: &Missing) {
        self.say(Report::Missing(missing.clone()));
    }

    /// Reports a line from the switch program.
    pub fn switch_line(&self, line: &str) {
        self.say(Report::Switch(line.to_string()));
    }

    /// Returns whether bars are drawn on the terminal. If so, all other output must go through the
    /// reporter.
    pub fn draws(&self) -> bool {
        self.draws
    }

    /// Prints a line of the result to stdout. Only bars handle such lines, so call this only if
    /// [`Self::draws`] returns true.
    pub fn row(&self, text: impl Into<String>) {
        self.say(Report::Row(text.into()));
    }

    /// Reports the progress or the end of a benchmark or a check.
    pub fn round(&self, round: Option<TaskProgress>) {
        self.say(Report::Round(round));
    }

    /// Reports a note for the user.
    pub fn note(&self, text: impl Into<String>) {
        self.say(Report::Note(text.into()));
    }

    /// Returns the duration of each phase so far.
    pub fn phases(&self) -> Phases {
        let mut phases = lock(&self.shared.phases).clone();
        phases.finish(self.started);
        phases
    }

    /// Returns the errors that libnix reported without raising them, oldest first.
    pub fn errors(&self) -> Vec<ReportedError> {
        lock(&self.shared.errors).errors()
    }

    /// Returns the time at which each file was evaluated, relative to the start of the evaluation.
    pub fn files(&self) -> Vec<Duration> {
        lock(&self.shared.files).clone()
    }

    /// Removes the bars, so that another program can write to the terminal. Later output is drawn
    /// below that program's output.
    pub fn pause(&self) {
        let (done, wait) = channel();
        self.say(Report::Pause(done));
        let _ = wait.recv_timeout(Duration::from_secs(1));
    }

    /// Removes the bars and ends the drawing thread.
    pub fn finish(&self) {
        let (done, wait) = channel();
        self.say(Report::Finish(done));
        let _ = wait.recv_timeout(Duration::from_secs(1));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Ignore poisoning: a panic cannot leave the data of this mutex inconsistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
