//! What a person sees while the program works.
//!
//! Stages say what happens to a [`Reporter`]; libnix's events come the same way, from any of its threads. One thread folds
//! it all into a [`model::Model`] and lets a renderer draw that, at most ten times a second.

mod bars;
mod fold;
mod lines;
mod model;

use std::io::IsTerminal as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::cache::Estimate;
use crate::choice::ProgressStyle;
use crate::error::neutral;
use crate::libnix::{Event, Missing};
use crate::timings::{Phase, Phases, time_of};

use model::Model;
pub use model::Notice;

/// How the line of a switch's log begins that says which units are watched.
pub const WATCHING: &str = "watching ";

/// How often the picture changes at most.
const FRAME: Duration = Duration::from_millis(100);

/// What stages and libnix say.
#[derive(Clone, Debug)]
enum Report {
    Begin(Phase),
    End(Phase, Duration),
    Libnix(Event),
    /// What the configuration itself warns of.
    Warnings(Vec<String>),
    /// How the evaluation went last time.
    Estimate(Estimate),
    Missing(Missing),
    /// A line of the switch program.
    Switch(String),
    Note(String),
    /// Something that repeats goes on, or has ended.
    Round(Option<Round>),
    /// A line of the result, while it comes.
    Row(String),
    /// Others are to write on the terminal.
    Pause(Sender<()>),
    Finish(Sender<()>),
}

/// How far a benchmark or a check is.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Which of them: `bench`, `check`.
    pub what: &'static str,
    /// What is being done.
    pub name: String,
    /// How often it was done.
    pub done: u64,
    /// How much of it all is done, from 0 to 1.
    pub share: f64,
    /// The time left, where it can be told.
    pub left: Option<Duration>,
}

/// How progress is shown, decided once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The kind of output.
    pub kind: Kind,
    /// Whether build logs are printed whole.
    pub build_logs: bool,
    /// Up to which of libnix's verbosities messages are shown.
    pub verbosity: u8,
    /// Whether there may be colours.
    pub colour: bool,
}

/// The kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bars on a terminal.
    Bars,
    /// A line a step.
    Lines,
    /// JSON lines.
    Events,
    /// Nothing but warnings.
    Off,
}

