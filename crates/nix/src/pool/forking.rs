//! The children of a template: forks one for each job, waits for the client and all children in one
//! loop, and kills children that exceed a limit. Evaluates nothing.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use unix::poll::{PollFd, PollFlags, PollTimeout, poll};
use unix::sys::signal::{Signal, kill};
use unix::sys::wait::{WaitStatus, waitpid};
use unix::unistd::Pid;

use super::child::own_memory;
use super::client::Client;
use super::{Ask, EvaluationEnd, EvaluationJob, JobOutcome, TemplateMessage};
use crate::error::CheckError;
use crate::timings::{Counters, milliseconds};

/// Interval between checks of the limits.
const LOOK: Duration = Duration::from_millis(200);

/// A running child.
pub(super) struct Child {
    id: usize,
    pid: Pid,
    output: File,
    heard: Vec<u8>,
    begun: Instant,
    looked: Instant,
    deadline: Option<Instant>,
    bytes: Option<u64>,
    /// The largest amount of memory that was observed.
    most: u64,
    /// The reason why the child was killed, if it was.
    killed: Option<EvaluationEnd>,
}

/// The running children of a template, and the template's counters.
pub(super) struct Forking {
    counters: Counters,
    children: Vec<Child>,
}

impl Forking {
    /// Starts without children. `counters` are those of the template before the first fork.
    pub(super) fn new(counters: Counters) -> Self {
        Self {
            counters,
            children: Vec::new(),
        }
    }

    /// Serves the client until it disconnects.
    pub(super) fn work(
        mut self,
        client: &mut Client,
        fork: impl Fn(&EvaluationJob) -> Result<crate::libnix::Forked, crate::libnix::ForkError>,
    ) -> Result<()> {
        loop {
            while let Some(ask) = client.next()? {
                match ask {
                    Ask::Evaluate(job) => match fork(&job) {
                        Ok(forked) => self.children.push(Child::new(&job, forked)),
                        Err(error) => client.say(&not_forked(&job, error.to_string()))?,
                    },
                    _ => bail!("a template accepts only one flake and one host"),
                }
            }
            let (asked, heard) = self.wait(client)?;
            if asked && !client.receive()? {
                self.children.iter().for_each(Child::kill);
                return Ok(());
            }
            for index in heard.into_iter().rev() {
                if !self.children[index].receive()? {
                    let child = self.children.swap_remove(index);
                    client.say(&TemplateMessage::Done {
                        id: child.id,
                        outcome: Box::new(child.end(&self.counters)?),
                    })?;
                }
            }
            self.children.iter_mut().for_each(Child::look);
        }
    }

    /// Waits for the client or a child. Returns whether the client has sent something, and the
    /// indexes of the children that have.
    fn wait(&self, client: &Client) -> Result<(bool, Vec<usize>)> {
        let mut ends = vec![PollFd::new(client.socket.as_fd(), PollFlags::POLLIN)];
        let outputs = self
            .children
            .iter()
            .map(|child| PollFd::new(child.output.as_fd(), PollFlags::POLLIN));
        ends.extend(outputs);
        wait_for(&mut ends, (!self.children.is_empty()).then_some(LOOK))?;
        let spoke = |end: &PollFd<'_>| end.any().unwrap_or(false);
        let heard = ends
            .iter()
            .skip(1)
            .enumerate()
            .filter(|(_, end)| spoke(end));
        Ok((spoke(&ends[0]), heard.map(|(index, _)| index).collect()))
    }
}

