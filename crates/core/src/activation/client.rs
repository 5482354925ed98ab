//! The client's side of an activation. The client starts the relay before any other work, so that a
//! password prompt or a permission error appears first. Later, the client sends the request to the
//! relay and prints the answers. The client itself does not change the system, so it can be killed
//! at any time.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Activated, ActivationMessage, ActivatorTask, Request, elevation, log};
use crate::choice::Elevate;
use crate::error::{ElevationError, TransactionError};
use crate::fault::{Point, step};
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::messages::{greet, receive, send};
use crate::progress::Reporter;
use crate::record::{Entry, Pending, State, Step};
use crate::timings::Phase;

/// The maximum time to wait for the elevation program to exit. Its clean-up, for example of a PAM
/// session, may take longer, and the user should not have to wait for it.
const TO_LEAVE: Duration = Duration::from_secs(5);

/// A running relay that is waiting for its request. The relay does not change anything before the
/// request arrives.
pub struct Activator {
    child: Option<Child>,
    /// The name of the program that was started, for messages.
    program: String,
    from: Box<dyn BufRead + Send>,
    to: Box<dyn Write + Send>,
}

impl Activator {
    /// Starts a relay with root privileges.
    pub fn start(elevate: Elevate, locations: &Locations) -> Result<Self> {
        let (program, mut child) = elevation::start(elevate, locations)?;
        let to = child
            .stdin
            .take()
            .context("cannot open stdin of the activator")?;
        let from = child
            .stdout
            .take()
            .context("cannot open stdout of the activator")?;
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

    /// Connects to the relay at the other end of our stdin. The relay started this process as the
    /// calling user.
    pub fn on_stdin() -> Result<Self> {
        let socket = std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .context("cannot take over stdin")?;
        let socket = UnixStream::from(socket);
        let mut activator = Self {
            child: None,
            program: String::new(),
            from: Box::new(BufReader::new(
                socket.try_clone().context("cannot duplicate stdin")?,
            )),
            to: Box::new(socket),
        };
        match greet(&mut activator.from)? {
            Some(_) => Ok(activator),
            None => Err(activator.denied()),
        }
    }

    fn denied(&mut self) -> anyhow::Error {
        let status = self.child.as_mut().and_then(|child| child.wait().ok());
        let error = status.map_or(ElevationError::ActivatorExited, |status| {
            let program = self.program.clone();
            ElevationError::ProgramFailed { program, status }
        });
        error.into()
    }

    /// Sends the request, and prints the log until the transaction ends.
    pub fn activate(mut self, request: &Request, reporter: &Reporter) -> Result<Activated> {
        step(Point::Ask, || send(&mut self.to, request)).map_err(|_| {
            let purpose = (&request.purpose).into();
            TransactionError::RequestNotSent { purpose }
        })?;
        reporter.begin(Phase::Activate);
        let answer = step(Point::Follow, || self.follow(request, reporter))?;
        match answer {
            ActivationMessage::Done { activated } => {
                reporter.end_after(Phase::Activate, activated.milliseconds);
                Ok(*activated)
            }
            ActivationMessage::Refused { failed } => Err(failed.into()),
            ActivationMessage::Line { .. } => Err(TransactionError::LineInsteadOfResult.into()),
        }
    }

    fn follow(&mut self, request: &Request, reporter: &Reporter) -> Result<ActivationMessage> {
        loop {
            match receive(&mut self.from) {
                Ok(Some(ActivationMessage::Line { line })) => reporter.switch_line(&line),
                Ok(Some(answer)) => return Ok(answer),
                // The relay has died, but the activation continues. The client can wait for the end
                // of the activation.
                Ok(None) | Err(_) => break,
            }
        }
        let locations = Locations::new(&request.root, request.root.clone());
        reporter.note("lost the connection to the activator; waiting for the activation to end");
        wait_for_end(&locations, &request.transaction);
        Ok(aftermath(&locations, request))
    }
}

/// The time limits for the activator: first to read its request, and then to take the lock.
const TO_BEGIN: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(1)];

