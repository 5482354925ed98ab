//! The stage that activates: from a toplevel in the store to the system that runs.
//!
//! Here is what client, relay and activator say to each other. What the client does is in `client.rs`, what happens in
//! `activator.rs`.

mod activator;
mod causes;
mod client;
mod confirm;
mod elevation;
mod log;
mod login;
mod manager;
mod preflight;
mod recovery;
mod relay;
mod rooting;
mod switch;
mod systemd;
mod touched;
mod transaction;
mod unit;
mod unit_files;
mod unit_state;
mod units;
mod verify;
mod watch;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::choice::{Allow, OnFailedUnits, SETTLE};
use crate::error::{Failed, Failure};
use crate::record::{Entry, Outcome, Pin};
use crate::timings::{Phase, Phases};

pub use activator::run as activator_role;
pub use client::Activator;
pub use elevation::{become_user, drop_rights};
pub use preflight::{Findings, Machine, Profile, compare, examine, space};
pub use recovery::{expire, forget_earlier_boot, switched_elsewhere, unended};
pub use relay::run as relay_role;
pub use switch::read_output as read_switch_output;
pub use systemd::wait_for_boot;
pub use unit_state::Problem;
pub use units::{UnitChanges, unit_changes};
pub use watch::FailedCommand;

/// What the activator is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The store that everything is in; none for the machine's own.
    pub store: Option<String>,
    /// The machine's root.
    pub root: PathBuf,
    /// The transaction's name: letters, digits and `-`.
    pub transaction: String,
    /// What is done, for the lock and the log: `enable hello, web`.
    pub purpose: String,
    /// Milliseconds to wait for whoever holds a lock.
    pub wait: u64,
    /// Milliseconds for which services are watched that count as started at once.
    #[serde(default = "default_settle")]
    pub settle: u64,
    /// What is to be done.
    pub errand: Errand,
    /// What is to go wrong, in tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

fn default_settle() -> u64 {
    SETTLE.as_millis() as u64
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "errand", rename_all = "kebab-case")]
pub enum Errand {
    /// Another system is to run.
    Change(Box<Change>),
    /// A transaction that was interrupted, or is not confirmed yet, is to be ended.
    Recover {
        /// Whether by what it wanted, not by what was before.
        finish: bool,
    },
    /// A transaction that is not confirmed yet is.
    Confirm,
}

/// A change of the system that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The state that the plan was made against.
    pub revision: u64,
    /// The toplevel that ran when the plan was made.
    pub from: Option<String>,
    /// The toplevel to activate.
    pub to: String,
    /// The toplevel without any runtime module.
    pub base: Option<String>,
    /// The source of `to`.
    pub pin: Option<Pin>,
    /// Modules that `to` has on.
    pub wanted: Vec<String>,
    /// Whether to switch even to what runs already.
    pub force: bool,
    /// Objections that are passed.
    pub allow: Vec<Allow>,
    /// What to do when units fail because of it.
    pub on_failed_units: OnFailedUnits,
    /// Seconds in which it is to be confirmed, where it is.
    pub confirm: Option<u64>,
    /// How long the phases before took.
    pub phases: Phases,
}

/// What the activator says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum Answer {
    /// A line of the switch program.
    Line {
        /// The line.
        line: String,
    },
    /// It has ended.
    Done {
        /// How.
        activated: Box<Activated>,
    },
    /// It was not begun.
    Refused {
        /// Why.
        failed: Failed,
    },
}

/// How an activation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activated {
    /// How.
    pub outcome: Outcome,
    /// What that means, for people; empty if all is well.
    pub explanation: String,
    /// The exit status of the switch program; none if a signal ended it.
    pub status: Option<i32>,
    /// Units that failed because of it.
    pub failed_units: Vec<String>,
    /// Why each of them is not well, and its last lines in the journal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unit_logs: Vec<UnitLog>,
    /// The last lines of the switch program, where it failed.
    pub last_lines: Vec<String>,
    /// What went wrong beside, and changes nothing about the outcome.
    pub warnings: Vec<String>,
    /// Seconds since 1970 until which it is to be confirmed, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<u64>,
    /// The log of the switch program.
    pub log: PathBuf,
    /// The state's revision now.
    pub revision: u64,
    /// Milliseconds that it took.
    pub milliseconds: f64,
}