impl Kind {
    /// Decides by what was asked for and what stderr is.
    pub fn decide(asked: ProgressStyle, json: bool, dumb_terminal: bool) -> Self {
        match asked {
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

/// What renders.
trait Renderer: Send {
    /// Something that is said once and stays.
    fn notice(&mut self, notice: &Notice, model: &Model);
    /// The picture as it is now.
    fn draw(&mut self, model: &Model, now: Duration);
    /// Lets go of what is drawn, so that others can write below it.
    fn pause(&mut self) {}
    /// Clears what does not stay.
    fn clear(&mut self);
}

/// To which everything is said. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct Reporter {
    reports: Sender<Report>,
    shared: Arc<Shared>,
    started: Instant,
    draws: bool,
}

/// What is kept beside the picture.
#[derive(Default)]
struct Shared {
    phases: Mutex<Phases>,
    /// Errors that libnix reported and did not raise: the true causes of failed builds.
    errors: Mutex<Vec<String>>,
    /// When each file was evaluated, since evaluation began.
    files: Mutex<Vec<Duration>>,
    evaluating_since: Mutex<Option<Instant>>,
}

impl Reporter {
    /// Starts the drawing thread.
    pub fn start(style: Style) -> Result<Self> {
        let (reports, inbox) = channel();
        let renderer: Box<dyn Renderer> = match style.kind {
            Kind::Bars => Box::new(bars::Bars::new(style)),
            Kind::Lines => Box::new(lines::Lines::new()),
            Kind::Events => Box::new(lines::Events::default()),
            Kind::Off => Box::new(lines::Warnings::new()),
        };
        std::thread::Builder::new()
            .name("progress".into())
            .spawn(move || run(&inbox, renderer, style))
            .context("start the progress thread")?;
        Ok(Self {
            reports,
            shared: Arc::default(),
            started: Instant::now(),
            draws: style.kind == Kind::Bars,
        })
    }

    /// To which things are said and which shows none of them: its counts are of use.
    pub fn silent() -> Self {
        Self {
            reports: channel().0,
            shared: Arc::default(),
            started: Instant::now(),
            draws: false,
        }
    }

    fn say(&self, report: Report) {
        // The drawing thread only ends when it was asked to.
        let _ = self.reports.send(report);
    }

    /// libnix is open, after so long.
    pub fn opened(&self, time: Duration) {
        lock(&self.shared.phases).opened(time);
    }

    /// A phase begins.
    pub fn begin(&self, phase: Phase) {
        if phase == Phase::Evaluate {
            *lock(&self.shared.evaluating_since) = Some(Instant::now());
        }
        self.say(Report::Begin(phase));
    }

    /// A phase has ended, after so many milliseconds.
    pub fn end_after(&self, phase: Phase, milliseconds: f64) {
        self.end(phase, time_of(milliseconds));
    }

    fn end(&self, phase: Phase, time: Duration) {
        lock(&self.shared.phases).add(phase, time);
        self.say(Report::End(phase, time));
    }

    /// Runs a phase.
    pub fn phase<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        self.begin(phase);
        let begun = Instant::now();
        let result = work();
        self.end(phase, begun.elapsed());
        result
    }

    /// libnix reports something.
    pub fn libnix(&self, event: Event) {
        if crate::libnix::evaluated_file(&event).is_some()
            && let Some(since) = *lock(&self.shared.evaluating_since)
        {
            lock(&self.shared.files).push(since.elapsed());
        }
        lock(&self.shared.errors).extend(reported_error(&event));
        self.say(Report::Libnix(event));
    }

    /// The configuration warns.
    pub fn warnings(&self, warnings: &[String]) {
        self.say(Report::Warnings(warnings.to_vec()));
    }

    /// How it went last time.
    pub fn estimate(&self, estimate: Estimate) {
        self.say(Report::Estimate(estimate));
    }

    /// What will be built and fetched.
    pub fn missing(&self, missing: &Missing) {
        self.say(Report::Missing(missing.clone()));
    }

    /// A line of the switch program.
    pub fn switch_line(&self, line: &str) {
        self.say(Report::Switch(line.to_string()));
    }

    /// Whether the terminal is drawn upon: then nobody else may write to it.
    pub fn draws(&self) -> bool {
        self.draws
    }

    /// A line of the result, for stdout, where it is the terminal that is drawn upon.
    pub fn row(&self, text: impl Into<String>) {
        self.say(Report::Row(text.into()));
    }

    /// A benchmark or a check is so far; none: it has ended.
    pub fn round(&self, round: Option<Round>) {
        self.say(Report::Round(round));
    }

    /// One to which everything can be said and nobody listens: samples of a benchmark are not told one by one.
    pub fn deaf() -> Self {
        Self {
            reports: channel().0,
            shared: Arc::default(),
            started: Instant::now(),
            draws: false,
        }
    }

    /// Something that the user should know.
    pub fn note(&self, text: impl Into<String>) {
        self.say(Report::Note(text.into()));
    }

    /// How long each phase took so far.
    pub fn phases(&self) -> Phases {
        let mut phases = lock(&self.shared.phases).clone();
        phases.finish(self.started);
        phases
    }

    /// The errors that libnix reported so far and did not raise, the first one first.
    pub fn errors(&self) -> Vec<String> {
        lock(&self.shared.errors).clone()
    }

    /// When each file was evaluated, since evaluation began.
    pub fn files(&self) -> Vec<Duration> {
        lock(&self.shared.files).clone()
    }

    /// Clears what does not stay, for others to write on the terminal. What happens after that is drawn below.
    pub fn pause(&self) {
        let (done, wait) = channel();
        self.say(Report::Pause(done));
        let _ = wait.recv_timeout(Duration::from_secs(1));
    }

    /// Clears what does not stay, and ends the drawing. The terminal is then as it was.
    pub fn finish(&self) {
        let (done, wait) = channel();
        self.say(Report::Finish(done));
        let _ = wait.recv_timeout(Duration::from_secs(1));
    }
}

/// The message of an error that libnix reports. One of a daemon comes as text, without its parts.
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
    // Nothing that is guarded here is left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Folds reports into the model and draws it.
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

/// A text for stdout, folded where that is a terminal.
pub fn for_stdout(text: &str) -> String {
    fold::fold(text, columns(&console::Term::stdout()))
}

/// A text for stderr, folded where that is a terminal.
pub fn for_stderr(text: &str) -> String {
    fold::fold(text, columns(&console::Term::stderr()))
}

/// How wide a terminal is; none where it is none.
fn columns(terminal: &console::Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| columns.into())
}

/// `1234567` → `1.2 MB`.
pub fn bytes(amount: u64) -> String {
    indicatif::DecimalBytes(amount).to_string()
}

/// `1234567` → `1,234,567`.
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

/// A duration as people say it: `12 ms`, `3.4 s`, `2 m 05 s`.
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

/// `/nix/store/<hash>-name.drv` → `name`.
pub fn store_name(path: &str) -> String {
    let base = path.rsplit('/').next().unwrap_or(path);
    let name = base.split_once('-').map_or(base, |(_, name)| name);
    neutral(name.strip_suffix(".drv").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_daemon_are_found_in_its_messages() {
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
    fn durations_read_well() {
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