/// Waits for the end of a transaction without a relay, by watching its request, the lock and the
/// history. A free lock alone does not show that the transaction has ended: the relay may have
/// started an activator that does not hold the lock yet.
fn wait_for_end(locations: &Locations, transaction: &str) {
    let begun = Instant::now();
    let mut still = Instant::now();
    while recorded(locations, transaction).is_none() {
        let asked_for = locations.request(transaction).exists() && begun.elapsed() < TO_BEGIN[0];
        if asked_for || LocalHost::new(locations).lock_holder().is_some() {
            still = Instant::now();
        } else if still.elapsed() >= TO_BEGIN[1] {
            return;
        }
        std::thread::sleep(log::POLL_INTERVAL);
    }
}

/// Returns the history record of a transaction, or of the earlier transaction that it ended.
fn recorded(locations: &Locations, transaction: &str) -> Option<Entry> {
    let history = LocalHost::new(locations).history().unwrap_or_default();
    let is_it = |entry: &Entry| {
        entry.transaction == transaction || entry.ended_by.as_deref() == Some(transaction)
    };
    history.into_iter().rev().find(is_it)
}

/// Finds the result of a request in the history or the state, after the activator exited without an
/// outcome.
pub(super) fn aftermath(locations: &Locations, request: &Request) -> ActivationMessage {
    let transaction = &request.transaction;
    let log = locations.log(transaction);
    let became = match recorded(locations, transaction) {
        Some(entry) if entry.transaction == *transaction => Ok(Activated::of(&entry, log)),
        // The request was `confirm` or `recover`, and the transaction that it refers to has ended.
        Some(entry) => Ok(Activated {
            explanation: entry.explanation,
            ..Activated::new(log, entry.revision)
        }),
        None => unrecorded(
            request,
            &LocalHost::new(locations).state().unwrap_or_default(),
            log,
        ),
    };
    match became {
        Ok(activated) => ActivationMessage::Done {
            activated: Box::new(activated),
        },
        Err(error) => ActivationMessage::Refused {
            failed: error.into(),
        },
    }
}

/// Finds the result of a request that has no history record.
fn unrecorded(
    request: &Request,
    state: &State,
    log: PathBuf,
) -> Result<Activated, TransactionError> {
    let pending = state.pending.as_ref();
    let not_started = || TransactionError::NotStarted {
        log: log.display().to_string(),
    };
    match &request.task {
        ActivatorTask::Change(change) => {
            let is_it = |pending: &&Pending| pending.transaction == request.transaction;
            match pending.filter(is_it) {
                Some(pending) => interrupted(pending, state.revision, log),
                None if state.revision == change.revision => Err(not_started()),
                None if state.current.as_ref() == Some(&change.to)
                    && state.wanted == change.wanted
                    && state.overrides == change.overrides =>
                {
                    let lost = "the activator died before it added this change to the history";
                    Ok(Activated {
                        warnings: vec![lost.into()],
                        ..Activated::new(log, state.revision)
                    })
                }
                None => Err(TransactionError::ResultLost),
            }
        }
        ActivatorTask::Recover { .. } => Err(match pending.map(|pending| pending.step) {
            Some(Step::Checking | Step::Confirming) => not_started(),
            Some(step) => TransactionError::DiedDuringChange { step: step.words() },
            None => TransactionError::ResultLost,
        }),
        ActivatorTask::Verified(verified) if state.revision == verified.revision => {
            Err(not_started())
        }
        ActivatorTask::Verified(_) => Err(TransactionError::ResultLost),
        ActivatorTask::Confirm => {
            Err(pending.map_or(TransactionError::ResultLost, |_| not_started()))
        }
    }
}

/// Returns the result of a change that the state lists as pending.
fn interrupted(
    pending: &Pending,
    revision: u64,
    log: PathBuf,
) -> Result<Activated, TransactionError> {
    match pending.step {
        // The change is active and waits for confirmation. Only the outcome was not delivered.
        Step::Confirming => Ok(Activated {
            outcome: pending.outcome(),
            explanation: pending.explanation.clone(),
            failed_units: pending.failed_units.clone(),
            confirm_until: pending.confirm_until,
            milliseconds: pending.phases.get(Phase::Activate).unwrap_or(0.0),
            ..Activated::new(log, revision)
        }),
        Step::Checking => Err(TransactionError::DiedDuringChecks),
        step => Err(TransactionError::DiedDuringChange { step: step.words() }),
    }
}

impl Drop for Activator {
    fn drop(&mut self) {
        // A relay without a request exits when its stdin is closed. Wait for the exit, so that no
        // zombie process remains.
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