/// Why a unit is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitLog {
    /// The unit.
    pub unit: String,
    /// Its last lines in the journal.
    pub lines: Vec<String>,
    /// The user whose manager has the unit; none for the system's manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `Type=` of a service.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub service_type: Option<String>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// The cause in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// systemd's word for the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The command that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<FailedCommand>,
    /// The command that shows more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
}

impl UnitLog {
    /// The unit and its cause, on one line.
    fn sentence(&self) -> String {
        let user = self.user.as_ref();
        let user = user.map_or_else(String::new, |user| format!(" of user {user}"));
        let kind = self.service_type.as_ref();
        let kind = kind.map_or_else(String::new, |kind| format!(" (Type={kind})"));
        let cause = self.cause.as_ref();
        let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
        format!("{}{user}{kind}{cause}", self.unit)
    }

    /// Whether it is about a unit as `failedUnits` names it.
    fn is_about(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.unit.as_str());
        rest.is_some_and(|rest| match &self.user {
            None => rest.is_empty(),
            Some(user) => rest.strip_prefix(" of user ") == Some(user),
        })
    }
}

impl Activated {
    /// Nothing is said yet but that all is well.
    fn new(log: PathBuf, revision: u64) -> Self {
        Self {
            outcome: Outcome::Activated,
            explanation: String::new(),
            status: None,
            failed_units: Vec::new(),
            unit_logs: Vec::new(),
            last_lines: Vec::new(),
            warnings: Vec::new(),
            confirm_until: None,
            log,
            revision,
            milliseconds: 0.0,
        }
    }

    /// What a record of the history tells of it.
    fn of(entry: &Entry, log: PathBuf) -> Self {
        Self {
            outcome: entry.outcome,
            explanation: entry.explanation.clone(),
            failed_units: entry.failed_units.clone(),
            milliseconds: entry.phases.get(Phase::Activate).unwrap_or(0.0),
            ..Self::new(log, entry.revision)
        }
    }

    fn log_of(&self, unit: &str) -> Option<&UnitLog> {
        self.unit_logs.iter().find(|log| log.is_about(unit))
    }

    /// The error that it amounts to, if it does.
    pub fn error(&self) -> Option<Failed> {
        let kind = match self.outcome {
            Outcome::Activated => return None,
            Outcome::UnitsFailed => Failure::UnitsFailed,
            Outcome::Unchanged if self.status == Some(switch::INIT_INTERFACE_CHANGED) => {
                Failure::RebootNeeded
            }
            Outcome::Unchanged | Outcome::Superseded => Failure::Refused,
            Outcome::Returned => Failure::Returned,
            Outcome::Stranded => Failure::Stranded,
        };
        let mut failed = kind.error(self.explanation.clone());
        for unit in &self.failed_units {
            let log = self.log_of(unit);
            let what = log.map_or_else(|| unit.clone(), UnitLog::sentence);
            failed = failed.detail(format!("failed: {what}"));
        }
        for log in &self.unit_logs {
            for line in &log.lines {
                failed = failed.detail(format!("{}> {line}", log.unit));
            }
        }
        for line in &self.last_lines {
            failed = failed.detail(format!("> {line}"));
        }
        if self.confirm_until.is_some() {
            failed =
                failed.hint("run `runtime-module confirm` in time, or the change is rolled back");
        }
        for unit in &self.failed_units {
            let more = self.log_of(unit).and_then(|log| log.more.clone());
            let more = more.unwrap_or_else(|| format!("journalctl -b -u {unit}"));
            failed = failed.hint(format!("unit log: {more}"));
        }
        Some(match kind {
            Failure::RebootNeeded => {
                failed.hint("run `nixos-rebuild boot` and reboot; if a runtime module needs the reboot, import it in the host first, since the booted system has none")
            }
            Failure::Stranded => failed.hint(format!(
                "the machine is between two systems; read {}, then run `runtime-module recover`",
                self.log.display()
            )),
            _ => failed.hint(format!("full log: {}", self.log.display())),
        })
    }
}
