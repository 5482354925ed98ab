//! Writes the results of long runs to `docs/evidence`, as evidence for `docs/reliability.md`.

use std::fs;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use super::REPOSITORY;

/// The name, start time and commit of one long run, for its results file.
pub struct Evidence {
    name: &'static str,
    begun: Instant,
    /// The commit at the start of the run. The checkout may be at another commit at its end.
    commit: String,
}

impl Evidence {
    /// Starts timing the run `name`, and remembers the commit.
    pub fn of(name: &'static str) -> Self {
        Self {
            name,
            begun: Instant::now(),
            commit: if wanted() {
                text("git", &["rev-parse", "HEAD"])
            } else {
                String::new()
            },
        }
    }

    /// Writes the results. Short runs, without `RUNTIME_MODULE_SOAK`, write nothing.
    pub fn write(&self, found: &Value) {
        if !wanted() {
            return;
        }
        let cpu = fs::read_to_string("/proc/cpuinfo").expect("processors");
        let document = json!({
            "schema": 1,
            "case": self.name,
            "commit": self.commit,
            "program": text(super::PROGRAM, &["--version"]),
            "machine": {
                "processors": cpu.lines().filter(|line| line.starts_with("processor")).count(),
                "kernel": text("uname", &["-r"]),
            },
            "seconds": self.begun.elapsed().as_secs(),
            "found": found,
        });
        let path = format!("{REPOSITORY}/docs/evidence/soak-{}.json", self.name);
        fs::write(path, format!("{document:#}\n")).expect("the evidence");
    }
}

fn wanted() -> bool {
    std::env::var_os("RUNTIME_MODULE_SOAK").is_some()
}

/// Returns the trimmed stdout of a program.
fn text(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(REPOSITORY)
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}
