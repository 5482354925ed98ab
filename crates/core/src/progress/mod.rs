//! Shows progress.
//!
//! The stages and all threads of libnix send reports to a [`Reporter`]. One thread applies these
//! reports to a `model::Model`, and lets a renderer draw the model at most ten times a second.

mod bars;
mod fold;
mod lines;
mod model;

use std::io::IsTerminal as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::choice::ProgressStyle;
use crate::error::neutral;
use crate::estimate::Estimate;
use crate::timings::{Phase, Phases, time_of};
use nix_types::{Event, Missing};

use model::Model;
pub use model::Notice;

/// The beginning of the log line that lists the watched units.
pub const WATCHING: &str = "watching ";

/// The minimum time between two frames.
const FRAME: Duration = Duration::from_millis(100);

/// A report from a stage or from libnix.
#[derive(Clone, Debug)]
enum Report {
    Begin(Phase),
    End(Phase, Duration),
    Libnix(Event),
    /// The warnings of the configuration.
    Warnings(Vec<String>),
    /// The course of the last evaluation, to estimate the progress of this one.
    Estimate(Estimate),
    Missing(Missing),
    /// A line from the switch program.
    Switch(String),
    Note(String),
    /// The progress of a benchmark or a check, or `None` when the command has ended.
    Round(Option<TaskProgress>),
    /// A line of the result, sent as soon as it is available.
    Row(String),
    /// A request to clear the terminal, because another program will write to it.
    Pause(Sender<()>),
    Finish(Sender<()>),
}

/// The progress of a benchmark or a check.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskProgress {
    /// The name of the command: `bench` or `check`.
    pub what: &'static str,
    /// The name of the current task.
    pub name: String,
    /// The number of finished tasks.
    pub done: u64,
    /// The share of the work that is done, from 0 to 1.
    pub share: f64,
    /// The estimated remaining time.
    pub left: Option<Duration>,
}

/// The style of progress output. It is chosen once, at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub kind: RendererKind,
    /// Whether to print complete build logs.
    pub build_logs: bool,
    /// The highest verbosity of libnix messages to show.
    pub verbosity: u8,
    /// Whether to use colours.
    pub colour: bool,
    /// Whether bars and spinners may use characters beyond ASCII.
    pub unicode: bool,
}

/// The kind of progress output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RendererKind {
    /// Bars on a terminal.
    Bars,
    /// One line for each step.
    Lines,
    /// JSON lines.
    Events,
    /// Only warnings and build logs.
    Off,
}

impl RendererKind {
    /// Chooses the kind of output from the options and the type of stderr.
    pub fn decide(asked: ProgressStyle, json: bool, dumb_terminal: bool) -> Self {
        match asked {
            // Bars need a terminal that can move its cursor, even if the user requested bars.
            ProgressStyle::Bars if dumb_terminal => Self::Lines,
            ProgressStyle::Bars => Self::Bars,
            ProgressStyle::Plain => Self::Lines,
            ProgressStyle::Events => Self::Events,
            ProgressStyle::Off => Self::Off,
            ProgressStyle::Auto if json => Self::Off,
            ProgressStyle::Auto if std::io::stderr().is_terminal() && !dumb_terminal => Self::Bars,
            ProgressStyle::Auto => Self::Lines,
        }
    }
}

/// An output format for progress.
trait Renderer: Send {
    /// Handles a notice. A printed notice stays on the screen.
    fn notice(&mut self, notice: &Notice, model: &Model);
    /// Draws the current state.
    fn draw(&mut self, model: &Model, now: Duration);
    /// Removes the drawn output, so that another program can write to the terminal.
    fn pause(&mut self) {}
    /// Removes the drawn output at the end.
    fn clear(&mut self);
}

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
    errors: Mutex<Vec<String>>,
    /// The time at which each file was evaluated, relative to the start of the evaluation.
    files: Mutex<Vec<Duration>>,
    evaluating_since: Mutex<Option<Instant>>,
}

