//! Starts the program, reads its output, sends it signals and keeps its result.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use unix::sys::signal::{Signal, kill, killpg};
use unix::unistd::Pid;

use super::golden::{compare, normalise};
use super::schema;

/// The time after which a run counts as hung.
const WAIT_LIMIT: Duration = Duration::from_secs(120);

/// A running program in its own process group.
pub struct RunningProgram {
    child: Child,
    arguments: String,
    place: PathBuf,
    started: Instant,
    stdout: Option<JoinHandle<String>>,
    lines: Receiver<String>,
    stderr: String,
}

impl RunningProgram {
    pub fn start(mut command: Command, place: &Path) -> Self {
        command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let words: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let started = Instant::now();
        let mut child = command.spawn().expect("the program started");
        let mut stdout = child.stdout.take().expect("a pipe");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.split(b'\n') {
                let line = String::from_utf8_lossy(&line.expect("stderr read")).into_owned();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            arguments: words.join(" "),
            place: place.to_path_buf(),
            started,
            stdout: Some(std::thread::spawn(move || {
                let mut bytes = Vec::new();
                stdout.read_to_end(&mut bytes).expect("stdout read");
                String::from_utf8_lossy(&bytes).into_owned()
            })),
            lines,
            stderr: String::new(),
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    /// Waits for a line of stderr that contains `text`.
    pub fn until(&mut self, text: &str) {
        let begun = Instant::now();
        loop {
            match self
                .lines
                .recv_timeout(WAIT_LIMIT.saturating_sub(begun.elapsed()))
            {
                Ok(line) => {
                    let found = line.contains(text);
                    self.hear(&line);
                    if found {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!(
                        "{}: no line with {text:?}:\n{}",
                        self.arguments, self.stderr
                    )
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!(
                        "{}: ended without a line with {text:?}:\n{}",
                        self.arguments, self.stderr
                    )
                }
            }
        }
    }

    fn hear(&mut self, line: &str) {
        self.stderr.push_str(line);
        self.stderr.push('\n');
    }

    /// Sends a signal to this process only.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a signal sent");
    }

    /// Sends a signal to the process group, as a terminal does on Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        killpg(self.pid(), signal).expect("a signal sent");
    }

    /// Waits for the process itself, even if others still hold its pipes.
    fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("waited") {
                return status;
            }
            if begun.elapsed() > WAIT_LIMIT {
                self.child.kill().expect("killed");
                panic!("{}: hangs:\n{}", self.arguments, self.stderr);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the end and collects the output.
    pub fn end(mut self) -> Ran {
        let status = self.wait();
        let time = self.started.elapsed();
        // A process that outlives the program may keep stderr open: stop reading shortly after the end.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(200)) {
            self.hear(&line);
        }
        let stdout = self
            .stdout
            .take()
            .expect("taken only here")
            .join()
            .expect("stdout read");
        Ran {
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout,
            stderr: self.stderr,
            time,
            arguments: self.arguments,
            place: self.place,
        }
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct Ran {
    /// The exit code, or 128 plus the number of the signal that ended the program.
    pub code: i32,
    /// The complete stdout.
    pub stdout: String,
    /// The complete stderr.
    pub stderr: String,
    /// The run time.
    pub time: Duration,
    arguments: String,
    place: PathBuf,
}

impl Ran {
    /// Requires exit code 0.
    pub fn ok(self) -> Self {
        self.ends_with(0)
    }

    /// Requires this exit code.
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "the exit code of\n{}", self.text());
        self
    }

    /// Parses stdout as one JSON document of schema 1.
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("stdout is not one JSON document: {error}\n{}", self.text())
        });
        assert_eq!(value["schema"], 1, "the schema of\n{}", self.text());
        schema::document(&value, &self.arguments);
        value
    }

    /// Compares the whole output with a golden file.
    pub fn golden(self, name: &str) -> Self {
        compare(name, &self.text());
        self
    }

    /// Returns the command, exit code and output in the form of a golden file.
    pub fn text(&self) -> String {
        let mut text = format!(
            "$ runtime-module {}\nexit code {}\n",
            self.arguments, self.code
        );
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                text.push_str(&format!("--- {name}\n{stream}"));
                if !stream.ends_with('\n') {
                    text.push_str("(no line end)\n");
                }
            }
        }
        normalise(&text, &self.place)
    }

    /// Parses every line of stderr as an event of schema 1.
    pub fn events(&self) -> Vec<Value> {
        let event = |line: &str| {
            let value: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("not an event: {line:?}: {error}"));
            assert_eq!(value["schema"], 1, "{line}");
            schema::event(&value, &self.arguments);
            value
        };
        self.stderr.lines().map(event).collect()
    }
}
