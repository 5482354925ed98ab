//! The output of common commands on terminals of 60, 80 and 200 columns, compared with golden files.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::progress::Terminal;
use crate::support::{PROGRAM_IN_SHELL, TestEnv, compare, has};

static BAR: LazyLock<Regex> = LazyLock::new(|| Regex::new("[━╸─]{3,}").expect("a rule"));
static SPINNER: LazyLock<Regex> = LazyLock::new(|| Regex::new("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]").expect("a rule"));
static COUNT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r" *\d+( %| of \d+ built)").expect("a rule"));
/// Matches the figures of a benchmark.
static FIGURE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r" *[+-]?\b\d[\d.,]*(?: ?(?:ms|s|%)\b| ?%)?(?: ±| \(too few runs to tell\))?")
        .expect("a rule")
});
/// Matches texts that wrap differently depending on the figures in them.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)((?:\n|  hello  ))[+-]?[ \d][^\n]*?(?:runs,|thunks,).*?(own overhead|calls)")
        .expect("a rule")
});
static PLOT: LazyLock<Regex> = LazyLock::new(|| Regex::new("[ ─▒█]*[▒█][ ─▒█]*").expect("a rule"));

/// The screens of terminals of one width.
struct Screens<'a> {
    env: &'a TestEnv,
    columns: u32,
    seen: String,
}

impl<'a> Screens<'a> {
    /// Runs the program and keeps its final screen.
    fn show(&mut self, arguments: &str) {
        let terminal = self.start(arguments);
        self.end(arguments, &terminal);
    }

    fn start(&self, arguments: &str) -> Terminal<'a> {
        Terminal::start(
            self.env,
            self.columns,
            &format!("{PROGRAM_IN_SHELL} {arguments}"),
        )
    }

    /// Runs the program, answers its question, and keeps its final screen.
    fn answer(&mut self, arguments: &str, answer: &str) {
        let terminal = self.start(arguments);
        terminal.until("[y/N]");
        let keys = terminal.tmux(&["send-keys", answer, "Enter"]).status();
        assert!(keys.expect("tmux").success());
        self.end(arguments, &terminal);
    }

    fn end(&mut self, arguments: &str, terminal: &Terminal<'_>) {
        let code = terminal.end();
        terminal.is_restored();
        self.keep(&format!("{arguments}  [{code}]"), terminal, |screen| screen);
    }

    /// Keeps the current screen, and checks that no line is cut.
    fn keep(&mut self, what: &str, terminal: &Terminal<'_>, normalise: impl Fn(String) -> String) {
        let screen = terminal.screen();
        let joined = terminal.ask(&["capture-pane", "-p", "-J"]);
        let screen = self.whole(what, &screen, &joined);
        let screen = normalise(self.env.normalise(&screen));
        self.seen += &format!("$ {what}\n{}\n\n", screen.trim_end());
    }

    /// Returns the rows of a screen, with wrapped rows joined. The terminal may wrap only long
    /// words and the verbatim lines of files and logs.
    fn whole(&self, what: &str, screen: &str, joined: &str) -> String {
        let columns = self.columns as usize;
        let mut whole = String::new();
        let mut rows = screen.lines().peekable();
        while let Some(row) = rows.next() {
            whole.push_str(row);
            let full = row.chars().count() == columns;
            let cut = rows
                .peek()
                .filter(|next| full && joined.contains(&format!("{row}{next}")));
            let Some(next) = cut else {
                whole.push('\n');
                continue;
            };
            let begin = row.trim_start();
            let excerpt = begin.starts_with('>') || begin.contains(" | ");
            let ends = [row.rsplit(' ').next(), next.split(' ').next()];
            let word: usize = ends.iter().flatten().map(|part| part.len()).sum();
            assert!(
                excerpt || word > columns / 2,
                "{what}: a line is cut at {columns} columns: {row}"
            );
        }
        whole
    }
}

fn screens(test: &str, columns: u32) {
    if !has(test, "tmux") {
        return;
    }
    let env = TestEnv::fixture_in_tmp().gated().start("box");
    let mut screens = Screens {
        env: &env,
        columns,
        seen: String::new(),
    };
    screens.show("list");
    screens.show("status");
    // Keep the screen with bars during the build, and the final screen.
    let terminal = screens.start("enable slow hello");
    terminal.until("waiting");
    // Mask counters and bars: the order of builds depends on hashes.
    let moment = |screen: String| {
        let screen = BAR.replace_all(&screen, "<bar>");
        let screen = COUNT.replace_all(&screen, "<n>$1");
        SPINNER.replace_all(&screen, "<turning>").into_owned()
    };
    // Wait until everything else is built and only the gate is left.
    let mut before = String::new();
    let mut same = 0;
    while same < 3 {
        std::thread::sleep(Duration::from_millis(300));
        let now = moment(env.normalise(&terminal.screen()));
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
    screens.keep("enable slow hello  [in the middle]", &terminal, moment);
    env.open_gate();
    screens.end("enable slow hello", &terminal);
    drop(terminal);
    screens.show("enable banner --progress plain");
    screens.show("enable folder --dry-run");
    screens.show("enable inline");
    screens.show("disable inline");
    screens.show("history");
    screens.show("status");
    screens.answer("enable settings --ask", "n");
    screens.answer("enable settings --ask", "y");
    screens.show("enable settings --confirm 600s --force");
    screens.show("status");
    screens.show("confirm");
    screens.show("enable helo");
    screens.show("enable type-error");
    screens.show("enable conflict-a conflict-b");
    screens.show("enable broken-build");
    screens.show("enable --dance");
    screens.show("check hello settings type-error --workers 1");
    compare(&format!("screens-{columns}"), &screens.seen);
}

#[test]
fn screens_of_60_columns() {
    screens("screens_of_60_columns", 60);
}

#[test]
fn screens_of_80_columns() {
    screens("screens_of_80_columns", 80);
}

#[test]
fn screens_of_200_columns() {
    screens("screens_of_200_columns", 200);
}

/// The figures and the plot differ between runs, so only the layout is compared.
#[test]
fn benchmark_fits_its_terminal() {
    let test = "benchmark_fits_its_terminal";
    if !has(test, "tmux") {
        return;
    }
    let env = TestEnv::fixture_in_tmp().start("box");
    let shape = |screen: String| {
        let screen = WORDS.replace_all(&screen, "$1<figures>$2");
        let lines = screen.lines();
        lines
            .take_while(|line| !line.contains("warning:"))
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                // The number of columns depends on the width of the figures.
                match line.find(" ±") {
                    Some(_) if words[0] == "median" => "  median  mean ± dev  …\n".into(),
                    Some(_) => format!("{} {}  <figures>\n", words[0], words[1]),
                    None => {
                        let line = PLOT.replace(line, "  <plot>");
                        format!("{}\n", FIGURE.replace_all(&line, " N").trim_end())
                    }
                }
            })
            .collect()
    };
    let mut seen = String::new();
    for columns in [60, 80, 200] {
        let mut screens = Screens {
            env: &env,
            columns,
            seen: String::new(),
        };
        let arguments = "bench eval hello -n 2";
        let terminal = screens.start(arguments);
        terminal.until("left");
        let line = terminal.screen();
        let line = line.lines().find(|line| line.starts_with("bench "));
        assert!(
            line.is_some_and(|line| line.contains(" %") && line.chars().count() <= columns as usize),
            "{line:?}"
        );
        assert_eq!(terminal.end(), "code 0");
        screens.keep(
            &format!("{arguments}  [{columns} columns]"),
            &terminal,
            shape,
        );
        seen += &screens.seen;
    }
    compare("screens-bench", &seen);
}
