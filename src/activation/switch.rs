//! The switch program of a toplevel, `bin/switch-to-configuration`: how it is run, and what its exit status means.
//!
//! Facts: nixpkgs' `switch-to-configuration.pl` (24.05) and `switch-to-configuration-ng` (24.11 and later). Status 0 is
//! well, 1 a refusal before anything changed, 2 a failed activation script, 3 a failed daemon-reload (the Perl script), 4
//! failed units (which hides a 2 before), 100 a changed init interface, 101 a panic of -ng.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use unix::sys::signal::{Signal, killpg};
use unix::sys::wait::{Id, WaitPidFlag, waitid};
use unix::unistd::Pid;

use super::log::{GLANCE, Log, Tail};
use super::systemd::is_name;
use crate::locations::Locations;
use crate::record::switches_elsewhere;

/// The status of a switch whose init interface differs from the running one's.
pub(super) const INIT_INTERFACE_CHANGED: i32 = 100;

/// Where the switch program finds what it does not name by its store path.
pub(super) const PATH: &str = "/run/current-system/sw/bin:/run/wrappers/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Lines that are kept for an error.
const LAST_LINES: usize = 12;

/// How a switch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Switched {
    /// The exit status; none if a signal ended it.
    pub(super) status: Option<i32>,
    /// Its last lines.
    pub(super) last_lines: Vec<String>,
    /// Whether it said that an activation script failed.
    pub(super) script_failed: bool,
    /// Whether it said that another switch has its lock.
    pub(super) locked: bool,
    /// Units that it said have failed.
    pub(super) failed_units: Vec<String>,
    /// Units that it said it stops, reloads, restarts or starts.
    pub(super) touched: Vec<String>,
    /// Whether it may have changed something: it said that it does, or nobody knows what it did.
    pub(super) begun: bool,
}

/// What a switch amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All well.
    Well,
    /// Active, with failed units.
    UnitsFailed,
    /// Refused before anything changed.
    Refused,
    /// Broken off or failed; what runs may be half of each.
    Failed,
    /// Somebody else has switched meanwhile, to neither of the two systems: that is not ours to undo.
    Superseded,
}

/// What of NixOS's own checks the switch program makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checks {
    /// All.
    All,
    /// None, as the user has said.
    None,
}

/// A switch program that is ready to run.
pub(super) struct Switch<'a> {
    command: Command,
    tail: Tail,
    locations: &'a Locations,
}

impl<'a> Switch<'a> {
    /// Prepares the switch program of `toplevel`, a real path. Its output goes to the log, never to a pipe: whoever reads
    /// may die, and the switch must not.
    pub(super) fn prepare(
        toplevel: &Path,
        checks: Checks,
        log: &Log,
        locations: &'a Locations,
    ) -> Result<Self> {
        let output = log.share()?;
        let mut command = Command::new(toplevel.join("bin/switch-to-configuration"));
        command
            .arg("test")
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("share the log")?)
            .stderr(output)
            // A terminal's Ctrl-C goes to the group in its foreground, and must not reach a switch.
            .process_group(0)
            .current_dir("/")
            .env_clear()
            .env("PATH", PATH)
            .env(
                "LOCALE_ARCHIVE",
                "/run/current-system/sw/lib/locale/locale-archive",
            )
            .env("NIXOS_INSTALL_BOOTLOADER", "0");
        if checks == Checks::None {
            command.env("NIXOS_NO_CHECK", "1");
        }
        if !locations.is_real() {
            command.env("RUNTIME_MODULE_ROOT", locations.root());
        }
        Ok(Self {
            command,
            tail: log.tail()?,
            locations,
        })
    }

    /// Runs it to its end. An error means that it was not started.
    pub(super) fn run(mut self) -> Result<Switched> {
        let mut child = self.command.spawn().context("start the switch program")?;
        let mut reading = Reading::default();
        loop {
            // A switch is never left alone: what cannot be asked for in passing is waited for.
            let ended = match child.try_wait() {
                Ok(ended) => ended,
                Err(_) => child.wait().ok(),
            };
            for line in self.tail.lines(ended.is_some()) {
                reading.line(&line);
            }
            match ended {
                Some(status) => return Ok(reading.end(status)),
                None if !reading.begun && gives_up(&mut child, self.locations) => {
                    return Ok(reading.locked_out());
                }
                None => std::thread::sleep(GLANCE),
            }
        }
    }
}

