//! Progress output: plain lines, events, none, and bars on a terminal.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{PROGRAM_IN_SHELL, TestEnv, crowd, has};

#[test]
fn plain_lines_are_the_default_without_a_terminal() {
    let env = TestEnv::new();
    env.run(&["cache", "clear"]).ok();
    let plain = env
        .run(&["enable", "hello", "--progress", "plain", "--dry-run"])
        .ok();
    env.run(&["cache", "clear"]).ok();
    let auto = env.run(&["enable", "hello", "--dry-run"]).ok();
    assert_eq!(plain.text().replace(" --progress plain", ""), auto.text());
    assert!(!plain.stderr.contains('\u{1b}'), "{:?}", plain.stderr);
}

#[test]
fn events_are_json_lines() {
    let env = TestEnv::new();
    let ran = env
        .run(&["enable", "hello", "warning", "--progress", "events", "-L"])
        .ok();
    let mut lines: Vec<&str> = ran.stderr.lines().collect();
    // A human-readable table would have indented lines. There must be none.
    lines.retain(|line| !line.starts_with("  "));
    assert_eq!(
        lines.len(),
        ran.stderr.lines().count(),
        "with --progress events, stderr has other lines:\n{}",
        ran.stderr
    );
    let events = ran.events();
    let has = |event: &str, key: &str, value: &str| {
        events
            .iter()
            .any(|one| one["event"] == event && one[key] == value)
    };
    for phase in ["lock", "evaluate", "query", "build", "activate"] {
        assert!(
            has("phase-begin", "phase", phase),
            "{phase}: {}",
            ran.stderr
        );
        assert!(has("phase-end", "phase", phase), "{phase}: {}", ran.stderr);
    }
    assert!(has("build", "name", "unit-hello.service"), "{}", ran.stderr);
    assert!(
        has("switch-line", "line", "activating the configuration..."),
        "{}",
        ran.stderr
    );
    assert!(
        has(
            "warning",
            "text",
            "The option services.old is deprecated; use services.new."
        ),
        "{}",
        ran.stderr
    );
    assert!(
        events
            .iter()
            .any(|one| one["event"] == "missing" && one["build"].as_u64() > Some(0)),
        "{}",
        ran.stderr
    );
}

#[test]
fn progress_off_prints_nothing() {
    let env = TestEnv::new();
    let ran = env
        .run(&["enable", "inline", "--progress", "off"])
        .ok()
        .golden("enable-progress-off");
    assert!(!ran.stderr.contains("evaluate …"));
    env.run(&["enable", "hello", "--json"])
        .ok()
        .golden("enable-json-stderr");
}

#[test]
fn build_logs_are_printed_on_request() {
    let env = TestEnv::new();
    let ran = env.run(&["enable", "broken-build", "-L"]).ends_with(4);
    assert!(
        ran.stderr.contains("\nbroken-build> compiling part 1\n"),
        "{}",
        ran.stderr
    );
    let again = env
        .run(&[
            "enable",
            "broken-build",
            "--print-build-logs",
            "--progress",
            "off",
        ])
        .ends_with(4);
    assert!(
        again.stderr.contains("broken-build> compiling part 40\n"),
        "{}",
        again.stderr
    );
    let quiet = env.run(&["enable", "broken-build"]).ends_with(4);
    assert!(!quiet.stderr.contains("broken-build> "), "{}", quiet.stderr);
}

#[test]
fn a_hundred_thousand_log_lines_are_fast() {
    let env = TestEnv::new();
    let ran = env.run(&["enable", "noisy", "-L"]).ok();
    assert_eq!(
        ran.stderr
            .lines()
            .filter(|line| line.starts_with("noisy> this is line "))
            .count(),
        100_000
    );
    assert!(
        ran.time < Duration::from_secs(20) * crowd(),
        "{:?}",
        ran.time
    );
}

