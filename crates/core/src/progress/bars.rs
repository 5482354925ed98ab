//! Draws progress bars on a terminal. No other file draws with indicatif.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use console::{measure_text_width, truncate_str};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::format::{bytes, duration, for_stderr};
use super::model::{Model, Notice, Running};
use super::renderer::Renderer;
use super::report::{TaskProgress, WATCHING};
use super::style::Style;
use crate::timings::{Phase, time_of};

/// The maximum number of running builds and fetches to show. The others are only counted.
const SHOWN: usize = 6;

/// The number of steps in a bar.
const STEPS: u64 = 1000;

/// The assumed width of a terminal that does not report its width.
const COLUMNS: usize = 80;

/// The progress bars on stderr.
pub(super) struct Bars {
    screen: MultiProgress,
    style: Style,
    phases: BTreeMap<Phase, ProgressBar>,
    running: Vec<ProgressBar>,
    bench: Option<ProgressBar>,
}

impl Bars {
    pub(super) fn new(style: Style) -> Self {
        // The drawing thread controls the frame rate. Do not enable indicatif's steady ticks, which
        // would start another thread.
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20));
        screen.set_move_cursor(false);
        Self {
            screen,
            style,
            phases: BTreeMap::new(),
            running: Vec::new(),
            bench: None,
        }
    }

    /// Draws the line for a benchmark or a check.
    fn draw_bench(&mut self, round: Option<&TaskProgress>) {
        let Some(round) = round else {
            if let Some(bar) = self.bench.take() {
                bar.finish_and_clear();
                self.screen.remove(&bar);
            }
            return;
        };
        let bar = self.bench.get_or_insert_with(|| {
            let bar = self.screen.add(ProgressBar::new(STEPS));
            bar.set_prefix(round.what);
            bar
        });
        let message = round_message(round, self.style);
        bar.set_style(known(self.style, columns(), measure_text_width(&message)));
        bar.set_position((round.share * STEPS as f64) as u64);
        bar.set_message(message);
        bar.tick();
    }

    /// Returns the bar for a phase. Creates the bar if necessary.
    fn phase_bar(&mut self, phase: Phase) -> ProgressBar {
        let style = self.style;
        let before_running = self.phases.len();
        self.phases
            .entry(phase)
            .or_insert_with(|| {
                let bar = self.screen.insert(before_running, ProgressBar::new(STEPS));
                bar.set_style(unknown(style));
                bar.set_prefix(phase.name());
                bar
            })
            .clone()
    }

    fn print(&self, line: &str) {
        // Ignore errors: other code detects a closed terminal.
        let _ = self.screen.println(for_stderr(line));
    }

    fn paint(&self, style: console::Style, text: &str) -> String {
        if self.style.colour {
            style
                .for_stderr()
                .force_styling(true)
                .apply_to(text)
                .to_string()
        } else {
            text.to_string()
        }
    }

    /// Draws a line for each running build or fetch below the phases.
    fn draw_running(&mut self, model: &Model, now: Duration) {
        let all: Vec<&Running> = model
            .builds
            .values()
            .chain(model.fetches.values())
            .collect();
        let mut texts: Vec<String> = all
            .iter()
            .take(SHOWN)
            .map(|one| running_line(one, now, self.style))
            .collect();
        if all.len() > SHOWN {
            texts.push(format!("and {} more", all.len() - SHOWN));
        }
        while self.running.len() > texts.len() {
            if let Some(bar) = self.running.pop() {
                bar.finish_and_clear();
                self.screen.remove(&bar);
            }
        }
        while self.running.len() < texts.len() {
            let bar = self.screen.add(ProgressBar::new_spinner());
            bar.set_style(template("          {wide_msg}"));
            self.running.push(bar);
        }
        for (bar, text) in self.running.iter().zip(texts) {
            bar.set_message(text);
        }
    }
}

