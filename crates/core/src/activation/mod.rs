//! The stage that activates a toplevel in the store.
//!
//! This file defines the messages between the client, the relay and the activator.

mod activator;
mod become_user;
mod causes;
mod client;
mod commit;
mod confirm;
mod elevation;
mod environment;
mod external_switch;
mod failed_command;
mod findings;
mod journal;
mod log;
mod login;
mod manager;
mod outcome;
mod preflight;
mod recovery;
mod relay;
mod rooting;
mod runtime_files;
mod switch;
mod systemd;
mod touched;
mod transaction;
mod unit;
mod unit_files;
mod unit_state;
mod units;
mod verification;
mod verified;
mod verify;
mod watch;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::choice::{Allow, OnFailedUnits, SETTLE};
use crate::error::{Failed, Failure, Message as _, SwitchError};
use crate::overrides::{Generation, OverrideState};
use crate::partial::{Effects, RuntimeFiles, Verification};
use crate::record::{Configuration, Entry, Outcome};
use crate::timings::{Phase, Phases};

pub use activator::run as activator_role;
pub use become_user::{become_user, drop_rights};
pub use client::Activator;
pub use external_switch::run as watch_role;
pub use failed_command::FailedCommand;
pub use findings::Findings;
pub use preflight::{compare, examine, space};
pub use recovery::{expire, forget_earlier_boot, switched_elsewhere, unfinished_transaction_error};
pub use relay::run as relay_role;
pub use runtime_files::{masked_units, unit_changes_of_files};
pub use switch::read_output as read_switch_output;
pub use systemd::wait_for_boot;
pub use unit_state::UnitProblem;
pub use units::{UnitChanges, unit_changes};

/// A request to the activator, which the relay stores in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The store that contains the old and the new system; `None` for the machine's own store.
    pub store: Option<String>,
    /// The root directory of the machine.
    pub root: PathBuf,
    /// The name of the transaction: letters, digits and `-`.
    pub transaction: String,
    /// The description of the request for messages, the lock and the history, such as
    /// `enable hello, web`.
    pub purpose: String,
    /// Milliseconds to wait for a lock that another process holds.
    pub wait: u64,
    /// The settle time in milliseconds: how long to watch a service that systemd considers started
    /// as soon as its process runs.
    #[serde(default = "default_settle")]
    pub settle: u64,
    /// The options of the program with which a verification in the background evaluates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify_options: Vec<String>,
    /// The task to carry out.
    pub task: ActivatorTask,
    /// The fault to inject, in tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

fn default_settle() -> u64 {
    SETTLE.as_millis() as u64
}

/// A task for the activator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum ActivatorTask {
    /// Activate another system.
    Change(Box<Change>),
    /// End a transaction that was interrupted or has not been confirmed yet.
    Recover {
        /// Whether to activate the new system instead of the previous one.
        finish: bool,
    },
    /// Confirm the pending change.
    Confirm,
    /// Record the result of a verification.
    Verified(Box<Verified>),
}

/// The result of a verification, for the state of one revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// The revision of the state that was verified.
    pub revision: u64,
    pub verification: Verification,
    /// The known effects of options; `None` if nothing was learned.
    pub effects: Option<Effects>,
}

/// A change to the running system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The revision of the state for which the plan was made.
    pub revision: u64,
    /// The toplevel that was running when the plan was made.
    pub from: Option<String>,
    /// The toplevel to activate.
    pub to: String,
    /// The toplevel without any runtime module.
    pub base: Option<String>,
    /// The configuration of `to`.
    #[serde(rename = "pin")]
    pub configuration: Option<Configuration>,
    /// Modules that are enabled in `to`.
    pub wanted: Vec<String>,
    /// The option overrides in `to`.
    #[serde(default)]
    pub overrides: OverrideState,
    /// The new generation of option overrides, if the change makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The unit files and etc entries that apply overrides in addition to `to`.
    #[serde(default, skip_serializing_if = "RuntimeFiles::is_empty")]
    pub runtime: RuntimeFiles,
    /// The verification of these files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The known effects of options; `None` if nothing was learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Effects>,
    /// Whether a verification requests the change, to finish or undo a partial change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verifies: bool,
    /// Whether to switch even if `to` is already the running system.
    pub force: bool,
    /// The safety checks that the user overrides.
    pub allow: Vec<Allow>,
    /// The response to units that fail because of the change.
    pub on_failed_units: OnFailedUnits,
    /// The time limit for the confirmation in seconds; `None` if the change needs no confirmation.
    pub confirm: Option<u64>,
    /// The durations of the phases so far.
    pub phases: Phases,
}