#[test]
fn no_color_disables_colours() {
    let name = "no_color_disables_colours";
    if !has(name, "script") {
        return;
    }
    let env = TestEnv::new();
    let typescript = |colour: bool| {
        let file = env.path("typescript");
        let command = format!("{PROGRAM_IN_SHELL} enable web --dry-run --progress bars");
        let mut script = env.other("script");
        script
            .args(["-qefc", &command])
            .arg(&file)
            .env("TERM", "xterm-256color");
        if !colour {
            script.env("NO_COLOR", "1");
        }
        env.start_running(script).end().ok();
        fs::read_to_string(file).expect("a typescript")
    };
    assert!(
        colours(&typescript(true)) > 0,
        "no colour: {:?}",
        typescript(true)
    );
    assert_eq!(colours(&typescript(false)), 0, "{:?}", typescript(false));
}

/// Counts the escape sequences that select a colour.
fn colours(text: &str) -> usize {
    let sequences = text.split("\u{1b}[").skip(1);
    sequences
        .filter(|rest| {
            let parameters = rest
                .split(|c: char| c.is_ascii_alphabetic())
                .next()
                .unwrap_or_default();
            let is_style = rest[parameters.len()..].starts_with('m');
            is_style
                && parameters
                    .split(';')
                    .any(|one| one.len() >= 2 && one.starts_with(['3', '4', '9']))
        })
        .count()
}

/// A terminal in its own tmux server.
pub(super) struct Terminal<'a> {
    env: &'a TestEnv,
    /// Makes the server unique within a test, because the previous server may still be shutting
    /// down.
    number: usize,
}

impl<'a> Terminal<'a> {
    /// Runs `command` in a shell that keeps the terminal open afterwards.
    pub(super) fn start(env: &'a TestEnv, columns: u32, command: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let terminal = Self { env, number };
        // Remove the files of an earlier terminal.
        for file in ["stty-before", "code", "stty-after"] {
            let _ = fs::remove_file(env.path(file));
        }
        let shell = format!(
            "stty -a > {0}/stty-before; {command}; echo \"code $?\" > {0}/code; stty -a > {0}/stty-after; sleep 600",
            env.path("").display()
        );
        let (columns, done) = (columns.to_string(), ["new-session", "-d", "-x"]);
        let arguments = [&done[..], &[&columns, "-y", "70", "/bin/sh", "-c", &shell]].concat();
        assert!(terminal.tmux(&arguments).status().expect("tmux").success());
        terminal
    }

