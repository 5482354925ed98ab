//! The client's side: starts the relay, before the work, so that a missing right is known and a password asked for
//! then; hands it the request at the end, and passes on what it says. It changes nothing itself, and may go at any
//! time.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Activated, Answer, Errand, Request, elevation, log};
use crate::choice::Elevate;
use crate::error::{Failed, Failure};
use crate::fault::{Point, step};
use crate::locations::Locations;
use crate::progress::Reporter;
use crate::record::{Entry, Pending, State, Step, holder, read_history};
use crate::timings::Phase;
use crate::worker::{greet, receive, send};

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
        Ok(aftermath(&locations, request))
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
    let is_it = |entry: &Entry| {
        entry.transaction == transaction || entry.ended_by.as_deref() == Some(transaction)
    };
    history.into_iter().rev().find(is_it)
}

/// What the history or the state says of a request whose activator is gone and left no outcome.
pub(super) fn aftermath(locations: &Locations, request: &Request) -> Answer {
    let transaction = &request.transaction;
    let log = locations.log(transaction);
    let became = match recorded(locations, transaction) {
        Some(entry) if entry.transaction == *transaction => Ok(Activated::of(&entry, log)),
        // Whoever was asked to end another one has done so, whatever became of that.
        Some(entry) => Ok(Activated {
            explanation: entry.explanation,
            ..Activated::new(log, entry.revision)
        }),
        None => unrecorded(request, &State::read(locations).unwrap_or_default(), log),
    };
    match became {
        Ok(activated) => Answer::Done {
            activated: Box::new(activated),
        },
        Err(failed) => Answer::Refused { failed },
    }
}

/// What the state says of a request that the history does not have.
fn unrecorded(request: &Request, state: &State, log: PathBuf) -> Result<Activated, Failed> {
    let pending = state.pending.as_ref();
    match &request.errand {
        Errand::Change(change) => {
            let is_it = |pending: &&Pending| pending.transaction == request.transaction;
            match pending.filter(is_it) {
                Some(pending) => interrupted(pending, state.revision, log),
                None if state.revision == change.revision => Err(not_begun(&log)),
                None if state.current.as_ref() == Some(&change.to)
                    && state.wanted == change.wanted =>
                {
                    let lost = "the history lacks it: the activator died before it had added it";
                    Ok(Activated {
                        warnings: vec![lost.into()],
                        ..Activated::new(log, state.revision)
                    })
                }
                None => Err(untold()),
            }
        }
        Errand::Recover { .. } => Err(match pending.map(|pending| pending.step) {
            Some(Step::Checking | Step::Confirming) => not_begun(&log),
            Some(step) => stranded(step),
            None => untold(),
        }),
        Errand::Confirm => Err(pending.map_or_else(untold, |_| not_begun(&log))),
    }
}

/// What became of a change that the state has as pending.
fn interrupted(pending: &Pending, revision: u64, log: PathBuf) -> Result<Activated, Failed> {
    match pending.step {
        // It runs, and is to be confirmed: only that was not told.
        Step::Confirming => Ok(Activated {
            outcome: pending.outcome(),
            explanation: pending.explanation.clone(),
            failed_units: pending.failed_units.clone(),
            confirm_until: pending.confirm_until,
            milliseconds: pending.phases.get(Phase::Activate).unwrap_or(0.0),
            ..Activated::new(log, revision)
        }),
        Step::Checking => Err(Failure::Refused
            .error("activate: the activator died before it had changed anything")
            .hint("`runtime-module recover` forgets the attempt; then try again")),
        step => Err(stranded(step)),
    }
}

fn stranded(step: Step) -> Failed {
    Failure::Stranded
        .error(format!("activate: the activator died: {}", step.words()))
        .hint("`runtime-module recover` activates the previous system again, and with --finish the new one")
}

fn not_begun(log: &Path) -> Failed {
    Failure::Refused
        .error("activate: the activator died before it had begun; nothing was changed")
        .hint(format!(
            "try again; if it said why, then in {}",
            log.display()
        ))
}

/// It is over, and nobody knows how.
fn untold() -> Failed {
    Failure::Internal
        .error("activate: the activator died before it had told what came of it")
        .hint("run `runtime-module status` to see which modules are active")
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
