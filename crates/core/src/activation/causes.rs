//! Explains why a unit failed: returns the failed command, the unit's last log lines, and the
//! command that shows its full log.

use serde_json::Value;

use super::UnitLog;
use super::manager::{Manager, UnitId};
use super::systemd::{ask, is_name};
use super::unit_state::{Problem, UnitState};
use super::watch::{FailedCommand, Unwell};

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

/// The message IDs of systemd (`sd-messages.h`) for the exit of a unit's process and for the
/// failure of a unit.
const PROCESS_EXIT: &str = "MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15";
const UNIT_FAILED: &str = "MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c";

/// The option of `journalctl` for the number of log lines to show for each unit.
const LINES: &str = "--lines=8";

/// Finds the failed command of a unit. Asks systemd first. If systemd does not know the command,
/// searches the journal from the time `since`, in seconds since 1970.
pub(super) fn failed_command(id: &UnitId, since: u64) -> Option<FailedCommand> {
    let shown = id.manager.show(&COMMANDS, &[&id.name]).ok();
    shown
        .and_then(|text| read_commands(&text))
        .or_else(|| from_journal(id, since))
}

/// Returns whether the journal contains a failure of the unit since `since`.
pub(super) fn has_failed(id: &UnitId, since: u64) -> bool {
    let [unit, owner] = by_manager(id);
    let mut filters = vec![UNIT_FAILED, &unit];
    filters.extend(Some(owner.as_str()).filter(|owner| !owner.is_empty()));
    journal(&["--output=cat", "--lines=1"], &filters, since).is_some_and(|text| !text.is_empty())
}

/// Returns the journal fields that select a manager's own messages about a unit.
fn by_manager(id: &UnitId) -> [String; 2] {
    match id.manager {
        Manager::System => [format!("UNIT={}", id.name), String::new()],
        Manager::User { uid, .. } => [format!("USER_UNIT={}", id.name), format!("_UID={uid}")],
    }
}

fn journal(options: &[&str], filters: &[&str], since: u64) -> Option<String> {
    let since = format!("--since=@{since}");
    let mut all = vec!["--no-pager", "--quiet", &since];
    all.extend(options);
    all.extend(filters);
    ask("journalctl", &all).ok()
}

fn from_journal(id: &UnitId, since: u64) -> Option<FailedCommand> {
    let [unit, owner] = by_manager(id);
    let mut filters = vec![PROCESS_EXIT, &unit];
    filters.extend(Some(owner.as_str()).filter(|owner| !owner.is_empty()));
    let text = journal(&["--output=json", "--lines=4"], &filters, since)?;
    first_cause(text.lines().filter_map(read_exit))
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

/// Parses `ExecStart={ path=/bin/false ; argv[]=/bin/false ; ignore_errors=no ; … ; code=exited ;
/// status=1 }`.
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

/// Describes a failed unit, with its last log lines since `since`.
pub(super) fn describe(id: &UnitId, unwell: &Unwell, since: u64) -> UnitLog {
    let text = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
    let state = unwell.state.as_ref();
    UnitLog {
        unit: id.name.clone(),
        lines: last_lines(id, since),
        user: id.manager.user_name(),
        service_type: state.and_then(|state| text(&state.service_type)),
        problem: Some(unwell.problem),
        cause: cause(unwell),
        result: state.and_then(result),
        command: unwell.command.clone(),
        more: Some(more(id)),
    }
}

/// Returns the result of a failed start or reload as systemd reports it.
fn result(state: &UnitState) -> Option<String> {
    let results = [&state.result, &state.reload_result];
    let failed = |result: &&&String| !matches!(result.as_str(), "" | "success");
    results.iter().find(failed).map(ToString::to_string)
}

/// Returns the cause, phrased to follow the name of the unit.
fn cause(unwell: &Unwell) -> Option<String> {
    let state = unwell.state.as_ref();
    let command = unwell.command.as_ref();
    let why = match state.and_then(result).as_deref() {
        // After a timeout, systemd itself sends the signal, so the signal is not the cause.
        Some("timeout") => Some(match command {
            Some(command) => format!("{} did not finish in time", command.invocation()),
            None => "a command did not finish in time".to_string(),
        }),
        Some("exit-code" | "signal" | "core-dump") | None => command.map(ToString::to_string),
        Some(result) => {
            let meaning = meaning(result, state);
            Some(command.map_or(meaning.clone(), |command| format!("{command}; {meaning}")))
        }
    };
    match unwell.problem {
        Problem::Failed => why,
        Problem::Restarting => Some(match why {
            Some(why) => format!("{why}; systemd is restarting the unit"),
            None => "the unit failed, and systemd is restarting it".to_string(),
        }),
        Problem::ReloadFailed => Some(match why {
            Some(why) => format!("the reload failed: {why}"),
            None => "the reload failed".to_string(),
        }),
        Problem::Starting => {
            let job = state.and_then(|state| state.job.as_ref());
            Some(match job.map(|job| job.state.as_str()) {
                Some("waiting") => "its start job is still waiting for another job".to_string(),
                _ => "its start job has not finished".to_string(),
            })
        }
    }
}

/// Explains a value of systemd's `Result` that the failed command alone does not explain.
fn meaning(result: &str, state: Option<&UnitState>) -> String {
    let of_type = state.map_or("", |state| state.service_type.as_str());
    match result {
        "protocol" => format!("the process exited before it reported its start (Type={of_type})"),
        "resources" => "systemd could not set up the unit".to_string(),
        "start-limit-hit" => "the unit was started too often in a short time".to_string(),
        "watchdog" => "the service did not ping the watchdog in time".to_string(),
        "oom-kill" => "a process was killed because memory ran out".to_string(),
        other => format!("systemd reported the result '{other}'"),
    }
}

impl FailedCommand {
    /// Returns the name of the setting, and the command line if it is known.
    fn invocation(&self) -> String {
        match self.line.as_str() {
            "" => self.setting.clone(),
            line => format!("{}={line}", self.setting),
        }
    }
}

impl std::fmt::Display for FailedCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.invocation())?;
        match (self.status, &self.signal) {
            (Some(status), _) => write!(f, " exited with status {status}"),
            (None, Some(signal)) => write!(f, " was killed by {signal}"),
            (None, None) => f.write_str(" failed"),
        }
    }
}

