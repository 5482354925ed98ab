//! Finds the processes of a test environment by a path in their environment or command line, even
//! after they are reparented.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use unix::sys::signal::{Signal, kill};
use unix::unistd::Pid;

/// The polling interval: each poll takes a few milliseconds of CPU, which the processes under test
/// need.
const POLL_INTERVAL: Duration = Duration::from_millis(12);

/// The time after which the list of unrelated processes is discarded, because PIDs may be reused.
const MEMORY: Duration = Duration::from_secs(1);

/// The processes that have a path in their environment or command line.
pub struct Processes {
    place: PathBuf,
    /// The earliest start time of a process to find, in ticks since boot.
    since: u64,
    /// The PIDs of unrelated processes, and the time when this list was started. The list saves
    /// reads of `/proc`: reading the files of an ending process delays its parent in the kernel,
    /// and many tests poll at the same time.
    others: Mutex<(Instant, BTreeSet<String>)>,
}

impl Processes {
    /// Finds processes by the path `place`. Ignores processes that started before the current
    /// process.
    pub(super) fn of(place: &Path) -> Self {
        Self {
            place: place.to_path_buf(),
            since: started("self").unwrap_or(0),
            others: Mutex::new((Instant::now(), BTreeSet::new())),
        }
    }

    /// Restricts the search to `first` and younger processes, because inspecting all processes
    /// takes longer than a run.
    pub fn since(mut self, first: Pid) -> Self {
        self.since = started(&first.to_string()).unwrap_or(0);
        self
    }

    /// Returns the current processes with their command lines, without the watchdog that the
    /// fixture's `timeout` leaves running for ten seconds.
    pub fn now(&self) -> Vec<(Pid, String)> {
        let mut all = self.all();
        all.retain(|(_, command)| !command.contains(": timeout 10 "));
        all
    }

    fn all(&self) -> Vec<(Pid, String)> {
        let own = std::process::id().to_string();
        let place = self.place.display().to_string();
        let entries = fs::read_dir("/proc").expect("/proc");
        let mut found = Vec::new();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.0.elapsed() > MEMORY {
            *others = (Instant::now(), BTreeSet::new());
        }
        for name in entries.map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        }) {
            let Ok(pid) = name.parse() else { continue };
            if name == own || others.1.contains(&name) {
                continue;
            }
            if started(&name).is_none_or(|at| at < self.since) {
                others.1.insert(name);
                continue;
            }
            let (command, environment) = command_and_environment(&name);
            if command.contains(&place) || environment.contains(&place) {
                found.push((Pid::from_raw(pid), command));
            } else if !environment.is_empty() {
                others.1.insert(name);
            }
        }
        found
    }

    /// Waits for a process with `text` in its command line.
    pub fn wait_for(&self, text: &str) -> Pid {
        let begun = Instant::now();
        loop {
            let now = self.now();
            if let Some((pid, _)) = now.iter().find(|(_, command)| command.contains(text)) {
                return *pid;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "no process {text}, but {now:?}"
            );
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits for a process stopped by a fault (`:stop`). Returns nothing if the run of `client` ends without one.
    pub fn wait_for_stop(&self, client: Pid) -> Option<Pid> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            let now = self.now();
            if let Some((pid, _)) = now.iter().find(|(pid, _)| state_of(*pid) == Some('T')) {
                return Some(*pid);
            }
            // A client that has ended has no command line until it is reaped. A confirmation timer
            // may outlive the run.
            let ended = now
                .iter()
                .all(|(_, command)| command.contains(" __expire "));
            if ended && matches!(state_of(client), None | Some('Z')) {
                return None;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        panic!("neither stopped nor ended: {:?}", self.now());
    }

    /// Runs `doing`, and continues stopped processes meanwhile.
    pub fn letting_go<T>(&self, doing: impl FnOnce() -> T) -> T {
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Ends the thread even if `doing` panics.
            let _over = Over(&over);
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    for (pid, _) in self.now() {
                        if state_of(pid) == Some('T') {
                            let _ = kill(pid, Signal::SIGCONT);
                        }
                    }
                    std::thread::sleep(POLL_INTERVAL * 3);
                }
            });
            doing()
        })
    }

    /// Waits until all processes have ended.
    pub fn wait_to_end(&self) {
        self.gone_within(Duration::from_secs(60));
    }

    /// Kills all processes.
    pub fn end(&self) {
        for (pid, _) in self.all() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// Fails unless all processes end within this time.
    pub fn gone_within(&self, time: Duration) {
        self.left_but("\0", time);
    }

    /// Waits until only processes with `text` in their command line are left, and returns them.
    /// Fails if any other process is still running after `time`.
    pub fn left_but(&self, text: &str, time: Duration) -> Vec<(Pid, String)> {
        let begun = Instant::now();
        let mut before = None;
        loop {
            let left = self.now();
            let are_expected = left.iter().all(|(_, command)| command.contains(text));
            // A process may start a child and end after it was listed, but before it was inspected.
            // Only the next poll finds the child.
            if are_expected && before == Some(left.len()) {
                return left;
            }
            before = are_expected.then_some(left.len());
            if !are_expected {
                assert!(begun.elapsed() <= time, "still running: {left:?}");
                std::thread::sleep(POLL_INTERVAL);
            }
        }
    }
}

/// Returns a process's name with its command line, and its environment.
///
/// A process has no environment during `execve`, and while it is ending. On a busy machine, this
/// can take a while. The process would then look unrelated or ended, although an ending process
/// still holds its files and locks. So this function waits until the process has an environment or
/// has ended.
fn command_and_environment(name: &str) -> (String, String) {
    let read = |file: &str| {
        let bytes = fs::read(format!("/proc/{name}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let environment = read("environ");
        // Neither a kernel thread nor an ended process has an executable.
        let becoming = environment.is_empty() && fs::read_link(format!("/proc/{name}/exe")).is_ok();
        if !(becoming || environment.is_empty() && is_ending(name)) || Instant::now() > patience {
            // A fork of the client has its own name, but the client's command line.
            return (
                format!("{}: {}", read("comm").trim(), read("cmdline")),
                environment,
            );
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns whether a process is ending but may still have open files: Linux frees the memory of a
/// process before it closes the files (`kernel/exit.c`).
fn is_ending(name: &str) -> bool {
    const PF_EXITING: u64 = 0x4;
    let Some(stat) = Stat::of(name) else {
        return false;
    };
    // The first thread can be a zombie while others still run.
    let over = matches!(stat.state(), Some('Z' | 'X')) && stat.number(THREADS).unwrap_or(0) <= 1;
    let ending = |flags| flags & PF_EXITING != 0;
    stat.number(FLAGS).is_some_and(ending) && !over
}

fn state_of(pid: Pid) -> Option<char> {
    Stat::of(&pid.to_string())?.state()
}

/// Returns the start time of a process, in ticks since boot.
fn started(name: &str) -> Option<u64> {
    Stat::of(name)?.number(STARTED)
}

// Positions of fields in `/proc/PID/stat`, counted from the state (proc(5)).
const FLAGS: usize = 6;
const THREADS: usize = 17;
const STARTED: usize = 19;

/// The fields of `/proc/PID/stat` after the name, which may contain any character.
struct Stat(String);

impl Stat {
    fn of(name: &str) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        Some(Self(line.rsplit_once(") ")?.1.into()))
    }

    fn state(&self) -> Option<char> {
        self.0.chars().next()
    }

    fn number(&self, place: usize) -> Option<u64> {
        self.0.split(' ').nth(place)?.parse().ok()
    }
}