    pub(super) fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = self.env.other("tmux");
        command
            .arg("-S")
            .arg(self.env.path(&format!("tmux-{}", self.number)))
            .args(["-f", "/dev/null"])
            .args(arguments);
        command
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    pub(super) fn ask(&self, arguments: &[&str]) -> String {
        let output = self.tmux(arguments).output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Returns the text on the screen.
    pub(super) fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    /// Waits until the screen contains `text`.
    pub(super) fn until(&self, text: &str) {
        let begun = Instant::now();
        while !self.screen().contains(text) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{text:?} does not appear:\n{}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end of the command and returns its exit code.
    pub(super) fn end(&self) -> String {
        let begun = Instant::now();
        loop {
            // The shell writes this file last.
            if self.env.path("stty-after").exists() {
                std::thread::sleep(Duration::from_millis(100));
                return fs::read_to_string(self.env.path("code"))
                    .expect("a code")
                    .trim()
                    .to_string();
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the command does not end:\n{}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Checks that the terminal is restored: its settings, a visible cursor, the normal screen, and no remains of bars.
    pub(super) fn is_restored(&self) {
        let stty = |file| {
            let settings = fs::read_to_string(self.env.path(file)).expect("settings");
            // The first line contains the window size.
            settings.split_once('\n').expect("lines").1.to_string()
        };
        assert_eq!(stty("stty-before"), stty("stty-after"));
        assert_eq!(
            self.ask(&["display-message", "-p", "#{cursor_flag} #{alternate_on}"])
                .trim(),
            "1 0"
        );
        let screen = self.screen();
        assert!(
            !screen.contains([
                '━', '╸', '⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏', '\u{1b}'
            ]),
            "{screen}"
        );
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).status();
    }
}

#[test]
fn bars_appear_and_are_removed() {
    let name = "bars_appear_and_are_removed";
    if !has(name, "tmux") {
        return;
    }
    for columns in [80, 200] {
        let env = TestEnv::fixture().gated().start("box");
        let terminal = Terminal::start(
            &env,
            columns,
            &format!("{PROGRAM_IN_SHELL} enable slow hello"),
        );
        terminal.until("waiting");
        let screen = terminal.screen();
        assert!(
            screen
                .lines()
                .any(|line| line.starts_with("build ") && line.contains("built")),
            "{screen}"
        );
        assert!(
            screen.lines().any(|line| line.trim().starts_with("gate ")),
            "{screen}"
        );
        assert!(
            screen
                .lines()
                .all(|line| line.chars().count() <= columns as usize),
            "{screen}"
        );
        env.open_gate();
        assert_eq!(terminal.end(), "code 0", "{}", terminal.screen());
        terminal.is_restored();
        let screen = env.normalise(&terminal.screen());
        crate::support::compare(
            &format!("bars-{columns}"),
            &(screen.trim_end().to_string() + "\n"),
        );
    }
}

#[test]
fn check_shows_progress_below_its_rows() {
    let name = "check_shows_progress_below_its_rows";
    if !has(name, "tmux") {
        return;
    }
    for columns in [80, 200] {
        let env = TestEnv::new();
        let command =
            format!("{PROGRAM_IN_SHELL} check hello endless-loop --workers 2 --timeout 5");
        let terminal = Terminal::start(&env, columns, &command);
        terminal.until("box with hello");
        terminal.until("2 of 3; evaluating 1 for box");
        let screen = terminal.screen();
        let lines: Vec<&str> = screen.lines().filter(|line| !line.is_empty()).collect();
        assert!(
            lines.last().is_some_and(|line| line.starts_with("check ")
                && line.contains(" 67 %")
                && line.chars().count() <= columns as usize),
            "{screen}"
        );
        assert_eq!(terminal.end(), "code 3", "{}", terminal.screen());
        terminal.is_restored();
        let screen = terminal.screen();
        assert!(!screen.contains("at work"), "{screen}");
        assert!(screen.contains("3 checked, 1 failed"), "{screen}");
    }
}

#[test]
fn ctrl_c_restores_the_terminal() {
    let name = "ctrl_c_restores_the_terminal";
    if !has(name, "tmux") {
        return;
    }
    let env = TestEnv::fixture().gated().start("box");
    let terminal = Terminal::start(
        &env,
        80,
        &format!("trap : INT; {PROGRAM_IN_SHELL} enable slow hello"),
    );
    terminal.until("waiting");
    assert!(
        terminal
            .tmux(&["send-keys", "C-c"])
            .status()
            .expect("tmux")
            .success()
    );
    assert_eq!(terminal.end(), "code 130", "{}", terminal.screen());
    terminal.is_restored();
    let screen = env.normalise(&terminal.screen());
    crate::support::compare("bars-interrupted", &(screen.trim_end().to_string() + "\n"));
}

#[test]
fn bars_survive_a_resize() {
    let name = "bars_survive_a_resize";
    if !has(name, "tmux") {
        return;
    }
    let env = TestEnv::fixture().gated().start("box");
    let terminal = Terminal::start(&env, 200, &format!("{PROGRAM_IN_SHELL} enable slow hello"));
    terminal.until("waiting");
    assert!(
        terminal
            .tmux(&["resize-window", "-x", "60", "-y", "20"])
            .status()
            .expect("tmux")
            .success()
    );
    std::thread::sleep(Duration::from_millis(500));
    env.open_gate();
    assert_eq!(terminal.end(), "code 0", "{}", terminal.screen());
    terminal.is_restored();
}
