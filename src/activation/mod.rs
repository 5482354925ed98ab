//! The stage that activates: from a toplevel in the store to the system that runs.
//!
//! The client's side: starts the relay, before the work, so that a missing right is known and a password asked for then;
//! hands it the request at the end, and passes on what it says. What happens is in `activator.rs`.

mod activator;
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
mod units;
mod verify;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::choice::{Allow, Elevate, OnFailedUnits};
use crate::error::{Failed, Failure};
use crate::fault::{Point, step};
use crate::locations::Locations;
use crate::progress::Reporter;
use crate::record::{Entry, Outcome, Pin, State, Step, holder, read_history};
use crate::timings::{Phase, Phases};
use crate::worker::{greet, receive, send};

pub use activator::run as activator_role;
pub use elevation::{become_user, drop_rights};
pub use preflight::{Findings, Machine, Profile, compare, space};
pub use recovery::{expire, forget_earlier_boot, switched_elsewhere, unended};
pub use relay::run as relay_role;
pub use switch::read_output as read_switch_output;
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

/// How long the program that gave the rights may take to leave. What it does then (closing a session of PAM's, say) has
/// nothing to do with us, and must not keep anybody waiting.
const TO_LEAVE: Duration = Duration::from_secs(5);

/// An activator that waits for its request. Nothing happens if it never comes.
pub struct Activator {
    child: Option<Child>,
    /// What was started, for people.
    program: String,
    from: Box<dyn BufRead + Send>,
    to: Box<dyn Write + Send>,
}

impl Activator {
    /// Starts one with the rights that it needs.
    pub fn start(elevate: Elevate, locations: &Locations) -> Result<Self> {
        let (program, mut child) = elevation::start(elevate, locations)?;
        let to = child.stdin.take().context("the activator has a stdin")?;
        let from = child.stdout.take().context("the activator has a stdout")?;
        let mut activator = Self {
            child: Some(child),
            program: program.to_string(),
            from: Box::new(BufReader::new(from)),
            to: Box::new(to),
        };
        if greet(&mut activator.from)?.is_none() {
            return Err(activator.denied());
        }
        Ok(activator)
    }

    /// Speaks to the one that holds the other end of our stdin: we were started by it, as the user who called it.
    pub fn on_stdin() -> Result<Self> {
        let socket = std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .context("take over stdin")?;
        let socket = UnixStream::from(socket);
        let mut activator = Self {
            child: None,
            program: String::new(),
            from: Box::new(BufReader::new(socket.try_clone().context("share stdin")?)),
            to: Box::new(socket),
        };
        match greet(&mut activator.from)? {
            Some(_) => Ok(activator),
            None => Err(activator.denied()),
        }
    }

    fn denied(&mut self) -> anyhow::Error {
        let status = self.child.as_mut().and_then(|child| child.wait().ok());
        Failure::Refused
            .error(match status {
                Some(status) => {
                    let program = &self.program;
                    format!("get the rights to activate: {program} ended with {status}")
                }
                None => "get the rights to activate: the activator is gone".to_string(),
            })
            .hint("run this with sudo, or name another way with --elevate")
            .into()
    }

    /// Hands it the request, and passes on what it says until it has ended.
    pub fn activate(mut self, request: &Request, reporter: &Reporter) -> Result<Activated> {
        step(Point::Ask, || send(&mut self.to, request)).map_err(|_| {
            Failure::Refused
                .error(format!(
                    "{}: the activator is gone, and was not asked yet; nothing was changed",
                    request.purpose
                ))
                .hint("try again: it was killed, or whatever gave it its rights has ended it")
        })?;
        reporter.begin(Phase::Activate);
        let answer = step(Point::Follow, || self.follow(request, reporter))?;
        match answer {
            Answer::Done { activated } => {
                reporter.end_after(Phase::Activate, activated.milliseconds);
                Ok(*activated)
            }
            Answer::Refused { failed } => Err(failed.into()),
            Answer::Line { .. } => {
                Err(Failure::Internal.error("activate: a line is no end").into())
            }
        }
    }

    fn follow(&mut self, request: &Request, reporter: &Reporter) -> Result<Answer> {
        loop {
            match receive(&mut self.from) {
                Ok(Some(Answer::Line { line })) => reporter.switch_line(&line),
                Ok(Some(answer)) => return Ok(answer),
                // Only who relayed it is gone. What was begun goes on, and its end can be seen from here.
                Ok(None) | Err(_) => break,
            }
        }
        let locations = Locations::new(&request.root, request.root.clone());
        reporter.note("lost sight of the activation, which goes on; waiting for its end");
        wait_for_end(&locations, &request.transaction);
        Ok(aftermath(&locations, &request.transaction))
    }
}

/// How long an activator may take to find its request, and how long from there to the lock.
const TO_BEGIN: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(1)];

/// Waits until a transaction that nobody tells of has ended, as the lock, the history and its request show: it may have
/// been begun by a relay that is dead, and has not taken the lock yet.
fn wait_for_end(locations: &Locations, transaction: &str) {
    let begun = Instant::now();
    let mut still = Instant::now();
    while recorded(locations, transaction).is_none() {
        let asked_for = locations.request(transaction).exists() && begun.elapsed() < TO_BEGIN[0];
        if asked_for || holder(locations).is_some() {
            still = Instant::now();
        } else if still.elapsed() >= TO_BEGIN[1] {
            return;
        }
        std::thread::sleep(log::GLANCE);
    }
}

/// The record of a transaction that has ended.
fn recorded(locations: &Locations, transaction: &str) -> Option<Entry> {
    let history = read_history(locations).unwrap_or_default();
    let is_it = |entry: &Entry| entry.transaction == transaction;
    history.into_iter().rev().find(is_it)
}

/// What the state and the history say of a transaction whose activator is gone and left no outcome.
fn aftermath(locations: &Locations, transaction: &str) -> Answer {
    let log = locations.log(transaction);
    if let Some(entry) = recorded(locations, transaction) {
        return Answer::Done {
            activated: Box::new(Activated::of(&entry, log)),
        };
    }
    let pending = State::read(locations).ok().and_then(|state| state.pending);
    let failed = match pending.filter(|pending| pending.transaction == transaction) {
        Some(pending) if pending.step == Step::Checking => Failure::Refused
            .error("activate: the activator died before it had changed anything")
            .hint("`runtime-module recover` forgets the attempt; then try again"),
        Some(pending) => Failure::Stranded
            .error(format!("activate: the activator died: {}", pending.step.words()))
            .hint("`runtime-module recover` activates the previous system again, and with --finish the new one"),
        None => Failure::Refused
            .error("activate: the activator died before it had begun; nothing was changed")
            .hint(format!("try again; if it said why, then in {}", log.display())),
    };
    Answer::Refused { failed }
}

impl Drop for Activator {
    fn drop(&mut self) {
        // Closing its stdin ends one that was never asked; the parent must not leave a zombie behind.
        self.to = Box::new(std::io::sink());
        let begun = Instant::now();
        while let Some(child) = &mut self.child
            && matches!(child.try_wait(), Ok(None))
            && begun.elapsed() < TO_LEAVE
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
