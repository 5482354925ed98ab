//! Explains why a unit failed: returns the failed command, the unit's last log lines, and the
//! command that shows its full log.

use super::UnitLog;
use super::journal;
use super::manager::UnitId;
use super::unit_state::{UnitProblem, UnitState};
use super::watch::UnhealthyUnit;

/// Describes a failed unit, with its last log lines since `since`.
pub(super) fn describe(id: &UnitId, unwell: &UnhealthyUnit, since: u64) -> UnitLog {
    let text = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
    let state = unwell.state.as_ref();
    UnitLog {
        unit: id.name.clone(),
        lines: journal::last_lines(id, since),
        user: id.manager.user_name(),
        service_type: state.and_then(|state| text(&state.service_type)),
        problem: Some(unwell.problem),
        cause: cause(unwell),
        result: state.and_then(result),
        command: unwell.command.clone(),
        more: Some(journal::command(id)),
    }
}

/// Returns the result of a failed start or reload as systemd reports it.
fn result(state: &UnitState) -> Option<String> {
    let results = [&state.result, &state.reload_result];
    let failed = |result: &&&String| !matches!(result.as_str(), "" | "success");
    results.iter().find(failed).map(ToString::to_string)
}

/// Returns the cause, phrased to follow the name of the unit.
fn cause(unwell: &UnhealthyUnit) -> Option<String> {
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
        UnitProblem::Failed => why,
        UnitProblem::Restarting => Some(match why {
            Some(why) => format!("{why}; systemd is restarting the unit"),
            None => "the unit failed, and systemd is restarting it".to_string(),
        }),
        UnitProblem::ReloadFailed => Some(match why {
            Some(why) => format!("the reload failed: {why}"),
            None => "the reload failed".to_string(),
        }),
        UnitProblem::Starting => {
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
        "protocol" => format!("the process exited before it was ready (Type={of_type})"),
        "resources" => "systemd could not set up the unit".to_string(),
        "start-limit-hit" => "the unit was started too often in a short time".to_string(),
        "watchdog" => "the service did not ping the watchdog in time".to_string(),
        "oom-kill" => "a process was killed because memory ran out".to_string(),
        other => format!("systemd reported the result '{other}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::FailedCommand;

    #[test]
    fn each_problem_has_a_cause() {
        let state = UnitState {
            service_type: "notify".into(),
            result: "protocol".into(),
            ..UnitState::default()
        };
        let unwell = |problem, state: Option<&UnitState>| UnhealthyUnit {
            problem,
            state: state.cloned(),
            command: None,
        };
        let output = |problem| cause(&unwell(problem, Some(&state)));
        let protocol = "the process exited before it was ready (Type=notify)";
        assert_eq!(output(UnitProblem::Failed).as_deref(), Some(protocol));
        assert_eq!(
            output(UnitProblem::Restarting),
            Some(format!("{protocol}; systemd is restarting the unit"))
        );
        assert_eq!(
            output(UnitProblem::Starting).as_deref(),
            Some("its start job has not finished")
        );
        assert_eq!(cause(&unwell(UnitProblem::Failed, None)), None);
        let mut late = unwell(UnitProblem::Failed, Some(&state));
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
}
