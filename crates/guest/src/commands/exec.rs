//! `exec`: runs a command in a guest.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use runtime_module_core::output::{document, say};
use runtime_module_core::quoting::for_shell;
use schemars::JsonSchema;
use serde::Serialize;

use super::running::running;
use crate::error::GuestError;
use crate::milestones::Milestone;
use crate::name::GuestName;
use crate::protocol::{Event, Events, Request, connect};
use crate::runtime_folder::RuntimeFolder;
use crate::session::Session;
use crate::ssh_client::SshClient;

/// The JSON document that `exec` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecutedCommand {
    /// The version of this document.
    schema: u64,
    /// The name of the guest.
    name: String,
    /// The exit code of the command.
    exit_code: u8,
    /// The standard output of the command. Other bytes than UTF-8 are replaced.
    stdout: String,
    /// The standard error of the command. Other bytes than UTF-8 are replaced.
    stderr: String,
}

/// The exit code of ssh if it cannot connect, and of commands that a signal ended.
const UNREACHABLE: u8 = 255;

/// Runs a command in the guest, and returns its exit code.
pub fn run(session: &Session, name: &str, words: &[String], timeout: Duration) -> Result<u8> {
    let (name, folder) = running(session, name)?;
    let client = SshClient::find(session, &name, &folder)?;
    wait_for_ssh(&name, &folder, timeout)?;
    // sshd passes the command to a shell.
    let quoted: Vec<String> = words.iter().map(|word| for_shell(word)).collect();
    let mut command = client.command(&["-T"]);
    command.arg("--").arg(quoted.join(" "));
    let code = |status: std::process::ExitStatus| {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        code.unwrap_or(UNREACHABLE)
    };
    if !session.json {
        return Ok(code(command.status().context("cannot start ssh")?));
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("cannot start ssh")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    say(document(&ExecutedCommand {
        schema: 1,
        name: name.to_string(),
        exit_code: code(output.status),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    })?)?;
    Ok(code(output.status))
}

/// Waits until sshd answers.
fn wait_for_ssh(name: &GuestName, folder: &RuntimeFolder, timeout: Duration) -> Result<()> {
    let deadline = Instant::now() + timeout;
    let lost = || GuestError::NotRunning {
        name: name.to_string(),
    };
    let stream = connect(folder, Request::Follow { owner: false }).map_err(|_| lost())?;
    let mut events = Events::of(stream);
    loop {
        match events.next_within(deadline)? {
            Some(Some(Event::State(state))) if state.reached(Milestone::Ssh).is_some() => {
                return Ok(());
            }
            Some(Some(Event::Milestone(reached))) if reached.name == Milestone::Ssh => {
                return Ok(());
            }
            Some(Some(Event::Ended { .. }) | None) => return Err(lost().into()),
            Some(Some(_)) => {}
            None if Instant::now() < deadline => {}
            None => {
                return Err(GuestError::NoSsh {
                    name: name.to_string(),
                    seconds: timeout.as_secs(),
                }
                .into());
            }
        }
    }
}