/// Ends a switch program that waits for NixOS's lock: the one in Perl does so without a word, and would replace whatever was
/// activated meanwhile.
fn gives_up(child: &mut Child, locations: &Locations) -> bool {
    let Ok(process) = i32::try_from(child.id()).map(Pid::from_raw) else {
        return false;
    };
    if !switches_elsewhere(locations, process) {
        return false;
    }
    // One that stands still cannot get the lock between a last look and its end. It is reaped by nobody but `child`.
    let _ = killpg(process, Signal::SIGSTOP);
    let stands = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    let _ = waitid(Id::Pid(process), stands);
    let waits = switches_elsewhere(locations, process);
    let then = if waits {
        Signal::SIGKILL
    } else {
        Signal::SIGCONT
    };
    let _ = killpg(process, then);
    waits && child.wait().is_ok()
}

/// What it says before the units that it is at.
const TOUCHES: [&str; 5] = [
    "stopping the following units: ",
    "reloading the following units: ",
    "restarting the following units: ",
    "starting the following units: ",
    "the following new units were started: ",
];

/// What every switch program says before it changes anything, the first of them before the very first change.
const BEGINS: [&str; 3] = [
    "stopping swap device: ",
    "stopping the following units: ",
    "activating the configuration",
];

/// What the lines of a switch say.
#[derive(Clone, Default)]
struct Reading {
    last_lines: Vec<String>,
    script_failed: bool,
    locked: bool,
    failed_units: Vec<String>,
    touched: Vec<String>,
    begun: bool,
}

impl Reading {
    fn line(&mut self, line: &str) {
        self.script_failed |= line.contains("Failed to run activate script")
            || (line.contains("Activation script snippet") && line.contains("failed"));
        self.locked |= line.contains("Could not acquire lock");
        self.begun |= BEGINS.iter().any(|what| line.starts_with(what));
        let names = |units: &str| -> Vec<String> {
            let names = units.split(", ").map(|unit| unit.trim().to_string());
            names.filter(|unit| is_name(unit)).collect()
        };
        if let Some(units) = line.strip_prefix("warning: the following units failed: ") {
            self.failed_units = names(units);
        }
        for units in TOUCHES.iter().filter_map(|what| line.strip_prefix(what)) {
            self.touched.extend(names(units));
        }
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.remove(0);
        }
        self.last_lines.push(line.to_string());
    }

    /// It waited for NixOS's lock, and was ended.
    fn locked_out(mut self) -> Switched {
        self.locked = true;
        self.end(ExitStatus::from_raw(Signal::SIGKILL as i32))
    }

    fn end(self, status: ExitStatus) -> Switched {
        Switched {
            status: status.code(),
            last_lines: self.last_lines,
            script_failed: self.script_failed,
            locked: self.locked,
            failed_units: self.failed_units,
            touched: self.touched,
            begun: self.begun,
        }
    }
}

/// Reads the output of a switch program, whatever it is, and all that is made of it.
pub fn read_output(bytes: &[u8]) {
    let mut reading = Reading::default();
    for line in String::from_utf8_lossy(bytes).lines() {
        reading.line(line);
    }
    let units = reading.failed_units.iter().chain(&reading.touched);
    assert!(units.clone().all(|unit| is_name(unit)), "no unit's name");
    assert!(reading.last_lines.len() <= LAST_LINES, "too many lines");
    for status in [0, 1, 2, 3, 4, 100, 101, 255] {
        let switched = reading.clone().end(ExitStatus::from_raw(status << 8));
        for changed in [false, true] {
            let well = switched.verdict(changed) == Verdict::Well;
            assert_eq!(
                well,
                switched.explanation(changed).is_empty(),
                "{switched:?}"
            );
        }
    }
}

impl Switched {
    /// One that could not be started, or of which nobody knows what it did: then it may have `begun`.
    pub(super) fn failed(error: &anyhow::Error, begun: bool) -> Self {
        Self {
            status: None,
            last_lines: vec![format!("{error:#}")],
            script_failed: false,
            locked: false,
            failed_units: Vec::new(),
            touched: Vec::new(),
            begun,
        }
    }

