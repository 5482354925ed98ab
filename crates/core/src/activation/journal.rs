//! Reads the journal: the failures of a unit, the exits of its processes, and its last log lines.

use super::manager::{Manager, UnitId};
use super::systemd::{ask, is_name};

/// The message IDs of systemd (`sd-messages.h`) for the exit of a unit's process and for the
/// failure of a unit.
const PROCESS_EXIT: &str = "MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15";
const UNIT_FAILED: &str = "MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c";

/// The option of `journalctl` for the number of log lines to show for each unit.
const LINES: &str = "--lines=8";

/// Returns whether the journal reports a failure of the unit after the time `since`.
pub(super) fn has_failed(id: &UnitId, since: u64) -> bool {
    let found = messages(id, UNIT_FAILED, &["--output=cat", "--lines=1"], since);
    found.is_some_and(|text| !text.is_empty())
}

/// Returns the last messages about exits of the unit's processes after the time `since`, as JSON
/// lines.
pub(super) fn exits(id: &UnitId, since: u64) -> Option<String> {
    messages(id, PROCESS_EXIT, &["--output=json", "--lines=4"], since)
}

/// Returns the messages with this message ID that a manager logged about a unit.
fn messages(id: &UnitId, message: &str, options: &[&str], since: u64) -> Option<String> {
    let (unit, owner) = match id.manager {
        Manager::System => (format!("UNIT={}", id.name), None),
        Manager::User { uid, .. } => (
            format!("USER_UNIT={}", id.name),
            Some(format!("_UID={uid}")),
        ),
    };
    let mut filters = vec![message, &unit];
    filters.extend(owner.as_deref());
    read(options, &filters, since)
}

fn read(options: &[&str], filters: &[&str], since: u64) -> Option<String> {
    let since = format!("--since=@{since}");
    let mut all = vec!["--no-pager", "--quiet", &since];
    all.extend(options);
    all.extend(filters);
    ask("journalctl", &all).ok()
}

/// Returns the last lines of the unit from the journal.
pub(super) fn last_lines(id: &UnitId, since: u64) -> Vec<String> {
    if !is_name(&id.name) {
        return Vec::new();
    }
    let lines = match id.manager {
        Manager::System => {
            let unit = format!("--unit={}", id.name);
            read(&["--output=cat", LINES, &unit], &[], since)
        }
        Manager::User { uid, .. } => {
            let [own, manager, owner] = of_user(&id.name, uid);
            let mut filters = vec![owner.as_str(), &own, "+", &owner, &manager];
            // Also select lines by process: journald cannot assign a line to a unit if the process
            // exited before journald read the line.
            let process = main_process(id);
            filters.extend(process.iter().flat_map(|field| ["+", &owner, field]));
            read(&["--output=cat", LINES], &filters, since)
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
pub(super) fn command(id: &UnitId) -> String {
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

    #[test]
    fn user_unit_command_selects_by_user() {
        let id = UnitId {
            manager: Manager::User { uid: 7, gid: 7 },
            name: "a.service".into(),
        };
        assert_eq!(
            command(&id),
            "journalctl -b _UID=7 _SYSTEMD_USER_UNIT=a.service + _UID=7 USER_UNIT=a.service"
        );
        assert_eq!(
            command(&UnitId::of_system("b.service")),
            "journalctl -b -u b.service"
        );
    }
}
