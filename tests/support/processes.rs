//! The processes of one environment, found by the environment that they inherit: nobody can hide by changing parents.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use unix::sys::signal::{Signal, kill};
use unix::unistd::Pid;

/// How often they are looked at: to look takes some milliseconds itself, which those who are waited for could use.
const GLANCE: Duration = Duration::from_millis(12);

/// For how long somebody else's process is taken for that: its number may become another's.
const MEMORY: Duration = Duration::from_secs(1);

/// The processes that have a path in their environment or command line.
pub struct Processes {
    place: PathBuf,
    /// Those that were started before are not looked at, in ticks since the boot.
    since: u64,
    /// Those that are nobody's here, and since when that is remembered. To look at one that is about to end holds up whoever
    /// waits for it, in the kernel, and many tests look at once.
    others: Mutex<(Instant, BTreeSet<String>)>,
}

impl Processes {
    /// Whoever belongs to an environment was started by the test, or later: all others need not be looked at closely.
    pub(super) fn of(place: &Path) -> Self {
        Self {
            place: place.to_path_buf(),
            since: started("self").unwrap_or(0),
            others: Mutex::new((Instant::now(), BTreeSet::new())),
        }
    }

    /// Only a process and those that were started after it: to look closely at all takes longer than a run.
    pub fn since(mut self, first: Pid) -> Self {
        self.since = started(&first.to_string()).unwrap_or(0);
        self
    }

    /// Those that there are now, with their command lines. The watchdog that the fixture's `timeout` leaves behind for
    /// ten seconds is not among them.
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
            let (command, environment) = told(&name);
            if command.contains(&place) || environment.contains(&place) {
                found.push((Pid::from_raw(pid), command));
            } else if !environment.is_empty() {
                others.1.insert(name);
            }
        }
        found
    }

    /// The first with this in its command line, once it is there.
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
            std::thread::sleep(GLANCE);
        }
    }

    /// The process that stands still at a fault (`:stop`); none if the run of `client` ends without coming there.
    pub fn wait_for_stop(&self, client: Pid) -> Option<Pid> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            let now = self.now();
            if let Some((pid, _)) = now.iter().find(|(pid, _)| state_of(*pid) == Some('T')) {
                return Some(*pid);
            }
            // A client that has ended and was not waited for yet has no command line any more. Whoever waits for a
            // confirmation does so for long.
            let ended = now
                .iter()
                .all(|(_, command)| command.contains(" __expire "));
            if ended && matches!(state_of(client), None | Some('Z')) {
                return None;
            }
            std::thread::sleep(GLANCE);
        }
        panic!("neither stopped nor ended: {:?}", self.now());
    }

    /// Does something while whoever stands still is let go at once.
    pub fn letting_go<T>(&self, doing: impl FnOnce() -> T) -> T {
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Also where a panic ends it.
            let _over = Over(&over);
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    for (pid, _) in self.now() {
                        if state_of(pid) == Some('T') {
                            let _ = kill(pid, Signal::SIGCONT);
                        }
                    }
                    std::thread::sleep(GLANCE * 3);
                }
            });
            doing()
        })
    }

    /// Waits until all have come to their end.
    pub fn wait_to_end(&self) {
        self.gone_within(Duration::from_secs(60));
    }

    /// Ends all that there are.
    pub fn end(&self) {
        for (pid, _) in self.all() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// All are gone within this time.
    pub fn gone_within(&self, time: Duration) {
        self.left_but("\0", time);
    }

    /// All but those with this in their command line are gone within this time; those.
    pub fn left_but(&self, text: &str, time: Duration) -> Vec<(Pid, String)> {
        let begun = Instant::now();
        loop {
            let left = self.now();
            if left.iter().all(|(_, command)| command.contains(text)) {
                return left;
            }
            assert!(begun.elapsed() <= time, "left behind: {left:?}");
            std::thread::sleep(GLANCE);
        }
    }
}

/// What a process says of itself: its name and command line, and its environment.
///
/// While a process becomes another program, it has neither for a moment, which is long on a busy machine: whoever looks just
/// then would take it to be nobody's, or gone. One that ends has neither while it still holds its files, and locks.
fn told(name: &str) -> (String, String) {
    let read = |file: &str| {
        let bytes = fs::read(format!("/proc/{name}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let environment = read("environ");
        // Neither a thread of the kernel's nor one that has ended has an executable.
        let becoming = environment.is_empty() && fs::read_link(format!("/proc/{name}/exe")).is_ok();
        if !(becoming || environment.is_empty() && is_ending(name)) || Instant::now() > patience {
            // A role that was forked off the client has its own name, and the client's command line.
            return (
                format!("{}: {}", read("comm").trim(), read("cmdline")),
                environment,
            );
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process has begun to end, and still has what it had open (Linux, `kernel/exit.c`: its memory goes first).
fn is_ending(name: &str) -> bool {
    const PF_EXITING: u64 = 0x4;
    let Some(stat) = Stat::of(name) else {
        return false;
    };
    // Its first thread may be a zombie before the others are.
    let over = matches!(stat.state(), Some('Z' | 'X')) && stat.number(THREADS).unwrap_or(0) <= 1;
    let ending = |flags| flags & PF_EXITING != 0;
    stat.number(FLAGS).is_some_and(ending) && !over
}

/// The state of a process.
fn state_of(pid: Pid) -> Option<char> {
    Stat::of(&pid.to_string())?.state()
}

/// When a process was started, in ticks since the boot.
fn started(name: &str) -> Option<u64> {
    Stat::of(name)?.number(STARTED)
}

// Numbers in a process's `stat`, counted from its state on (proc(5)).
const FLAGS: usize = 6;
const THREADS: usize = 17;
const STARTED: usize = 19;

/// What the kernel tells of a process in one line, after its name, which may hold anything.
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
