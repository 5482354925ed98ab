//! The state of a unit, parsed from the output of `systemctl show`, and the problem that this state
//! shows. All functions are pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The properties that a [`UnitState`] needs. An older systemd omits properties that it does not
/// know.
pub(super) const PROPERTIES: &[&str] = &[
    "Id",
    "Type",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "ReloadResult",
    "NRestarts",
    "Restart",
    "InvocationID",
    "StateChangeTimestampMonotonic",
    "NextElapseUSecMonotonic",
    "FragmentPath",
    "TriggeredBy",
    "WantedBy",
    "RequiredBy",
    "BoundBy",
    "UpheldBy",
    "Requires",
    "BindsTo",
    "PartOf",
];

/// The properties of a unit that list the units whose start also starts it.
const STARTED_BY: [&str; 4] = ["WantedBy", "RequiredBy", "BoundBy", "UpheldBy"];

/// The properties of a unit that list the units whose restart also restarts it.
const RESTARTED_WITH: [&str; 3] = ["Requires", "BindsTo", "PartOf"];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitState {
    pub(super) name: String,
    /// The `Type=` of a service, or empty for other units.
    pub(super) service_type: String,
    pub(super) load: String,
    pub(super) active: String,
    pub(super) sub: String,
    pub(super) result: String,
    pub(super) reload_result: String,
    /// The number of automatic restarts.
    pub(super) restarts: u32,
    /// The value of `Restart=`.
    pub(super) restart: String,
    pub(super) invocation: String,
    /// The time of the last state change, in microseconds of the monotonic clock.
    pub(super) changed_at: u64,
    /// The time at which a timer elapses next, on the same clock.
    pub(super) elapses_at: Option<u64>,
    pub(super) fragment: String,
    pub(super) triggered_by: Vec<String>,
    /// The units whose start also starts this unit.
    pub(super) started_by: Vec<String>,
    /// The units whose restart also restarts this unit.
    pub(super) restarted_with: Vec<String>,
    pub(super) job: Option<UnitJob>,
}

/// A queued or running job of a systemd manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnitJob {
    /// The type of the job: `start`, `restart`, `stop`, …
    pub(super) kind: String,
    /// The state of the job: `waiting` or `running`.
    pub(super) state: String,
}

/// A problem with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnitProblem {
    /// The unit failed, and systemd does not restart it.
    Failed,
    /// The unit failed, and systemd is restarting it.
    Restarting,
    /// The last reload failed. The unit is still running with its old configuration.
    ReloadFailed,
    /// The start job has not finished in time.
    Starting,
}

impl UnitJob {
    /// Parses the output of `systemctl list-jobs`. Returns the jobs by unit name.
    pub(super) fn read_all(text: &str) -> BTreeMap<String, Self> {
        let job = |line: &str| {
            let mut words = line.split_whitespace();
            words.next()?.parse::<u64>().ok()?;
            let (name, kind, state) = (words.next()?, words.next()?, words.next()?);
            let job = Self {
                kind: kind.to_string(),
                state: state.to_string(),
            };
            Some((name.to_string(), job))
        };
        text.lines().filter_map(job).collect()
    }

    /// Returns whether the job starts, restarts or reloads the unit.
    pub(super) fn starts(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "start" | "restart" | "try-restart" | "reload" | "reload-or-start"
        )
    }
}

impl UnitState {
    /// Parses the output of `systemctl show` for several units, which has one paragraph for each
    /// unit.
    pub(super) fn read_all(text: &str) -> Vec<Self> {
        let units = text.split("\n\n").map(Self::read);
        units.filter(|unit| !unit.name.is_empty()).collect()
    }