/// A message from the activator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum ActivationMessage {
    /// A log line.
    Line { line: String },
    /// The result of the request.
    Done { activated: Box<Activated> },
    /// The request was refused, or the activator died before it reported a result.
    Refused { failed: Failed },
}

/// The result of an activation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activated {
    /// The outcome of the switch.
    pub outcome: Outcome,
    /// A human-readable explanation of the outcome; empty on success.
    pub explanation: String,
    /// The exit status of the switch program; null if the program did not run, if a signal killed
    /// it, or if its status is unknown.
    pub status: Option<i32>,
    /// Units that failed because of the change.
    pub failed_units: Vec<String>,
    /// The cause of each failure, with the last lines of the unit from the journal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unit_logs: Vec<UnitLog>,
    /// The last output lines of the switch program, unless the switch succeeded.
    pub last_lines: Vec<String>,
    /// Problems that do not change the outcome.
    pub warnings: Vec<String>,
    /// The deadline for the confirmation in seconds since 1970; absent if the change needs no
    /// confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<u64>,
    /// The path of the transaction's log.
    pub log: PathBuf,
    /// The revision of the state after the activation.
    pub revision: u64,
    /// The duration of the activation in milliseconds.
    pub milliseconds: f64,
}

/// The description of a failed unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnitLog {
    /// The unit's name.
    pub unit: String,
    /// The last lines of the unit in the journal.
    pub lines: Vec<String>,
    /// The user whose manager controls the unit; absent if the system manager controls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The `Type=` of the service.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub service_type: Option<String>,
    /// The problem of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<UnitProblem>,
    /// The cause, phrased to follow the name of the unit; absent if it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The result as systemd reports it, for example `exit-code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The command that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<FailedCommand>,
    /// The command that shows the full log of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
}

impl UnitLog {
    /// Returns the unit and the cause of its failure, on one line.
    fn summary(&self) -> String {
        let user = self.user.as_ref();
        let user = user.map_or_else(String::new, |user| format!(" of user {user}"));
        let kind = self.service_type.as_ref();
        let kind = kind.map_or_else(String::new, |kind| format!(" (Type={kind})"));
        let cause = self.cause.as_ref();
        let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
        format!("{}{user}{kind}{cause}", self.unit)
    }

    /// Returns whether this log belongs to the unit that `failedUnits` lists as `name`.
    fn is_about(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.unit.as_str());
        rest.is_some_and(|rest| match &self.user {
            None => rest.is_empty(),
            Some(user) => rest.strip_prefix(" of user ") == Some(user),
        })
    }
}

impl Activated {
    /// Returns a successful activation without details.
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

    /// Returns the result that a history record describes.
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

    /// Returns the error for this outcome, or `None` on success.
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
            let what = log.map_or_else(|| unit.clone(), UnitLog::summary);
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
            failed = failed.hint(format!("run `{more}` to see the log of the unit"));
        }
        Some(match kind {
            Failure::RebootNeeded => {
                failed.hints.extend(SwitchError::InitChanged.failed().hints);
                failed
            }
            Failure::Stranded => failed.hint(format!(
                "the system is only partly switched: read {}, then run `runtime-module recover`",
                self.log.display()
            )),
            _ => failed.hint(format!("see {} for the full log", self.log.display())),
        })
    }
}
