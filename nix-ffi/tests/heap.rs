//! The collector's heap.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start programs"
)]

mod common;

use std::fs;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use common::evaluate;

/// The variable from which libgc reads the size of its initial heap, before `main`.
const HEAP: &str = "GC_INITIAL_HEAP_SIZE";

fn main() -> ExitCode {
    if std::env::var_os(HEAP).is_none() {
        let myself = std::env::current_exe().expect("this program");
        let status = Command::new(myself)
            .args(std::env::args_os().skip(1))
            .env(HEAP, (2_u64 << 30).to_string())
            .status()
            .expect("started again");
        return u8::try_from(status.code().unwrap_or(101))
            .map_or(ExitCode::FAILURE, ExitCode::from);
    }
    common::main(&common::trials![pages_are_populated_before_use])
}

/// Returns the resident memory of this process in bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("memory");
    let pages = text.split_whitespace().nth(1).and_then(|n| n.parse().ok());
    pages.map_or(0, |pages: u64| pages * 4096)
}

/// Returns the number of minor page faults of this thread.
fn faults() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/stat").expect("counters");
    let rest = text.rsplit(") ").next().expect("fields");
    rest.split_whitespace()
        .nth(7)
        .and_then(|n| n.parse().ok())
        .expect("a count")
}

fn pages_are_populated_before_use() {
    evaluate(|e| {
        let work = "builtins.length (builtins.genList (n: { a = n; }) 400000)";
        let before = resident();
        nix_ffi::touch_ahead().expect("started");
        sleep(Duration::from_millis(300));
        let ahead = resident() - before;
        assert!(
            (1 << 20..40 << 20).contains(&ahead),
            "{ahead} bytes were populated"
        );
        // Populated pages cause no faults. This thread may overtake the populating thread, so some
        // faults are allowed.
        let (before, begun) = (faults(), resident());
        for _ in 0..20 {
            assert_eq!(e.json(work).expect("evaluated"), "400000");
            sleep(Duration::from_millis(50));
        }
        let pages = (resident() - begun) / 4096;
        let faults = faults() - before;
        assert!(pages > 10_000, "only {pages} pages were used");
        assert!(
            faults < pages - pages / 10,
            "{faults} faults for {pages} pages"
        );
    });
}