    fn read(paragraph: &str) -> Self {
        let values: BTreeMap<&str, &str> = paragraph
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        let text = |name: &str| values.get(name).unwrap_or(&"").to_string();
        let number = |name: &str| values.get(name).and_then(|value| value.parse().ok());
        let names = |keys: &[&str]| -> Vec<String> {
            let lists = keys.iter().filter_map(|key| values.get(key));
            lists
                .flat_map(|list| list.split_whitespace().map(String::from))
                .collect()
        };
        Self {
            name: text("Id"),
            service_type: text("Type"),
            load: text("LoadState"),
            active: text("ActiveState"),
            sub: text("SubState"),
            result: text("Result"),
            reload_result: text("ReloadResult"),
            restarts: number("NRestarts").unwrap_or(0) as u32,
            restart: text("Restart"),
            invocation: text("InvocationID"),
            changed_at: number("StateChangeTimestampMonotonic").unwrap_or(0),
            elapses_at: values
                .get("NextElapseUSecMonotonic")
                .and_then(|span| microseconds(span)),
            fragment: text("FragmentPath"),
            triggered_by: names(&["TriggeredBy"]),
            started_by: names(&STARTED_BY),
            restarted_with: names(&RESTARTED_WITH),
            job: None,
        }
    }

    /// Returns whether systemd will restart the unit soon. Since release 254, systemd has several
    /// states for a pending restart.
    pub(super) fn is_restarting(&self) -> bool {
        self.sub.contains("auto-restart")
    }

    fn has_failed_result(&self) -> bool {
        !matches!(self.result.as_str(), "" | "success" | "exec-condition")
    }

    /// Returns the problem that this state alone shows.
    pub(super) fn problem(&self) -> Option<UnitProblem> {
        if self.is_restarting() {
            return self.has_failed_result().then_some(UnitProblem::Restarting);
        }
        match self.active.as_str() {
            "failed" => Some(UnitProblem::Failed),
            // The main process has died, and a clean-up command is still running.
            "deactivating" if self.job.is_none() && self.has_failed_result() => {
                Some(UnitProblem::Failed)
            }
            "active" if !matches!(self.reload_result.as_str(), "" | "success") => {
                Some(UnitProblem::ReloadFailed)
            }
            _ => None,
        }
    }

    /// Returns whether systemd restarted the unit automatically since `before`.
    pub(super) fn restarted_since(&self, before: Option<&Self>) -> bool {
        // A start job and `systemctl reset-failed` both reset the counter to 0.
        let earlier = before.map_or(0, |before| before.restarts);
        self.restarts > if self.restarts < earlier { 0 } else { earlier }
    }

    /// Returns whether systemd restarts the unit automatically only after a failure.
    pub(super) fn restarts_after_failure_only(&self) -> bool {
        !matches!(self.restart.as_str(), "always" | "on-success" | "no" | "")
    }

    pub(super) fn has_start_job(&self) -> bool {
        self.job.as_ref().is_some_and(UnitJob::starts)
    }

    /// Returns whether the state or the process differs from `before`, or a start is queued.
    pub(super) fn differs_from(&self, before: Option<&Self>) -> bool {
        self.has_start_job()
            || before.is_none_or(|before| {
                before.invocation != self.invocation || before.changed_at != self.changed_at
            })
    }

    /// Returns whether systemd considers the unit started as soon as its process runs, even if the
    /// process exits soon after.
    pub(super) fn counts_as_started_at_once(&self) -> bool {
        matches!(self.service_type.as_str(), "simple" | "exec" | "idle")
    }

    /// Returns whether the unit is active, starting or stopping.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.active.as_str(), "inactive" | "failed" | "")
    }

    /// Returns whether the unit starts other units on an event.
    pub(super) fn is_trigger(&self) -> bool {
        [".timer", ".path", ".socket"]
            .iter()
            .any(|suffix| self.name.ends_with(suffix))
    }
}