impl Renderer for Bars {
    fn notice(&mut self, notice: &Notice, _model: &Model) {
        match notice {
            Notice::Begun(phase) => {
                self.phase_bar(*phase);
            }
            Notice::Ended(phase, time) => {
                let bar = self.phase_bar(*phase);
                bar.set_style(template("{prefix:9} {wide_msg}"));
                let done = self.paint(console::Style::new().green(), "done");
                bar.set_message(format!("{done}, {}", duration(*time)));
                bar.tick();
            }
            Notice::Warning(text) => {
                let warning = self.paint(console::Style::new().yellow().bold(), "warning:");
                self.print(&format!("{warning} {text}"));
            }
            Notice::Note(text) | Notice::Message(text) => self.print(text),
            Notice::Row(text) => self.screen.suspend(|| {
                use std::io::Write as _;
                // Ignore errors: other code detects a closed terminal.
                let _ = std::io::stdout().write_all(text.as_bytes());
            }),
            Notice::BuildLine(name, line) => {
                let name = self.paint(console::Style::new().cyan(), &format!("{name}>"));
                self.print(&format!("{name} {line}"));
            }
            // Do not print this line, because `phase_message` shows it next to the time.
            Notice::Switch(line) if line.starts_with(WATCHING) => {}
            // Print the output of the switch program, so that it stays on the screen.
            Notice::Switch(line) => self.print(&format!("          {line}")),
            Notice::BuildStarted(..)
            | Notice::FetchStarted(_)
            | Notice::BuildPhase(..)
            | Notice::Missing { .. } => {}
        }
    }

    fn draw(&mut self, model: &Model, now: Duration) {
        if let Some((phase, since)) = model.phase {
            let elapsed = now.saturating_sub(since);
            let bar = self.phase_bar(phase);
            let message = match model.slow_source(now) {
                Some((source, read)) => source_message(source, read, elapsed),
                None => phase_message(phase, model, elapsed),
            };
            match model.share(now) {
                Some(share) => {
                    bar.set_style(known(self.style, columns(), measure_text_width(&message)));
                    bar.set_position((share * STEPS as f64) as u64);
                }
                None => bar.set_style(unknown(self.style)),
            }
            bar.set_message(message);
            bar.tick();
        }
        self.draw_running(model, now);
        self.draw_bench(model.round.as_ref());
    }

    fn pause(&mut self) {
        let bars = std::mem::take(&mut self.phases).into_values();
        for bar in bars.chain(self.running.drain(..)).chain(self.bench.take()) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }

    fn clear(&mut self) {
        // Remove the bars. The lines that were printed stay on the screen.
        let _ = self.screen.clear();
        // Hide the bars, because indicatif draws an unfinished bar again when the bar is dropped,
        // and would overwrite later output.
        self.screen.set_draw_target(ProgressDrawTarget::hidden());
    }
}

fn columns() -> usize {
    console::Term::stderr()
        .size_checked()
        .map_or(COLUMNS, |(_, columns)| usize::from(columns))
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Returns the style for a phase of unknown length.
fn unknown(style: Style) -> ProgressStyle {
    let text = if style.colour {
        "{prefix:9} {spinner:.cyan} {wide_msg}"
    } else {
        "{prefix:9} {spinner} {wide_msg}"
    };
    template(text).tick_chars(if style.unicode {
        "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "
    } else {
        "-\\|/ "
    })
}

/// Returns the style for a phase of known length. The bar uses the space next to the text, up to a
/// third of the line.
fn known(style: Style, columns: usize, words: usize) -> ProgressStyle {
    let room = columns.saturating_sub(words + 16);
    let width = room.min(columns / 3);
    if width < 4 {
        return template("{prefix:9} {percent:>3} %  {wide_msg}");
    }
    let bar = if style.colour {
        format!("{{bar:{width}.cyan/dim}}")
    } else {
        format!("{{bar:{width}}}")
    };
    template(&format!(
        "{{prefix:9}} {bar} {{percent:>3}} %  {{wide_msg}}"
    ))
    .progress_chars(if style.unicode { "━╸─" } else { "=>-" })
}

/// Truncates a name to this number of columns.
fn shortened(name: &str, columns: usize, style: Style) -> Cow<'_, str> {
    truncate_str(name, columns, if style.unicode { "…" } else { "..." })
}