/// Waits until one of the descriptors is readable, or for at most `patience`.
fn wait_for(ends: &mut [PollFd<'_>], patience: Option<Duration>) -> Result<()> {
    let patience = match patience {
        None => PollTimeout::NONE,
        Some(patience) => PollTimeout::try_from(patience).context("the timeout is too large")?,
    };
    match poll(ends, patience) {
        Ok(_) | Err(unix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error).context("cannot wait for children"),
    }
}

/// Makes the reply for a job for which no child could be forked.
fn not_forked(job: &EvaluationJob, reason: String) -> TemplateMessage {
    TemplateMessage::Done {
        id: job.id,
        outcome: Box::new(JobOutcome::of(EvaluationEnd::Failed {
            failed: CheckError::NotForked { reason }.into(),
            places: Vec::new(),
            again: true,
            builds: false,
        })),
    }
}

impl Child {
    fn new(job: &EvaluationJob, forked: crate::libnix::Forked) -> Self {
        let now = Instant::now();
        Self {
            id: job.id,
            pid: forked.pid,
            output: forked.output,
            heard: Vec::new(),
            begun: now,
            looked: now,
            deadline: job
                .seconds
                .and_then(|seconds| now.checked_add(Duration::try_from_secs_f64(seconds).ok()?)),
            bytes: job.bytes,
            most: 0,
            killed: None,
        }
    }

    /// Makes a child for which the template waits immediately. The client enforces its time limit.
    pub(super) fn alone(forked: crate::libnix::Forked, bytes: Option<u64>) -> Self {
        let job = EvaluationJob {
            id: 0,
            modules: Vec::new(),
            seconds: None,
            bytes,
        };
        Self::new(&job, forked)
    }

    /// Waits for the child to end, and returns the outcome.
    pub(super) fn wait(mut self, before: &Counters) -> Result<JobOutcome> {
        loop {
            let mut output = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            wait_for(&mut output, Some(LOOK))?;
            if output[0].any().unwrap_or(false) && !self.receive()? {
                return self.end(before);
            }
            self.look();
        }
    }

    fn kill(&self) {
        // The child may have exited already.
        let _ = kill(self.pid, Signal::SIGKILL);
    }

    /// Reads the available output. Returns false at the end of the output.
    fn receive(&mut self) -> Result<bool> {
        let mut bytes = [0; 1 << 16];
        let count = self
            .output
            .read(&mut bytes)
            .context("cannot read from a child")?;
        self.heard.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// Kills the child if it exceeds its time or memory limit.
    fn look(&mut self) {
        let now = Instant::now();
        if self.killed.is_some() {
            return;
        }
        if self.deadline.is_some_and(|deadline| now > deadline) {
            self.killed = Some(EvaluationEnd::TimedOut);
        }
        if let Some(limit) = self.bytes
            && now - self.looked >= LOOK
        {
            self.looked = now;
            let bytes = own_memory(&self.pid.to_string());
            self.most = self.most.max(bytes);
            if bytes > limit {
                self.killed = Some(EvaluationEnd::TooLarge);
            }
        }
        if self.killed.is_some() {
            self.kill();
        }
    }

    /// Waits for the process and returns the outcome.
    fn end(self, before: &Counters) -> Result<JobOutcome> {
        let status = waitpid(self.pid, None).context("cannot wait for a child")?;
        let took = milliseconds(self.begun.elapsed());
        let line = self
            .heard
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let died = |why: String| JobOutcome {
            milliseconds: took,
            bytes: self.most,
            ..JobOutcome::of(EvaluationEnd::Died { why })
        };
        if let Some(ended) = self.killed.clone() {
            return Ok(JobOutcome {
                ended,
                ..died(String::new())
            });
        }
        let Ok(mut outcome) = serde_json::from_slice::<JobOutcome>(line) else {
            return Ok(died(match status {
                WaitStatus::Signaled(_, signal, _) => {
                    format!("the evaluator was killed by {signal}")
                }
                _ => "the evaluator exited without a result".into(),
            }));
        };
        let counted = self.heard.get(line.len()..).unwrap_or_default();
        let counted = String::from_utf8_lossy(counted);
        if serde_json::from_str::<Value>(counted.trim()).is_ok() {
            let counted = Counters::from_statistics(counted.trim());
            outcome.counters = counted.since(before);
            // The kernel counts CPU time from the fork, so nothing needs to be subtracted.
            outcome.counters.cpu = counted.cpu;
            outcome.counters.peak_bytes = outcome.bytes;
        }
        Ok(outcome)
    }
}
