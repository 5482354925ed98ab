//! What a test needs and a machine may lack. A test that cannot run says so loudly, and is counted.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

/// Says that a test was skipped, on stderr itself, which no test harness captures, and in the file that
/// `RUNTIME_MODULE_SKIPPED` names, for whoever runs all tests.
pub fn skip(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("RUNTIME_MODULE_SKIPPED") {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("the list of skipped tests");
        file.write_all(line.as_bytes())
            .expect("the list of skipped tests");
    }
}

/// Whether a program is there; if not, the test is skipped.
pub fn has(test: &str, program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    if !there {
        skip(test, &format!("there is no {program} on this machine"));
    }
    there
}

/// The `nix` command that goes with our libnix, for its daemon; without it the test is skipped.
pub fn nix(test: &str) -> Option<PathBuf> {
    let ours = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.libnix/bin/nix"));
    if ours.exists() {
        return Some(ours);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path)
        .map(|folder| folder.join("nix"))
        .find(|nix| nix.exists());
    if there.is_none() {
        skip(
            test,
            "there is no nix command, whose daemon it needs (scripts/libnix --with-nix)",
        );
    }
    there
}

/// How often something is to be done where tests run for hours; none where they do not. `RUNTIME_MODULE_SOAK_RUNS` makes
/// it fewer.
pub fn soak(runs: usize) -> Option<usize> {
    std::env::var_os("RUNTIME_MODULE_SOAK")?;
    let fewer = std::env::var("RUNTIME_MODULE_SOAK_RUNS").ok();
    Some(fewer.and_then(|runs| runs.parse().ok()).unwrap_or(runs))
}
