//! Runs the switch program of a system, `bin/switch-to-configuration`, and interprets its exit
//! status.
//!
//! nixpkgs has two switch programs: `switch-to-configuration.pl` (24.05) and
//! `switch-to-configuration-ng` (24.11 and later). Their exit statuses are:
//! - 0: The switch succeeded.
//! - 1: The program refused before any change, or another error occurred.
//! - 2: An activation script failed.
//! - 3: The daemon-reload failed (only the Perl program).
//! - 4: Units failed. This status hides an earlier 2.
//! - 100: The init interface has changed.
//! - 101: The program panicked (only -ng).

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use unix::sys::signal::{Signal, killpg};
use unix::sys::wait::{Id, WaitPidFlag, waitid};
use unix::unistd::Pid;

use super::environment::PATH;
use super::log::{Log, POLL_INTERVAL, Tail};
use super::systemd::is_name;
use crate::error::{Message as _, SwitchError};
use crate::locations::Locations;
use crate::record::switches_elsewhere;

/// The exit status of a switch program that refuses because the init interface has changed.
pub(super) const INIT_INTERFACE_CHANGED: i32 = 100;

/// The exit status of a switch program that switched, although units failed.
pub(super) const UNITS_FAILED: i32 = 4;

/// The exit status of a switch program that could not make systemd read the units again.
pub(super) const RELOAD_FAILED: i32 = 3;

/// The number of output lines to keep for an error message.
const LAST_LINES: usize = 12;

/// The result of a switch program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SwitchResult {
    /// The exit status; `None` if a signal killed the switch program.
    pub(super) status: Option<i32>,
    /// The last lines of the output.
    pub(super) last_lines: Vec<String>,
    /// Whether the output reports a failed activation script.
    pub(super) script_failed: bool,
    /// Whether the output reports that another switch holds the lock.
    pub(super) locked: bool,
    /// Units that the output reports as failed.
    pub(super) failed_units: Vec<String>,
    /// Units that the output reports as stopped, reloaded, restarted or started.
    pub(super) touched: Vec<String>,
    /// Whether the switch may have changed something, according to the output. Also true if the
    /// output is unknown.
    pub(super) begun: bool,
}

/// The verdict on a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The switch succeeded.
    Well,
    /// The new system is active, with failed units.
    UnitsFailed,
    /// The switch was refused before anything changed.
    Refused,
    /// The switch failed or was interrupted. The machine may be only partly switched.
    Failed,
    /// An external switch activated a third system in the meantime. This program must not undo that
    /// switch.
    Superseded,
}

/// The pre-switch checks of NixOS that the switch program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checks {
    /// Run all checks.
    All,
    /// Skip all checks, because the user overrode them.
    None,
}

/// A switch program that is ready to run.
pub(super) struct SwitchProgram<'a> {
    command: Command,
    tail: Tail,
    locations: &'a Locations,
}

impl<'a> SwitchProgram<'a> {
    /// Prepares the switch program of `toplevel`, which must be a path on disk without symbolic
    /// links. The output goes to the log file instead of a pipe, so that the switch continues if
    /// the reader dies.
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
            .stdout(
                output
                    .try_clone()
                    .context("cannot open the log for the switch program")?,
            )
            .stderr(output)
            // Ctrl-C in a terminal goes to the foreground process group. Use another group, so that
            // Ctrl-C does not end the switch.
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

    /// Runs the switch program until it exits. Returns an error if it could not be started.
    pub(super) fn run(mut self) -> Result<SwitchResult> {
        let mut child = self
            .command
            .spawn()
            .context("cannot start the switch program")?;
        let mut reading = SwitchOutput::default();
        loop {
            // If polling fails, wait for the exit: this process must not end before the switch
            // program does.
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
                None => std::thread::sleep(POLL_INTERVAL),
            }
        }
    }
}

