//! Calls systemd's programs, with a clean environment and a time limit.
//!
//! If possible, these programs use systemd's private socket, so they do not need a message bus. If
//! systemd is not running or does not answer, the functions return an error or `None`.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::environment::PATH;
use crate::locations::Locations;

/// The time limit of each query, so that a manager that does not answer cannot block a transaction.
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// Returns whether systemd is running on this machine. Returns false if the machine's root is a
/// test directory.
pub(super) fn runs(locations: &Locations) -> bool {
    locations.is_real() && Path::new("/run/systemd/system").is_dir()
}

/// The interval at which to check whether the boot has finished.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Waits until the boot has started all its units, but at most for `limit`. Without this wait, a
/// unit that fails during boot would look like a failure of the switch. Returns false if the boot
/// has not finished. Without systemd, returns true immediately.
///
/// If the boot waited for the unit that calls this function, both would wait forever. So the boot
/// service has the type `exec` (`nixos/runtime-modules/activation.nix`): its start job ends as soon
/// as its process runs.
pub fn wait_for_boot(locations: &Locations, limit: Duration, go_on: impl Fn() -> bool) -> bool {
    !runs(locations)
        || wait_while_booting(limit, POLL_INTERVAL, go_on, || {
            let asked = answer("systemctl", &["is-system-running"]).ok()?;
            // Ignore the exit status, because the output contains the same information.
            Some(asked.stdout)
        })
}

/// Waits while systemd reports that the boot is in progress. Also waits if systemd does not answer,
/// because systemd is then probably still busy.
fn wait_while_booting(
    limit: Duration,
    glance: Duration,
    go_on: impl Fn() -> bool,
    mut state: impl FnMut() -> Option<String>,
) -> bool {
    let begun = Instant::now();
    loop {
        let booting = state().is_none_or(|state| {
            // `systemctl` prints "unknown" and "offline" if it cannot reach the manager.
            matches!(
                state.trim(),
                "initializing" | "starting" | "unknown" | "offline" | ""
            )
        });
        if !booting {
            return true;
        }
        if begun.elapsed() >= limit || !go_on() {
            return false;
        }
        std::thread::sleep(glance);
    }
}

/// Runs a systemd program. Returns its stdout on success, or else the first line of its stderr.
pub(super) fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    answer(program, arguments)?.into_result(program)
}

/// The exit status and the output of `systemctl` or a similar program.
struct SystemdOutput {
    /// Whether the exit status was 0.
    success: bool,
    stdout: String,
    stderr: String,
}

impl SystemdOutput {
    fn into_result(self, program: &str) -> Result<String, String> {
        if self.success {
            return Ok(self.stdout);
        }
        let why = self.stderr.lines().next();
        Err(format!(
            "{program}: {}",
            why.unwrap_or("failed without a message")
        ))
    }
}

/// Runs a systemd program and returns its output, even if the program fails.
fn answer(program: &str, arguments: &[&str]) -> Result<SystemdOutput, String> {
    answer_to(program, arguments, |_| {})
}

/// Runs a systemd program after `prepare` has configured the command, for example to talk to a
/// user's manager. Returns the program's stdout on success, or else the first line of its stderr.
pub(super) fn ask_as(
    program: &str,
    arguments: &[&str],
    prepare: impl FnOnce(&mut Command),
) -> Result<String, String> {
    answer_to(program, arguments, prepare)?.into_result(program)
}

/// Runs `systemctl` for a task that may take long. Returns the first line of its stderr if it
/// fails.
pub(super) fn act(arguments: &[&str], limit: Duration) -> Result<(), String> {
    let output = answer_within("systemctl", arguments, limit, |_| {})?;
    output.into_result("systemctl").map(drop)
}

fn answer_to(
    program: &str,
    arguments: &[&str],
    prepare: impl FnOnce(&mut Command),
) -> Result<SystemdOutput, String> {
    answer_within(program, arguments, WAIT_LIMIT, prepare)
}