/// Returns the last lines of the unit from the journal.
fn last_lines(id: &UnitId, since: u64) -> Vec<String> {
    if !is_name(&id.name) {
        return Vec::new();
    }
    let lines = match id.manager {
        Manager::System => {
            let unit = format!("--unit={}", id.name);
            journal(&["--output=cat", LINES, &unit], &[], since)
        }
        Manager::User { uid, .. } => {
            let [own, manager, owner] = of_user(&id.name, uid);
            let mut filters = vec![owner.as_str(), &own, "+", &owner, &manager];
            // Also select lines by process: journald cannot assign a line to a unit if the process
            // exited before journald read the line.
            let process = main_process(id);
            filters.extend(process.iter().flat_map(|field| ["+", &owner, field]));
            journal(&["--output=cat", LINES], &filters, since)
        }
    };
    let lines = lines.unwrap_or_default();
    lines.lines().map(String::from).collect()
}

/// Returns the journal field that selects the last main process of a service.
fn main_process(id: &UnitId) -> Option<String> {
    let shown = id.manager.show(&["ExecMainPID"], &[&id.name]).ok()?;
    let number = shown.trim().strip_prefix("ExecMainPID=")?;
    (number != "0").then(|| format!("_PID={number}"))
}

/// Returns three journal filters for the log of a user unit: the unit's own lines, the lines of the
/// user's manager about the unit, and the user.
fn of_user(name: &str, uid: u32) -> [String; 3] {
    [
        format!("_SYSTEMD_USER_UNIT={name}"),
        format!("USER_UNIT={name}"),
        format!("_UID={uid}"),
    ]
}

/// Returns the command that shows the full log of the unit.
fn more(id: &UnitId) -> String {
    match id.manager {
        Manager::System => format!("journalctl -b -u {}", id.name),
        Manager::User { uid, .. } => {
            let [own, manager, owner] = of_user(&id.name, uid);
            format!("journalctl -b {owner} {own} + {owner} {manager}")
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

    #[test]
    fn each_problem_has_a_cause() {
        let state = UnitState {
            service_type: "notify".into(),
            result: "protocol".into(),
            ..UnitState::default()
        };
        let unwell = |problem, state: Option<&UnitState>| Unwell {
            problem,
            state: state.cloned(),
            command: None,
        };
        let said = |problem| cause(&unwell(problem, Some(&state)));
        let protocol = "the process exited before it reported its start (Type=notify)";
        assert_eq!(said(Problem::Failed).as_deref(), Some(protocol));
        assert_eq!(
            said(Problem::Restarting),
            Some(format!("{protocol}; systemd is restarting the unit"))
        );
        assert_eq!(
            said(Problem::Starting).as_deref(),
            Some("its start job has not finished")
        );
        assert_eq!(cause(&unwell(Problem::Failed, None)), None);
        let mut late = unwell(Problem::Failed, Some(&state));
        late.state = Some(UnitState {
            result: "timeout".into(),
            ..UnitState::default()
        });
        late.command = Some(FailedCommand {
            setting: "ExecStart".into(),
            line: "/bin/wait".into(),
            status: None,
            signal: Some("SIGTERM".into()),
        });
        assert_eq!(
            cause(&late).as_deref(),
            Some("ExecStart=/bin/wait did not finish in time")
        );
    }

    #[test]
    fn user_unit_command_selects_by_user() {
        let id = UnitId {
            manager: Manager::User { uid: 7, gid: 7 },
            name: "a.service".into(),
        };
        assert_eq!(
            more(&id),
            "journalctl -b _UID=7 _SYSTEMD_USER_UNIT=a.service + _UID=7 USER_UNIT=a.service"
        );
        assert_eq!(
            more(&UnitId::of_system("b.service")),
            "journalctl -b -u b.service"
        );
    }
}
