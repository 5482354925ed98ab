//! Prerequisites of tests. A test that lacks one is reported as skipped.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

/// Reports a skipped test on stderr, past the capture of the test harness, and in the file named by
/// `RUNTIME_MODULE_SKIPPED`, from which scripts count skipped tests.
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

/// Returns whether a program is installed; if not, reports the test as skipped.
pub fn has(test: &str, program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    if !there {
        skip(test, &format!("{program} is not installed"));
    }
    there
}

/// Returns the `nix` command that matches our libnix, or else the one in `PATH`. If there is none,
/// reports the test as skipped.
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
            "no nix command is installed (run scripts/libnix --with-nix)",
        );
    }
    there
}

/// Returns the number of repetitions of a long test; `None` if `RUNTIME_MODULE_SOAK` is not set.
/// `RUNTIME_MODULE_SOAK_RUNS` overrides the number.
pub fn soak(runs: usize) -> Option<usize> {
    std::env::var_os("RUNTIME_MODULE_SOAK")?;
    let fewer = std::env::var("RUNTIME_MODULE_SOAK_RUNS").ok();
    Some(fewer.and_then(|runs| runs.parse().ok()).unwrap_or(runs))
}

/// Returns the number of runnable processes per processor, at least one. Time limits are meant for
/// an idle machine, so tests multiply them by this number if other tests run at the same time.
pub fn crowd() -> u32 {
    let loads = fs::read_to_string("/proc/loadavg").expect("/proc/loadavg");
    let running = loads.split([' ', '/']).nth(3).expect("the fourth field");
    let processors = std::thread::available_parallelism().expect("processors");
    let running: u32 = running.parse().expect("a number");
    let processors = u32::try_from(processors.get()).expect("fits into u32");
    running.div_ceil(processors).max(1)
}
