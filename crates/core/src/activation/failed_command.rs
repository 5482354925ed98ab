//! Finds the command that made a unit fail. Asks systemd, and then reads the journal.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::journal;
use super::manager::UnitId;

/// A failed command of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedCommand {
    /// The setting that contains the command, for example `ExecStartPre`.
    pub setting: String,
    /// The command line; absent if it is unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub line: String,
    /// The exit status; absent if a signal killed the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// The signal that killed the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
}

/// The settings of units that contain commands, in order of execution. Some of these settings exist
/// only for sockets, mounts and swaps.
const COMMANDS: [&str; 10] = [
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecMount",
    "ExecActivate",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "ExecStopPre",
    "ExecStopPost",
];

/// Finds the failed command of a unit. Asks systemd first. If systemd does not know the command,
/// searches the journal from the time `since`, in seconds since 1970.
pub(super) fn find(id: &UnitId, since: u64) -> Option<FailedCommand> {
    let shown = id.manager.show(&COMMANDS, &[&id.name]).ok();
    shown
        .and_then(|text| read_commands(&text))
        .or_else(|| first_cause(journal::exits(id, since)?.lines().filter_map(read_exit)))
}

/// Parses systemd's message about the exit of a process.
fn read_exit(line: &str) -> Option<FailedCommand> {
    let message: Value = serde_json::from_str(line).ok()?;
    let field = |name: &str| message[name].as_str();
    let status: i32 = field("EXIT_STATUS")?.parse().ok()?;
    let exited = field("EXIT_CODE")? == "exited";
    if exited && status == 0 {
        return None;
    }
    Some(FailedCommand {
        setting: field("COMMAND")?.to_string(),
        line: String::new(),
        status: exited.then_some(status),
        signal: (!exited).then(|| signal_name(status)),
    })
}

/// Returns the failed command that most likely caused the failure of a unit. Returns a clean-up
/// command, or a command that systemd terminated after the failure, only if no other command
/// failed.
fn first_cause(failed: impl Iterator<Item = FailedCommand>) -> Option<FailedCommand> {
    failed.min_by_key(|command| {
        let is_ended = matches!(command.signal.as_deref(), Some("SIGTERM" | "SIGKILL"));
        (command.setting.starts_with("ExecStop"), is_ended)
    })
}

fn signal_name(number: i32) -> String {
    unix::sys::signal::Signal::try_from(number)
        .map_or_else(|_| format!("signal {number}"), |name| name.to_string())
}

/// Finds the failed command in the output of `systemctl show`. Skips failures that systemd ignores
/// (`ignore_errors=yes`), because systemd continues after them.
fn read_commands(text: &str) -> Option<FailedCommand> {
    let mut commands: Vec<String> = Vec::new();
    for line in text.lines() {
        let begins = COMMANDS.iter().any(|name| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with("={ "))
        });
        match commands.last_mut().filter(|_| !begins) {
            None => commands.push(line.to_string()),
            // An argument may have several lines.
            Some(command) => *command += &format!(" {line}"),
        }
    }
    first_cause(commands.iter().filter_map(|command| read_command(command)))
}

/// Parses one command in the output of `systemctl show`, such as `ExecStart={ path=/bin/false ;
/// argv[]=/bin/false ; ignore_errors=no ; … ; code=exited ; status=1 }`.
fn read_command(text: &str) -> Option<FailedCommand> {
    let (setting, value) = text.split_once("={ ")?;
    let (line, rest) = value.split_once(" ; ignore_errors=")?;
    let line = line.split_once("argv[]=").map_or("", |(_, line)| line);
    let (_, end) = rest.rsplit_once(" ; code=")?;
    let (code, status) = end.trim_end_matches(" }").split_once(" ; status=")?;
    let status = status.trim();
    let (status, signal) = match code {
        "exited" => (Some(status.parse().ok()?), None),
        "killed" | "dumped" => (None, Some(format!("SIG{}", status.rsplit('/').next()?))),
        _ => return None,
    };
    if status == Some(0) || rest.starts_with("yes") {
        return None;
    }
    Some(FailedCommand {
        setting: setting.to_string(),
        line: line.to_string(),
        status,
        signal,
    })
}

impl FailedCommand {
    /// Returns the name of the setting, and the command line if it is known.
    pub(super) fn invocation(&self) -> String {
        match self.line.as_str() {
            "" => self.setting.clone(),
            line => format!("{}={line}", self.setting),
        }
    }
}

impl fmt::Display for FailedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.invocation())?;
        match (self.status, &self.signal) {
            (Some(status), _) => write!(f, " exited with status {status}"),
            (None, Some(signal)) => write!(f, " was killed by {signal}"),
            (None, None) => f.write_str(" failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Option<String> {
        read_commands(text).map(|command| command.to_string())
    }

    #[test]
    fn failed_command_is_found() {
        let text = "\
ExecStartPre={ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; start_time=[x] ; stop_time=[x] ; pid=1 ; code=exited ; status=0 }
ExecStartPre={ path=/bin/sh ; argv[]=/bin/sh -c exit 3 ; ignore_errors=no ; start_time=[x] ; stop_time=[x] ; pid=2 ; code=exited ; status=3 }
ExecStart={ path=/bin/sleep ; argv[]=/bin/sleep 100 ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
ExecStopPost={ path=/bin/false ; argv[]=/bin/false ; ignore_errors=no ; start_time=[x] ; stop_time=[x] ; pid=3 ; code=exited ; status=1 }
";
        assert_eq!(
            command(text).as_deref(),
            Some("ExecStartPre=/bin/sh -c exit 3 exited with status 3")
        );
    }

    #[test]
    fn process_ended_by_systemd_is_not_a_cause() {
        let text = "\
ExecStart={ path=/bin/sleep ; argv[]=/bin/sleep 9 ; ignore_errors=no ; start_time=[x] ; stop_time=[x] ; pid=1 ; code=killed ; status=15/TERM }
ExecStartPost={ path=/bin/false ; argv[]=/bin/false ; ignore_errors=no ; start_time=[x] ; stop_time=[x] ; pid=2 ; code=exited ; status=1 }
";
        assert_eq!(
            command(text).as_deref(),
            Some("ExecStartPost=/bin/false exited with status 1")
        );
    }

    #[test]
    fn ignored_failure_is_not_a_cause() {
        let text = "ExecStartPre={ path=/bin/false ; argv[]=/bin/false ; ignore_errors=yes ; start_time=[x] ; stop_time=[x] ; pid=1 ; code=exited ; status=1 }\n";
        assert_eq!(command(text), None);
    }

    #[test]
    fn signals_and_multiline_arguments_are_read() {
        let text = "ExecStart={ path=/bin/sh ; argv[]=/bin/sh -c one\ntwo ; ignore_errors=no ; start_time=[x] ; stop_time=[x] ; pid=1 ; code=dumped ; status=11/SEGV }\n";
        assert_eq!(
            command(text).as_deref(),
            Some("ExecStart=/bin/sh -c one two was killed by SIGSEGV")
        );
    }
}
