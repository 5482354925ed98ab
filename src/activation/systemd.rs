//! What systemd is asked for: its own programs, with fixed arguments, a clean environment and a limit in time.
//!
//! They speak to it over its private socket where they can, so that no message bus is needed; where systemd does not
//! run, or does not answer, the answer is none.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::switch::PATH;
use crate::locations::Locations;

/// How long one of its programs may take. A manager that does not answer must not stop a transaction.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether systemd runs this machine, and we may ask it for something.
pub(super) fn runs(locations: &Locations) -> bool {
    locations.is_real() && Path::new("/run/systemd/system").is_dir()
}

/// Runs one of its programs; its stdout if it ended well, else what it said.
pub(super) fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
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
    if status.success() {
        Ok(said)
    } else {
        let why = complained.lines().next().unwrap_or("it says nothing");
        Err(format!("{program}: {why}"))
    }
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

/// The last lines that a unit wrote into the journal since `since` (seconds since 1970).
pub(super) fn last_words(unit: &str, since: u64) -> Vec<String> {
    if !is_name(unit) {
        return Vec::new();
    }
    let (unit, since) = (format!("--unit={unit}"), format!("--since=@{since}"));
    let said = ask(
        "journalctl",
        &[
            "--no-pager",
            "--quiet",
            "--output=cat",
            "--lines=8",
            &since,
            &unit,
        ],
    );
    said.map(|text| text.lines().map(String::from).collect())
        .unwrap_or_default()
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
    fn a_program_that_is_not_there_is_an_answer_too() {
        let said = ask("there-is-no-such-program", &[]).expect_err("none");
        assert!(said.starts_with("there-is-no-such-program: "), "{said}");
    }
}
