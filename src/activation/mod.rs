//! The stage that activates: from a toplevel in the store to the system that runs.
//!
//! Here is what client, relay and activator say to each other. What the client does is in `client.rs`, what happens in
//! `activator.rs`.

mod activator;
mod client;
mod confirm;
mod elevation;
mod log;
mod login;
mod preflight;
mod recovery;
mod relay;
mod rooting;
mod switch;
mod systemd;
mod transaction;
mod unit;
mod unit_files;
mod units;
mod verify;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::choice::{Allow, OnFailedUnits};
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
pub use units::{UnitChanges, unit_changes};

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
    /// What is to be done.
    pub errand: Errand,
    /// What is to go wrong, in tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "errand", rename_all = "kebab-case")]
pub enum Errand {
    /// Another system is to run.
    Change(Box<Change>),
    /// A transaction that was interrupted, or waits to be confirmed, is to be ended.
    Recover {
        /// Whether by what it wanted, not by what was before.
        finish: bool,
    },
    /// A transaction that waits to be confirmed is.
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
    /// The last lines of each in the journal.
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

/// What a unit that failed wrote last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitLog {
    /// The unit.
    pub unit: String,
    /// Its last lines.
    pub lines: Vec<String>,
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
            failed = failed.detail(format!("failed: {unit}"));
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
                failed.hint("it is undone in time unless you confirm it: runtime-module confirm");
        }
        for unit in &self.failed_units {
            failed = failed.hint(format!("what it said: journalctl -b -u {unit}"));
        }
        Some(match kind {
            Failure::RebootNeeded => {
                failed.hint("make it the system of the next boot: nixos-rebuild boot, then reboot")
            }
            Failure::Stranded => failed.hint(format!(
                "the machine is between two systems; read {}, then run `runtime-module recover`",
                self.log.display()
            )),
            _ => failed.hint(format!("the whole log: {}", self.log.display())),
        })
    }
}