fn answer_within(
    program: &str,
    arguments: &[&str],
    limit: Duration,
    prepare: impl FnOnce(&mut Command),
) -> Result<SystemdOutput, String> {
    let mut command = Command::new(program);
    command.env_clear();
    prepare(&mut command);
    let mut child = command
        .args(arguments)
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut out = child.stdout.take();
    let mut err = child.stderr.take();
    // Read on a separate thread, so that a large output cannot block the program and a silent
    // program cannot block this thread beyond the time limit.
    let (sender, reading) = channel();
    std::thread::spawn(move || {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let _ = out.as_mut().map(|pipe| pipe.read_to_string(&mut stdout));
        let _ = err.as_mut().map(|pipe| pipe.read_to_string(&mut stderr));
        let _ = sender.send((stdout, stderr));
    });
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() < limit => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!(
                    "{program} did not answer within {} s",
                    limit.as_secs()
                ));
            }
        }
    };
    // The program has exited, but one of its child processes may keep the pipes open.
    let rest = limit.saturating_sub(begun.elapsed());
    let (stdout, stderr) = reading.recv_timeout(rest).map_err(|_| {
        format!("{program} exited, but one of its child processes keeps its output open")
    })?;
    Ok(SystemdOutput {
        success: status.success(),
        stdout,
        stderr,
    })
}

/// Returns whether a unit is still running, or `None` if systemd does not answer.
pub(super) fn is_up(unit: &str) -> Option<bool> {
    let show = ["show", "--property=ActiveState", "--value", "--", unit];
    let state = ask("systemctl", &show).ok()?;
    Some(!matches!(state.trim(), "inactive" | "failed"))
}

/// Returns the names of the active units. Returns `None` if systemd does not run or does not answer.
pub(super) fn active_units(locations: &Locations) -> Option<BTreeSet<String>> {
    let names = runs(locations).then(|| units("active,activating,reloading"));
    Some(names.flatten()?.into_iter().collect())
}

/// Returns whether systemd knows a file of this unit. Returns true if systemd does not answer.
pub(super) fn exists(unit: &str) -> bool {
    let show = ["show", "--property=LoadState", "--value", "--", unit];
    ask("systemctl", &show).map_or(true, |state| state.trim() != "not-found")
}

/// Returns the names of the units that are in one of these states.
fn units(states: &str) -> Option<Vec<String>> {
    let states = format!("--state={states}");
    let list = [
        "list-units",
        "--all",
        "--plain",
        "--no-legend",
        "--no-pager",
        "--full",
        &states,
    ];
    let text = ask("systemctl", &list).ok()?;
    Some(
        text.lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(String::from)
            .collect(),
    )
}

/// Returns whether a string from a log can be a unit name. Rejects options, patterns and paths.
pub(super) fn is_name(unit: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    !unit.starts_with('-') && unit.contains('.') && unit.len() < 256 && unit.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unit_names_are_accepted() {
        assert!(is_name("getty@tty1.service") && is_name("dev-disk-by\\x2did.swap"));
        for wrong in [
            "",
            "--all.service",
            "*.service",
            "a b.service",
            "../x.service",
            "a;b.service",
        ] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn boot_is_awaited_until_its_end_or_the_limit() {
        let waits = |limit: u64, states: &[Option<&str>]| {
            let mut asked = 0;
            let over = wait_while_booting(
                Duration::from_millis(limit),
                Duration::from_millis(1),
                || true,
                || {
                    asked += 1;
                    let state = states.get(asked - 1).or(states.last());
                    state.copied().flatten().map(|state| format!("{state}\n"))
                },
            );
            (over, asked)
        };
        // The state `degraded` also means that the boot has finished. It shows that some units had
        // failed before the switch.
        for end in ["running", "degraded", "maintenance", "stopping"] {
            let states = [Some("initializing"), None, Some("starting"), Some(end)];
            assert_eq!(waits(60_000, &states), (true, 4), "{end}");
        }
        let (over, asked) = waits(20, &[Some("starting")]);
        assert!(!over && asked > 1, "{asked}");
        let left = wait_while_booting(
            Duration::from_secs(60),
            Duration::from_secs(60),
            || false,
            || Some("starting".into()),
        );
        assert!(!left, "the wait must end when it is cancelled");
    }

    #[test]
    fn output_of_a_failed_program_is_returned() {
        let heard =
            answer("sh", &["-c", "echo starting; echo why >&2; exit 1"]).expect("an answer");
        assert_eq!(
            (heard.success, heard.stdout.as_str()),
            (false, "starting\n")
        );
        let output = ask("sh", &["-c", "echo starting; echo why >&2; exit 1"]).expect_err("none");
        assert_eq!(output, "sh: why");
    }

    #[test]
    fn missing_program_is_an_error() {
        let output = ask("there-is-no-such-program", &[]).expect_err("none");
        assert!(output.starts_with("there-is-no-such-program: "), "{output}");
    }
}