fn phase_message(phase: Phase, model: &Model, elapsed: Duration) -> String {
    let time = duration(elapsed);
    match phase {
        Phase::Evaluate => {
            let left = model
                .estimate
                .as_ref()
                .map(|estimate| time_of(estimate.milliseconds).saturating_sub(elapsed))
                .filter(|left| left.as_millis() > 200)
                .map_or_else(String::new, |left| format!(", {} left", duration(left)));
            format!("{} files, {time}{left}", model.files)
        }
        Phase::Build | Phase::Fetch => {
            let mut parts = Vec::new();
            if model.built.expected > 0 {
                parts.push(format!(
                    "{} of {} built",
                    model.built.done, model.built.expected
                ));
            }
            if model.fetched.expected > 0 {
                parts.push(format!(
                    "{} of {}",
                    bytes(model.fetched.done),
                    bytes(model.fetched.expected)
                ));
            }
            parts.push(time);
            parts.join(", ")
        }
        // A watch has no other progress to show, so show the watched units.
        Phase::Activate if model.switch_line.starts_with(WATCHING) => {
            format!("{time}, {}", model.switch_line)
        }
        _ => time,
    }
}

/// Formats a line with the bytes and the time first, because a long path may not fit on the line.
fn source_message(source: &str, read: u64, elapsed: Duration) -> String {
    let time = duration(elapsed);
    match read {
        0 => format!("{time}, {source}"),
        read => format!("{}, {time}, {source}", bytes(read)),
    }
}

/// Formats a line with the remaining time first, because a long name may not fit on the line.
fn round_message(round: &TaskProgress, style: Style) -> String {
    let left = round
        .left
        .map_or_else(String::new, |left| format!("{} left, ", duration(left)));
    format!("{left}{}", shortened(&round.name, 40, style))
}

fn running_line(running: &Running, now: Duration, style: Style) -> String {
    let name = shortened(&running.name, 30, style);
    let time = duration(now.saturating_sub(running.since));
    let mut text = match &running.machine {
        Some(machine) => format!("{name} on {}  {time}", shortened(machine, 30, style)),
        None => format!("{name}  {time}"),
    };
    if !running.state.is_empty() {
        text.push_str("  ");
        text.push_str(&running.state);
    }
    if !running.line.is_empty() {
        text.push_str("  ");
        text.push_str(&running.line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::style::RendererKind;
    use super::*;

    #[test]
    fn watched_units_are_shown_next_to_the_time() {
        let mut model = Model::new(false, 1);
        let message = |model: &Model| phase_message(Phase::Activate, model, Duration::from_secs(2));
        model.switch_line = "activating the configuration...".into();
        assert_eq!(message(&model), "2.0 s");
        model.switch_line = "watching web.service for 3.0 s".into();
        assert_eq!(message(&model), "2.0 s, watching web.service for 3.0 s");
    }

    #[test]
    fn source_is_shown_after_its_bytes() {
        let message = |read| source_message("reading /nixpkgs", read, Duration::from_secs(2));
        assert_eq!(message(0), "2.0 s, reading /nixpkgs");
        assert_eq!(message(5000), "5.00 kB, 2.0 s, reading /nixpkgs");
    }

    #[test]
    fn running_build_is_one_line_with_last_output() {
        let style = Style {
            kind: RendererKind::Bars,
            build_logs: false,
            verbosity: 1,
            colour: false,
            unicode: true,
        };
        let mut running = Running {
            name: "hello".into(),
            machine: None,
            since: Duration::from_secs(1),
            state: "buildPhase".into(),
            line: "cc main.c".into(),
            bytes: (0, 0),
        };
        assert_eq!(
            running_line(&running, Duration::from_secs(3), style),
            "hello  2.0 s  buildPhase  cc main.c"
        );
        running.machine = Some("builder".into());
        assert_eq!(
            running_line(&running, Duration::from_secs(3), style),
            "hello on builder  2.0 s  buildPhase  cc main.c"
        );
    }
}