    /// Whether nothing was changed, as far as the program and what runs say. One that was locked out has changed nothing,
    /// whatever runs: that was whoever has the lock.
    pub(super) fn changed_nothing(&self, changed: bool) -> bool {
        !self.begun && (!changed || self.locked)
    }

    /// What it amounts to, given whether the running system is another one than before.
    pub(super) fn verdict(&self, changed: bool) -> Verdict {
        match self.status {
            Some(0) if !self.script_failed => Verdict::Well,
            Some(4) if !self.script_failed => Verdict::UnitsFailed,
            Some(INIT_INTERFACE_CHANGED) => Verdict::Refused,
            // Whatever the status: Perl's program ends in 255 where it finds no D-Bus, say.
            _ if self.changed_nothing(changed) => Verdict::Refused,
            _ => Verdict::Failed,
        }
    }

    /// What it means, for people, given whether the running system is another one than before.
    pub(super) fn explanation(&self, changed: bool) -> String {
        let nothing = self.changed_nothing(changed);
        match self.status {
            Some(0) if !self.script_failed => String::new(),
            _ if self.locked && nothing => {
                "another switch is running: it holds the lock of switch-to-configuration".into()
            }
            Some(1) if nothing => "the switch program refused before it changed anything".into(),
            Some(4) if !self.script_failed => match self.failed_units.len() {
                0 => "some units failed".into(),
                1 => "a unit failed".into(),
                n => format!("{n} units failed"),
            },
            Some(INIT_INTERFACE_CHANGED) => {
                "not activated: the new system needs another init than the one that runs".into()
            }
            Some(status) if nothing => format!(
                "the switch program ended with exit status {status} before it changed anything"
            ),
            None if nothing => {
                "the switch program was not started, or killed before it changed anything".into()
            }
            Some(0 | 2 | 4) => "an activation script failed".into(),
            Some(3) => "systemd could not be reloaded".into(),
            Some(101) => "the switch program crashed".into(),
            Some(status) => format!("the switch program failed with exit status {status}"),
            None => "the switch program was killed".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switched(status: Option<i32>) -> Switched {
        Switched {
            status,
            last_lines: Vec::new(),
            script_failed: false,
            locked: false,
            failed_units: Vec::new(),
            touched: Vec::new(),
            begun: true,
        }
    }

    #[test]
    fn each_status_has_its_verdict() {
        let verdict = |status, changed| switched(Some(status)).verdict(changed);
        assert_eq!(verdict(0, true), Verdict::Well);
        assert_eq!(verdict(1, false), Verdict::Failed);
        assert_eq!(verdict(1, true), Verdict::Failed);
        assert_eq!(verdict(2, true), Verdict::Failed);
        assert_eq!(verdict(3, true), Verdict::Failed);
        assert_eq!(verdict(4, true), Verdict::UnitsFailed);
        assert_eq!(verdict(100, false), Verdict::Refused);
        assert_eq!(verdict(101, true), Verdict::Failed);
        assert_eq!(switched(None).verdict(true), Verdict::Failed);
    }

    #[test]
    fn what_ends_before_it_says_that_it_begins_has_changed_nothing() {
        for status in [Some(1), Some(2), Some(11), Some(101), Some(255), None] {
            let mut reading = Reading::default();
            reading.line("Failed to connect to bus: No such file or directory");
            let mut ended = switched(status);
            ended.begun = reading.begun;
            assert_eq!(ended.verdict(false), Verdict::Refused, "{status:?}");
            assert_eq!(ended.verdict(true), Verdict::Failed, "{status:?}");
            reading.line("activating the configuration...");
            ended.begun = reading.begun;
            assert_eq!(ended.verdict(false), Verdict::Failed, "{status:?}");
        }
    }

    #[test]
    fn failed_units_do_not_hide_a_failed_script() {
        let mut reading = Reading::default();
        reading.line("Activation script snippet 'users' failed (1)");
        reading.line("warning: the following units failed: a.service, b.service");
        assert!(reading.script_failed);
        assert_eq!(reading.failed_units, ["a.service", "b.service"]);
        let hidden = Switched {
            script_failed: true,
            ..switched(Some(4))
        };
        assert_eq!(hidden.verdict(true), Verdict::Failed);
        assert_eq!(hidden.explanation(true), "an activation script failed");
    }
}
