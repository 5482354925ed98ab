//! What systemd is asked for: its own programs, with fixed arguments, a clean environment and a limit in time.
//!
//! They speak to it over its private socket where they can, so that no message bus is needed; where systemd does not
//! run, or does not answer, the answer is none.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::manager::Manager;
use super::switch::PATH;
use crate::locations::Locations;

/// How long one of its programs may take. A manager that does not answer must not stop a transaction.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether systemd runs this machine, and we may ask it for something.
pub(super) fn runs(locations: &Locations) -> bool {
    locations.is_real() && Path::new("/run/systemd/system").is_dir()
}

/// How often systemd is asked whether the boot is over.
const GLANCE: Duration = Duration::from_millis(500);

/// Waits until all that the boot has to start is started, where systemd runs, and no longer than `patience`: what fails by
/// itself meanwhile is not to be taken for the failure of whoever switches. False: it still goes on.
///
/// A unit that itself belongs to the boot must not be waited for by it: the boot service is of the type `exec`
/// (`nixos/runtime-modules/activation.nix`), whose job is done as soon as it runs.
pub fn wait_for_boot(locations: &Locations, patience: Duration, go_on: impl Fn() -> bool) -> bool {
    !runs(locations)
        || wait_while_booting(patience, GLANCE, go_on, || {
            let asked = answer("systemctl", &["is-system-running"]).ok()?;
            // Its exit status tells the state a second time.
            Some(asked.said)
        })
}

/// Waits while systemd names a state of the boot. One that gives no answer is waited for as well: it is busy.
fn wait_while_booting(
    patience: Duration,
    glance: Duration,
    go_on: impl Fn() -> bool,
    mut state: impl FnMut() -> Option<String>,
) -> bool {
    let begun = Instant::now();
    loop {
        let booting = state().is_none_or(|state| {
            // "unknown" and "offline" are said by the program itself, where it reaches no manager.
            matches!(
                state.trim(),
                "initializing" | "starting" | "unknown" | "offline" | ""
            )
        });
        if !booting {
            return true;
        }
        if begun.elapsed() >= patience || !go_on() {
            return false;
        }
        std::thread::sleep(glance);
    }
}

/// Runs one of its programs; its stdout if it ended well, else what it said.
pub(super) fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    answer(program, arguments)?.into_result(program)
}

/// What one of its programs said.
struct Answer {
    /// Whether it ended with 0.
    well: bool,
    said: String,
    complained: String,
}

impl Answer {
    fn into_result(self, program: &str) -> Result<String, String> {
        if self.well {
            return Ok(self.said);
        }
        let why = self.complained.lines().next();
        Err(format!("{program}: {}", why.unwrap_or("it says nothing")))
    }
}

/// Runs one of its programs to its end.
fn answer(program: &str, arguments: &[&str]) -> Result<Answer, String> {
    answer_to(&Manager::System, program, arguments)
}

/// Asks one of its programs about the units of a manager; its stdout if it succeeded, else its first complaint.
pub(super) fn ask_about(
    manager: &Manager,
    program: &str,
    arguments: &[&str],
) -> Result<String, String> {
    answer_to(manager, program, arguments)?.into_result(program)
}

/// Runs one of its programs to its end, as the user whose manager is asked.
fn answer_to(manager: &Manager, program: &str, arguments: &[&str]) -> Result<Answer, String> {
    let mut command = Command::new(program);
    command.env_clear();
    manager.prepare(&mut command);
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
    // What is read on threads cannot fill a pipe, nor keep us past our patience.
    let (sender, reading) = channel();
    std::thread::spawn(move || {
        let (mut said, mut complained) = (String::new(), String::new());
        let _ = out.as_mut().map(|pipe| pipe.read_to_string(&mut said));
        let _ = err
            .as_mut()
            .map(|pipe| pipe.read_to_string(&mut complained));
        let _ = sender.send((said, complained));
    });
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!(
                    "{program} did not answer within {} s",
                    PATIENCE.as_secs()
                ));
            }
        }
    };
    // It has ended; whatever it has left behind may keep the pipes open for as long as that likes.
    let rest = PATIENCE.saturating_sub(begun.elapsed());
    let (said, complained) = reading
        .recv_timeout(rest)
        .map_err(|_| format!("{program} left something behind that goes on"))?;
    Ok(Answer {
        well: status.success(),
        said,
        complained,
    })
}

/// Whether a unit of ours still runs; none where nobody answers.
pub(super) fn is_up(unit: &str) -> Option<bool> {
    let show = ["show", "--property=ActiveState", "--value", "--", unit];
    let state = ask("systemctl", &show).ok()?;
    Some(!matches!(state.trim(), "inactive" | "failed"))
}

/// Units in one of these states, by name.
pub(super) fn units(states: &str) -> Option<Vec<String>> {
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

/// Whether a text from a log can be the name of a unit: no option, no pattern, no path.
pub(super) fn is_name(unit: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    !unit.starts_with('-') && unit.contains('.') && unit.len() < 256 && unit.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_name_is_passed_on() {
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
    fn a_boot_is_waited_for_to_its_end_and_not_for_ever() {
        let waits = |patience: u64, states: &[Option<&str>]| {
            let mut asked = 0;
            let over = wait_while_booting(
                Duration::from_millis(patience),
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
        // Degraded is over as well: what has failed did so before us.
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
        assert!(!left, "who is to stop stops");
    }

    #[test]
    fn what_ends_badly_is_heard_all_the_same() {
        let heard =
            answer("sh", &["-c", "echo starting; echo why >&2; exit 1"]).expect("an answer");
        assert_eq!((heard.well, heard.said.as_str()), (false, "starting\n"));
        let said = ask("sh", &["-c", "echo starting; echo why >&2; exit 1"]).expect_err("none");
        assert_eq!(said, "sh: why");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_answer_too() {
        let said = ask("there-is-no-such-program", &[]).expect_err("none");
        assert!(said.starts_with("there-is-no-such-program: "), "{said}");
    }
}
