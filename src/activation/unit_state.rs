//! The state of one unit, as `systemctl show` prints it, and what is wrong with it. Pure: asks nobody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The properties that a [`UnitState`] is read from. A release of systemd that lacks one leaves it out.
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

/// Properties with the units that pull a unit in.
const PULLS: [&str; 4] = ["WantedBy", "RequiredBy", "BoundBy", "UpheldBy"];

/// Properties with the units whose restart restarts a unit.
const LEANS: [&str; 3] = ["Requires", "BindsTo", "PartOf"];

/// The state of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitState {
    pub(super) name: String,
    /// `Type=` of a service; empty for other units.
    pub(super) service_type: String,
    pub(super) load: String,
    pub(super) active: String,
    pub(super) sub: String,
    pub(super) result: String,
    pub(super) reload_result: String,
    /// How often systemd restarted it by itself.
    pub(super) restarts: u32,
    /// `Restart=`.
    pub(super) restart: String,
    pub(super) invocation: String,
    /// When its state changed last: microseconds of the monotonic clock.
    pub(super) changed_at: u64,
    /// When a timer elapses next, on the same clock.
    pub(super) elapses_at: Option<u64>,
    pub(super) fragment: String,
    pub(super) triggered_by: Vec<String>,
    /// Units that start it with them.
    pub(super) pulled_by: Vec<String>,
    /// Units whose restart restarts it.
    pub(super) leans_on: Vec<String>,
    pub(super) job: Option<Job>,
}

/// A job of a manager that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// `start`, `restart`, `stop`, …
    pub(super) kind: String,
    /// `waiting` or `running`.
    pub(super) state: String,
}

/// What is wrong with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// It failed, and is not started again.
    Failed,
    /// It failed, and systemd restarts it.
    Restarting,
    /// Its reload failed; it runs as before.
    ReloadFailed,
    /// Its start does not end.
    Starting,
}

impl Job {
    /// Reads the output of `systemctl list-jobs`: a job by the name of its unit.
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

    /// Whether it starts or reloads something.
    pub(super) fn starts(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "start" | "restart" | "try-restart" | "reload" | "reload-or-start"
        )
    }
}

impl UnitState {
    /// Reads the output of `systemctl show` for several units: a paragraph each.
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
            pulled_by: names(&PULLS),
            leans_on: names(&LEANS),
            job: None,
        }
    }

    /// Whether systemd starts it again soon, after it ended by itself. Since 254 there are several such states.
    pub(super) fn is_restarting(&self) -> bool {
        self.sub.contains("auto-restart")
    }

    fn has_failed_result(&self) -> bool {
        !matches!(self.result.as_str(), "" | "success" | "exec-condition")
    }

    /// What is wrong with it, as far as one look tells.
    pub(super) fn problem(&self) -> Option<Problem> {
        if self.is_restarting() {
            return self.has_failed_result().then_some(Problem::Restarting);
        }
        match self.active.as_str() {
            "failed" => Some(Problem::Failed),
            // It died, and a command that cleans up still runs.
            "deactivating" if self.job.is_none() && self.has_failed_result() => {
                Some(Problem::Failed)
            }
            "active" if !matches!(self.reload_result.as_str(), "" | "success") => {
                Some(Problem::ReloadFailed)
            }
            _ => None,
        }
    }

    /// Whether it was well at `before` or had not been started, and systemd restarted it by itself since.
    pub(super) fn restarted_since(&self, before: Option<&Self>) -> bool {
        // A start by a job, and `systemctl reset-failed`, set the number to 0.
        let earlier = before.map_or(0, |before| before.restarts);
        self.restarts > if self.restarts < earlier { 0 } else { earlier }
    }

    /// Whether systemd only restarts it after a failure.
    pub(super) fn restarts_after_failure_only(&self) -> bool {
        !matches!(self.restart.as_str(), "always" | "on-success" | "no" | "")
    }

    /// Whether its state or its process is another one than at `before`, or it has something to do.
    pub(super) fn differs_from(&self, before: Option<&Self>) -> bool {
        self.job.as_ref().is_some_and(Job::starts)
            || before.is_none_or(|before| {
                before.invocation != self.invocation || before.changed_at != self.changed_at
            })
    }

    /// Whether it counts as started once its process runs, whatever becomes of that.
    pub(super) fn counts_as_started_at_once(&self) -> bool {
        matches!(self.service_type.as_str(), "simple" | "exec" | "idle")
    }

    /// Whether it runs, or is on its way up or down.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.active.as_str(), "inactive" | "failed" | "")
    }

    /// Whether it starts other units when something happens.
    pub(super) fn is_trigger(&self) -> bool {
        [".timer", ".path", ".socket"]
            .iter()
            .any(|suffix| self.name.ends_with(suffix))
    }
}

/// A time span as systemd prints it (`1h 17min 24.731330s`), in microseconds; none for `infinity` and for none.
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
    fn units_are_read_a_paragraph_each() {
        let units = UnitState::read_all(SHOWN);
        assert_eq!(units.len(), 2);
        assert_eq!(units[0].name, "a.service");
        assert_eq!(units[0].changed_at, 791_791_542);
        assert_eq!(units[0].pulled_by, ["multi-user.target", "other.target"]);
        assert_eq!(units[0].problem(), Some(Problem::Restarting));
        assert_eq!(units[1].elapses_at, Some(4_644_731_330));
        assert_eq!(units[1].problem(), None);
    }

    #[test]
    fn only_a_failed_result_makes_a_restart_a_problem() {
        let state = |sub: &str, result: &str| UnitState {
            active: "activating".into(),
            sub: sub.into(),
            result: result.into(),
            ..UnitState::default()
        };
        for sub in ["auto-restart", "auto-restart-queued"] {
            assert_eq!(state(sub, "success").problem(), None);
            assert_eq!(state(sub, "signal").problem(), Some(Problem::Restarting));
        }
        assert_eq!(state("start-pre", "success").problem(), None);
    }

    #[test]
    fn a_failed_reload_is_a_problem_of_a_running_unit() {
        let mut unit = UnitState {
            active: "active".into(),
            reload_result: "exit-code".into(),
            ..UnitState::default()
        };
        assert_eq!(unit.problem(), Some(Problem::ReloadFailed));
        unit.active = "inactive".into();
        assert_eq!(unit.problem(), None);
    }

    #[test]
    fn a_unit_that_a_condition_kept_from_starting_is_well() {
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
    fn jobs_are_read_by_the_name_of_their_unit() {
        let jobs =
            Job::read_all("734 a.service start running\n 784 b.service stop  waiting\nNo jobs.\n");
        assert_eq!(jobs.len(), 2);
        assert!(jobs["a.service"].starts() && !jobs["b.service"].starts());
        assert_eq!(jobs["b.service"].state, "waiting");
    }

    #[test]
    fn spans_are_microseconds() {
        assert_eq!(microseconds("500ms"), Some(500_000));
        assert_eq!(microseconds("1d 2min 3us"), Some(86_520_000_003));
        assert_eq!((microseconds("infinity"), microseconds("")), (None, None));
        assert_eq!(microseconds("0"), None);
    }
}