/// Converts a time span in systemd's format (`1h 17min 24.731330s`) to microseconds. Returns `None`
/// for `infinity`, an empty span and a zero span.
fn microseconds(span: &str) -> Option<u64> {
    let part = |word: &str| {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number: f64 = word[..word.len() - unit.len()].parse().ok()?;
        let scale = match unit {
            "us" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            "min" => 60e6,
            "h" => 3600e6,
            "d" => 86_400e6,
            "w" => 604_800e6,
            "month" => 2_629_800e6,
            "y" => 31_557_600e6,
            _ => return None,
        };
        Some((number * scale) as u64)
    };
    let parts: Option<Vec<u64>> = span.split_whitespace().map(part).collect();
    parts
        .filter(|parts| !parts.is_empty())
        .map(|parts| parts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "\
Type=simple
Restart=always
NRestarts=2
Result=exit-code
ReloadResult=success
Id=a.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
WantedBy=multi-user.target other.target
StateChangeTimestampMonotonic=791791542

NextElapseUSecMonotonic=1h 17min 24.731330s
Result=success
Id=b.timer
ActiveState=active
SubState=waiting
";

    #[test]
    fn each_paragraph_is_read_as_a_unit() {
        let units = UnitState::read_all(SHOWN);
        assert_eq!(units.len(), 2);
        assert_eq!(units[0].name, "a.service");
        assert_eq!(units[0].changed_at, 791_791_542);
        assert_eq!(units[0].started_by, ["multi-user.target", "other.target"]);
        assert_eq!(units[0].problem(), Some(UnitProblem::Restarting));
        assert_eq!(units[1].elapses_at, Some(4_644_731_330));
        assert_eq!(units[1].problem(), None);
    }

    #[test]
    fn restart_is_a_problem_only_after_a_failure() {
        let state = |sub: &str, result: &str| UnitState {
            active: "activating".into(),
            sub: sub.into(),
            result: result.into(),
            ..UnitState::default()
        };
        for sub in ["auto-restart", "auto-restart-queued"] {
            assert_eq!(state(sub, "success").problem(), None);
            assert_eq!(
                state(sub, "signal").problem(),
                Some(UnitProblem::Restarting)
            );
        }
        assert_eq!(state("start-pre", "success").problem(), None);
    }

    #[test]
    fn failed_reload_is_a_problem_of_an_active_unit() {
        let mut unit = UnitState {
            active: "active".into(),
            reload_result: "exit-code".into(),
            ..UnitState::default()
        };
        assert_eq!(unit.problem(), Some(UnitProblem::ReloadFailed));
        unit.active = "inactive".into();
        assert_eq!(unit.problem(), None);
    }

    #[test]
    fn unit_skipped_by_a_condition_is_healthy() {
        let unit = UnitState {
            active: "inactive".into(),
            result: "exec-condition".into(),
            ..UnitState::default()
        };
        assert_eq!(unit.problem(), None);
    }

    #[test]
    fn restarts_are_counted_since_the_last_start() {
        let unit = |restarts| UnitState {
            restarts,
            ..UnitState::default()
        };
        assert!(unit(1).restarted_since(None));
        assert!(!unit(2).restarted_since(Some(&unit(2))));
        assert!(unit(3).restarted_since(Some(&unit(2))));
        assert!(unit(1).restarted_since(Some(&unit(2))));
        assert!(!unit(0).restarted_since(Some(&unit(2))));
    }

    #[test]
    fn jobs_are_mapped_by_unit_name() {
        let jobs = UnitJob::read_all(
            "734 a.service start running\n 784 b.service stop  waiting\nNo jobs.\n",
        );
        assert_eq!(jobs.len(), 2);
        assert!(jobs["a.service"].starts() && !jobs["b.service"].starts());
        assert_eq!(jobs["b.service"].state, "waiting");
    }

    #[test]
    fn time_spans_are_read_as_microseconds() {
        assert_eq!(microseconds("500ms"), Some(500_000));
        assert_eq!(microseconds("1d 2min 3us"), Some(86_520_000_003));
        assert_eq!((microseconds("infinity"), microseconds("")), (None, None));
        assert_eq!(microseconds("0"), None);
    }
}