impl Reporter {
    /// Starts the drawing thread.
    pub fn start(style: Style) -> Result<Self> {
        let (reports, inbox) = channel();
        let renderer: Box<dyn Renderer> = match style.kind {
            RendererKind::Bars => Box::new(bars::Bars::new(style)),
            RendererKind::Lines => Box::new(lines::Lines::new()),
            RendererKind::Events => Box::new(lines::Events::default()),
            RendererKind::Off => Box::new(lines::Warnings::new()),
        };
        std::thread::Builder::new()
            .name("progress".into())
            .spawn(move || run(&inbox, renderer, style))
            .context("cannot start the progress thread")?;
        Ok(Self {
            reports,
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
        lock(&self.shared.errors).extend(reported_error(&event));
        self.say(Report::Libnix(event));
    }

    /// Reports warnings of the configuration.
    pub fn warnings(&self, warnings: &[String]) {
        self.say(Report::Warnings(warnings.to_vec()));
    }

    /// Reports the course of the last evaluation.
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

    /// Returns the errors that libnix reported without raising them, the oldest first.
    pub fn errors(&self) -> Vec<String> {
        lock(&self.shared.errors).clone()
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Ignore poisoning: a panic cannot leave the data of this mutex inconsistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Applies reports to the model, and draws the model.
fn run(inbox: &Receiver<Report>, mut renderer: Box<dyn Renderer>, style: Style) {
    let started = Instant::now();
    let mut model = Model::new(style.build_logs, style.verbosity);
    let mut drawn = Instant::now() - FRAME;
    loop {
        let wait = FRAME.saturating_sub(drawn.elapsed());
        match inbox.recv_timeout(wait) {
            Ok(Report::Finish(done)) => {
                renderer.clear();
                let _ = done.send(());
                return;
            }
            Ok(Report::Pause(done)) => {
                renderer.pause();
                let _ = done.send(());
            }
            Ok(report) => {
                for notice in model.apply(report, started.elapsed()) {
                    renderer.notice(&notice, &model);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return renderer.clear(),
        }
        if drawn.elapsed() >= FRAME {
            renderer.draw(&model, started.elapsed());
            drawn = Instant::now();
        }
    }
}

/// Wraps a text for stdout if stdout is a terminal.
pub fn for_stdout(text: &str) -> String {
    fold::fold(text, columns(&console::Term::stdout()))
}

/// Wraps a text for stderr if stderr is a terminal.
pub fn for_stderr(text: &str) -> String {
    fold::fold(text, columns(&console::Term::stderr()))
}

/// Returns the width of a terminal, or `None` if the output is not a terminal.
fn columns(terminal: &console::Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| columns.into())
}

/// Formats `1234567` as `1.23 MB`.
pub fn bytes(amount: u64) -> String {
    indicatif::DecimalBytes(amount).to_string()
}

/// Formats `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a duration such as `12 ms`, `3.4 s` or `2 m 05 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} m {:02} s", whole / 60, whole % 60)
    }
}

/// Returns the name in a store path: `/nix/store/<hash>-name.drv` becomes `name`.
pub fn store_name(path: &str) -> String {
    let base = path.rsplit('/').next().unwrap_or(path);
    let name = base.split_once('-').map_or(base, |(_, name)| name);
    neutral(name.strip_suffix(".drv").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daemon_errors_are_found_in_messages() {
        let event = |text: &str| Event::Message {
            level: 0,
            text: text.into(),
        };
        let daemon = event("\u{1b}[31;1merror:\u{1b}[0m builder for '/s/a.drv' failed");
        assert_eq!(
            reported_error(&daemon).as_deref(),
            Some("builder for '/s/a.drv' failed")
        );
        assert_eq!(reported_error(&event("trace: error: no")), None);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [grouped(7), grouped(1234), grouped(1_234_567)],
            ["7", "1,234", "1,234,567"]
        );
    }

    #[test]
    fn durations_are_human_readable() {
        let ms = |n| duration(Duration::from_millis(n));
        assert_eq!(
            [
                ms(7),
                ms(99),
                ms(100),
                ms(9_940),
                ms(9_960),
                ms(59_400),
                ms(59_600),
                ms(125_000)
            ],
            [
                "7 ms", "99 ms", "0.1 s", "9.9 s", "10 s", "59 s", "1 m 00 s", "2 m 05 s"
            ]
        );
    }

    #[test]
    fn store_paths_are_shown_by_name() {
        assert_eq!(store_name("/nix/store/abc-hello-1.0.drv"), "hello-1.0");
        assert_eq!(store_name("odd"), "odd");
    }
}