/// Kills a switch program that is waiting for NixOS's lock, and returns whether it was killed. The
/// Perl program waits silently, and would later replace a system that another switch activated in
/// the meantime.
fn gives_up(child: &mut Child, locations: &Locations) -> bool {
    let Ok(process) = i32::try_from(child.id()).map(Pid::from_raw) else {
        return false;
    };
    if !switches_elsewhere(locations, process) {
        return false;
    }
    // Stop the process first, so that it cannot take the lock between the last check and the kill.
    // Its process ID stays valid, because only `child` reaps it.
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

/// The strings that precede unit names in the output of the switch program.
const TOUCHES: [&str; 5] = [
    "stopping the following units: ",
    "reloading the following units: ",
    "restarting the following units: ",
    "starting the following units: ",
    "the following new units were started: ",
];

/// The beginnings of the output lines that announce the first change. A switch program changes
/// nothing before it prints one of these lines.
const BEGINS: [&str; 3] = [
    "stopping swap device: ",
    "stopping the following units: ",
    "activating the configuration",
];

/// The facts parsed from the output of a switch program.
#[derive(Clone, Default)]
struct SwitchOutput {
    last_lines: Vec<String>,
    script_failed: bool,
    locked: bool,
    failed_units: Vec<String>,
    touched: Vec<String>,
    begun: bool,
}

impl SwitchOutput {
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

    /// Returns the result of a switch that was ended because another switch held NixOS's lock.
    fn locked_out(mut self) -> SwitchResult {
        self.locked = true;
        self.end(ExitStatus::from_raw(Signal::SIGKILL as i32))
    }

    fn end(self, status: ExitStatus) -> SwitchResult {
        SwitchResult {
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

/// Parses the output of a switch program, and computes all values that depend on it, for fuzzing.
pub fn read_output(bytes: &[u8]) {
    let mut reading = SwitchOutput::default();
    for line in String::from_utf8_lossy(bytes).lines() {
        reading.line(line);
    }
    let units = reading.failed_units.iter().chain(&reading.touched);
    assert!(units.clone().all(|unit| is_name(unit)), "not a unit name");
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

impl SwitchResult {
    /// Returns the result of a switch that failed to start, or whose effect is unknown. `begun` is
    /// true if the switch may have changed something.
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

    /// Returns the result of a successful replacement of runtime files.
    pub(super) fn well(touched: Vec<String>) -> Self {
        Self {
            status: Some(0),
            last_lines: Vec::new(),
            script_failed: false,
            locked: false,
            failed_units: Vec::new(),
            touched,
            begun: true,
        }
    }

    /// Adds the result of a later step.
    pub(super) fn add(&mut self, other: Self) {
        if other.status != Some(0) && self.status == Some(0) {
            self.status = other.status;
        }
        self.last_lines.extend(other.last_lines);
        self.touched.extend(other.touched);
    }

    /// Returns whether nothing was changed, according to the output and the running system. If
    /// another switch held the lock, this switch changed nothing, even if the running system is now
    /// different.
    pub(super) fn changed_nothing(&self, changed: bool) -> bool {
        !self.begun && (!changed || self.locked)
    }

    /// Returns the verdict. `changed` tells whether the running system has changed since the switch
    /// began.
    pub(super) fn verdict(&self, changed: bool) -> Verdict {
        match self.status {
            Some(0) if !self.script_failed => Verdict::Well,
            Some(UNITS_FAILED) if !self.script_failed => Verdict::UnitsFailed,
            Some(INIT_INTERFACE_CHANGED) => Verdict::Refused,
            // The exit status does not matter here. For example, the Perl program exits with 255 if
            // D-Bus is not running.
            _ if self.changed_nothing(changed) => Verdict::Refused,
            _ => Verdict::Failed,
        }
    }

    /// Returns the message if the switch changed nothing, or if only units failed.
    fn error(&self, changed: bool) -> Option<SwitchError> {
        let nothing = self.changed_nothing(changed);
        match self.status {
            Some(0) if !self.script_failed => None,
            _ if self.locked && nothing => Some(SwitchError::LockHeld),
            Some(1) if nothing => Some(SwitchError::Refused),
            Some(UNITS_FAILED) if !self.script_failed => {
                Some(SwitchError::failed_units(self.failed_units.len()))
            }
            Some(INIT_INTERFACE_CHANGED) => Some(SwitchError::InitChanged),
            Some(status) if nothing => Some(SwitchError::Exited { status }),
            None if nothing => Some(SwitchError::NotStarted),
            _ => None,
        }
    }

    /// Returns a human-readable explanation. `changed` tells whether the running system has changed
    /// since the switch began.
    pub(super) fn explanation(&self, changed: bool) -> String {
        if let Some(error) = self.error(changed) {
            return error.text();
        }
        match self.status {
            Some(0) if !self.script_failed => String::new(),
            Some(0 | 2 | UNITS_FAILED) => "an activation script failed".into(),
            Some(RELOAD_FAILED) => "the switch program could not reload systemd".into(),
            Some(101) => "the switch program crashed".into(),
            Some(status) => format!("the switch program failed with status {status}"),
            None => "the switch program was killed".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switched(status: Option<i32>) -> SwitchResult {
        SwitchResult {
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
    fn switch_that_ends_before_it_begins_changes_nothing() {
        for status in [Some(1), Some(2), Some(11), Some(101), Some(255), None] {
            let mut reading = SwitchOutput::default();
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
        let mut reading = SwitchOutput::default();
        reading.line("Activation script snippet 'users' failed (1)");
        reading.line("warning: the following units failed: a.service, b.service");
        assert!(reading.script_failed);
        assert_eq!(reading.failed_units, ["a.service", "b.service"]);
        let hidden = SwitchResult {
            script_failed: true,
            ..switched(Some(4))
        };
        assert_eq!(hidden.verdict(true), Verdict::Failed);
        assert_eq!(hidden.explanation(true), "an activation script failed");
    }
}
