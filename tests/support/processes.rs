//! The processes of one environment, found by the environment that they inherit: nobody can hide by changing parents.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use unix::sys::signal::{Signal, kill};
use unix::unistd::Pid;

/// The processes that have a path in their environment or command line.
pub struct Processes {
    place: PathBuf,
}

impl Processes {
    pub(super) fn of(place: &Path) -> Self {
        Self {
            place: place.to_path_buf(),
        }
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
        for name in entries.map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        }) {
            let Ok(pid) = name.parse() else { continue };
            let read = |file: &str| {
                let bytes = fs::read(format!("/proc/{name}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            // A role that was forked off the client has its own name, and the client's command line.
            let command = format!("{}: {}", read("comm").trim(), read("cmdline"));
            if name != own && (command.contains(&place) || read("environ").contains(&place)) {
                found.push((Pid::from_raw(pid), command));
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
            std::thread::sleep(Duration::from_millis(5));
        }
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
        let begun = Instant::now();
        loop {
            let left = self.now();
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() <= time, "left behind: {left:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
