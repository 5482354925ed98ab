//! A template's children: forks one for each job, waits for the client and all of them in one loop, and ends what takes too long or
//! is too large. Evaluates nothing.

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
use super::template::Client;
use super::{Ask, Ended, Job, Outcome, Say};
use crate::error::Failure;
use crate::timings::{Counters, milliseconds};

/// How often children are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// A child under way.
pub(super) struct Child {
    id: usize,
    pid: Pid,
    output: File,
    heard: Vec<u8>,
    begun: Instant,
    looked: Instant,
    deadline: Option<Instant>,
    bytes: Option<u64>,
    /// The most memory that it was seen with.
    most: u64,
    /// Why it was killed.
    killed: Option<Ended>,
}

/// All children under way.
pub(super) struct Forking {
    counters: Counters,
    children: Vec<Child>,
}

impl Forking {
    /// `counters`: what the template had counted before.
    pub(super) fn new(counters: Counters) -> Self {
        Self {
            counters,
            children: Vec::new(),
        }
    }

    /// Does what the client asks for, until it is gone.
    pub(super) fn work(
        mut self,
        client: &mut Client,
        fork: impl Fn(&Job) -> Result<crate::libnix::Forked, crate::libnix::ForkError>,
    ) -> Result<()> {
        loop {
            while let Some(ask) = client.next()? {
                match ask {
                    Ask::Evaluate(job) => match fork(&job) {
                        Ok(forked) => self.children.push(Child::new(&job, forked)),
                        Err(error) => client.say(&not_forked(&job, &error.to_string()))?,
                    },
                    _ => bail!("a template opens one flake, and one host of it"),
                }
            }
            let (asked, heard) = self.wait(client)?;
            if asked && !client.hear()? {
                self.children.iter().for_each(Child::kill);
                return Ok(());
            }
            for index in heard.into_iter().rev() {
                if !self.children[index].hear()? {
                    let child = self.children.swap_remove(index);
                    client.say(&Say::Done {
                        id: child.id,
                        outcome: Box::new(child.end(&self.counters)?),
                    })?;
                }
            }
            self.children.iter_mut().for_each(Child::look);
        }
    }

    /// Waits for the client or a child: whether the client has said something, and which children, in their order.
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

/// Waits until one of them has something to say, or for so long.
fn wait_for(ends: &mut [PollFd<'_>], patience: Option<Duration>) -> Result<()> {
    let patience = match patience {
        None => PollTimeout::NONE,
        Some(patience) => PollTimeout::try_from(patience).context("a fifth of a second fits")?,
    };
    match poll(ends, patience) {
        Ok(_) | Err(unix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error).context("wait for children"),
    }
}

/// A job that nobody here can do.
fn not_forked(job: &Job, why: &str) -> Say {
    Say::Done {
        id: job.id,
        outcome: Box::new(Outcome::of(Ended::Failed {
            failed: Failure::Internal.error(format!("fork an evaluator: {why}")),
            places: Vec::new(),
            again: true,
            builds: false,
        })),
    }
}

impl Child {
    fn new(job: &Job, forked: crate::libnix::Forked) -> Self {
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

    /// One that is waited for at once. The client sees to it that it ends in time.
    pub(super) fn alone(forked: crate::libnix::Forked, bytes: Option<u64>) -> Self {
        let job = Job {
            id: 0,
            modules: Vec::new(),
            seconds: None,
            bytes,
        };
        Self::new(&job, forked)
    }

    /// Waits for its end: what came of it.
    pub(super) fn wait(mut self, before: &Counters) -> Result<Outcome> {
        loop {
            let mut output = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            wait_for(&mut output, Some(LOOK))?;
            if output[0].any().unwrap_or(false) && !self.hear()? {
                return self.end(before);
            }
            self.look();
        }
    }

    fn kill(&self) {
        // It may have ended by itself.
        let _ = kill(self.pid, Signal::SIGKILL);
    }

    /// Reads what is there; false at the end.
    fn hear(&mut self) -> Result<bool> {
        let mut bytes = [0; 1 << 16];
        let count = self.output.read(&mut bytes).context("listen to a child")?;
        self.heard.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// Ends it where it takes too long or is too large.
    fn look(&mut self) {
        let now = Instant::now();
        if self.killed.is_some() {
            return;
        }
        if self.deadline.is_some_and(|deadline| now > deadline) {
            self.killed = Some(Ended::TimedOut);
        }
        if let Some(limit) = self.bytes
            && now - self.looked >= LOOK
        {
            self.looked = now;
            let bytes = own_memory(&self.pid.to_string());
            self.most = self.most.max(bytes);
            if bytes > limit {
                self.killed = Some(Ended::TooLarge);
            }
        }
        if self.killed.is_some() {
            self.kill();
        }
    }

    /// What came of it.
    fn end(self, before: &Counters) -> Result<Outcome> {
        let status = waitpid(self.pid, None).context("wait for a child")?;
        let took = milliseconds(self.begun.elapsed());
        let line = self
            .heard
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let died = |why: String| Outcome {
            milliseconds: took,
            bytes: self.most,
            ..Outcome::of(Ended::Died { why })
        };
        if let Some(ended) = self.killed.clone() {
            return Ok(Outcome {
                ended,
                ..died(String::new())
            });
        }
        let Ok(mut outcome) = serde_json::from_slice::<Outcome>(line) else {
            return Ok(died(match status {
                WaitStatus::Signaled(_, signal, _) => format!("its evaluator died of {signal}"),
                _ => "its evaluator ended without an answer".into(),
            }));
        };
        let counted = self.heard.get(line.len()..).unwrap_or_default();
        let counted = String::from_utf8_lossy(counted);
        if serde_json::from_str::<Value>(counted.trim()).is_ok() {
            let counted = Counters::from_statistics(counted.trim());
            outcome.counters = counted.since(before);
            // The kernel counts a process's time from its fork on, and so without what came before.
            outcome.counters.cpu = counted.cpu;
            outcome.counters.peak_bytes = outcome.bytes;
        }
        Ok(outcome)
    }
}
