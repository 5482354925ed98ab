//! Many transactions in a row: time, memory, file descriptors, GC roots and files must not grow
//! with their number.
//!
//! Runs 100 transactions, or 10,000 if `RUNTIME_MODULE_SOAK` is set.

use std::fs;

use unix::sys::signal::{Signal, kill};
use unix::unistd::Pid;

use crate::support::{Evidence, TestEnv, soak};

/// The cost of one transaction.
#[derive(Clone, Copy, Debug)]
struct TransactionCost {
    milliseconds: f64,
    /// The peak memory of the evaluator in bytes, or nothing if the result was cached.
    evaluator: Option<f64>,
    /// The number of files, links and folders below the machine's root.
    files: usize,
    /// The number of GC roots, ours and the store's.
    roots: usize,
    /// The total size in bytes of the files about transactions, such as the state, the history, the
    /// logs and the requested modules.
    kept: u64,
}

fn command(number: usize) -> &'static str {
    ["enable", "disable"][number % 2]
}

/// Enables or disables a module, without the cache in two of ten cases.
fn transaction(env: &TestEnv, number: usize) -> TransactionCost {
    let mut arguments = vec![command(number), "inline", "--json"];
    if number % 10 < 2 {
        arguments.push("--no-cache");
    }
    let ran = env.run(&arguments).ok();
    let document = ran.json();
    let links = |folder| fs::read_dir(folder).map_or(0, Iterator::count);
    TransactionCost {
        milliseconds: ran.time.as_secs_f64() * 1e3,
        evaluator: document["counters"]["peakBytes"].as_f64(),
        files: env.everything().len(),
        roots: links(env.root("run/runtime-modules/roots")) + links(env.path("state/gcroots/auto")),
        kept: bytes_in(env),
    }
}

fn bytes_in(env: &TestEnv) -> u64 {
    let folders = [
        "run/runtime-modules",
        "run/runtime-modules/log",
        "var/lib/runtime-modules",
    ];
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(env.root(folder)).expect("a folder"));
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

/// Returns the number of file descriptors and the peak memory of the process at a point in a
/// transaction.
fn held_at(env: &TestEnv, number: usize, point: &str) -> (usize, u64) {
    let mut command = env.command([command(number), "inline"]);
    command.env("RUNTIME_MODULE_FAULT", format!("{point}:before:stop"));
    let running = env.start_running(command);
    let pid = env
        .processes()
        .wait_for_stop(running.pid())
        .expect("a process at the point");
    let held = (descriptors(pid), peak(pid));
    kill(pid, Signal::SIGCONT).expect("continued");
    running.end().ok();
    held
}

fn descriptors(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("descriptors")
        .count()
}

/// Returns the peak memory of a process in kB.
fn peak(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("a peak");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn transaction_cost_does_not_grow() {
    let count = soak(10_000).unwrap_or(100);
    let evidence = Evidence::of("load");
    let env = TestEnv::new();
    // After this many transactions, the history and the logs have reached their limits.
    let warm = 30;
    for number in 0..warm {
        transaction(&env, number);
    }
    let points = ["client.report", "activator.release"];
    let held_now = || [held_at(&env, 0, points[0]), held_at(&env, 1, points[1])];
    let first = held_now();
    let costs: Vec<TransactionCost> = (0..count).map(|number| transaction(&env, number)).collect();
    let last = held_now();

    for ((point, first), last) in points.iter().zip(first).zip(last) {
        assert_holds_no_more(point, first, last);
    }
    let part = count / 5;
    let (early, late) = (&costs[..part], &costs[count - part..]);
    let both = |of: fn(&TransactionCost) -> Option<f64>| {
        (
            median(early.iter().filter_map(of)),
            median(late.iter().filter_map(of)),
        )
    };
    let time = (least(early), least(late));
    let memory = both(|cost| cost.evaluator);
    assert!(
        time.1 < time.0 * 1.5 + 50.0,
        "the time of a transaction grew from {} ms to {} ms",
        time.0,
        time.1
    );
    assert!(
        memory.1 < memory.0 * 1.1,
        "the evaluator's memory grew from {} to {} bytes",
        memory.0,
        memory.1
    );
    let (early, late) = (early[part - 1], late[part - 1]);
    assert_eq!(early.files, late.files, "files");
    assert_eq!(early.roots, late.roots, "GC roots");
    assert!(
        late.kept <= early.kept + 4096,
        "the kept files grew from {} to {} bytes",
        early.kept,
        late.kept
    );
    evidence.write(&serde_json::json!({
        "transactions": count,
        "leastMilliseconds": {"first fifth": time.0, "last fifth": time.1},
        "medianEvaluatorPeakBytes": {"first fifth": memory.0, "last fifth": memory.1},
        "files": {"first fifth": early.files, "last": late.files},
        "roots": {"first fifth": early.roots, "last": late.roots},
        "keptBytes": {"first fifth": early.kept, "last": late.kept},
        "heldBefore": held(&points, first),
        "heldAfter": held(&points, last),
    }));
}

/// Returns the minimum time, because other load on the machine only adds time.
fn least(costs: &[TransactionCost]) -> f64 {
    let times = costs.iter().map(|cost| cost.milliseconds);
    times.fold(f64::MAX, f64::min)
}

/// Checks that a process still has as many open files at this point, and hardly more memory.
fn assert_holds_no_more(point: &str, first: (usize, u64), last: (usize, u64)) {
    assert_eq!(first.0, last.0, "{point}: file descriptors");
    assert!(
        last.1 < first.1 + first.1 / 4,
        "{point}: peak memory grew from {} kB to {} kB",
        first.1,
        last.1
    );
}

fn held(points: &[&str; 2], held: [(usize, u64); 2]) -> serde_json::Value {
    points
        .iter()
        .zip(held)
        .map(|(point, (descriptors, peak))| {
            (
                (*point).to_string(),
                serde_json::json!({"descriptors": descriptors, "peakKilobytes": peak}),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
