//! The template's role: evaluates a host, and forks a child for each job.
//!
//! It has one thread, since a fork copies no more than that: no logger thread, no signal thread, none of the collector's
//! helpers (`GC_MARKERS=1`); libnix's own (fetching, building) are only there when it fetches or builds. Whether it is so is
//! counted at each fork, and where it is not, the job is given back. One loop waits for the client and for all children.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use unix::poll::{PollFd, PollFlags, PollTimeout, poll};
use unix::sys::resource::{Resource, getrlimit, setrlimit};
use unix::sys::signal::{Signal, kill};
use unix::sys::wait::{WaitStatus, waitpid};
use unix::unistd::Pid;

use super::child::{Ground, ended, live, own_memory};
use super::{Ask, Ended, Job, Outcome, Say, Sharing};
use crate::error::Failure;
use crate::evaluation::{
    Evaluated, FlakeSource, ModuleRequest, Request, SYSTEM, Target, read, text,
};
use crate::libnix::{Event, Libnix, Settings, compute_only, evaluation_stack, fork_child};
use crate::timings::{Counters, milliseconds};
use crate::worker::{Greeting, send};

/// How often children are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs the role on stdin, which is a socket to the client.
pub fn run() -> Result<()> {
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("take over stdin")?;
    let mut client = Client {
        socket: UnixStream::from(socket),
        heard: Vec::new(),
    };
    send(&mut client.socket, &Greeting::ours())?;
    let Some(Ask::Open { settings, flake }) = client.wait()? else {
        return Ok(());
    };
    // The first thread's stack grows up to its limit, whatever that was when the process began.
    let (_, most) = getrlimit(Resource::RLIMIT_STACK).context("ask for the limit of the stack")?;
    setrlimit(Resource::RLIMIT_STACK, evaluation_stack().min(most), most)
        .context("raise the limit of the stack")?;
    compute_only();
    match serve(&mut client, &settings, &flake) {
        Ok(()) => Ok(()),
        Err(error) => client.say(&Say::Failed {
            ended: Box::new(ended(
                &request(&settings, &flake, "", Vec::new()),
                Err(error),
            )),
        }),
    }
}

fn request(
    settings: &Settings,
    flake: &FlakeSource,
    host: &str,
    modules: Vec<ModuleRequest>,
) -> Request {
    Request {
        settings: settings.clone(),
        flake: flake.clone(),
        host: host.into(),
        modules,
        target: Target::Toplevel,
        extras: Vec::new(),
        specialisation: None,
        measure: None,
    }
}

fn serve(client: &mut Client, settings: &Settings, flake: &FlakeSource) -> Result<()> {
    // What libnix reports is said again by whatever fails of it, and nobody waits for the rest.
    let libnix = Libnix::open(settings.clone(), |_: Event| {})?;
    let evaluator = libnix.evaluator_here()?;
    let mut locked = evaluator.lock(&flake.reference, &flake.base_directory, &flake.overrides)?;
    locked.extend(&flake.extra)?;
    let source = evaluator.read_locked(&locked)?.source;
    let outputs = evaluator.outputs(&locked)?;
    let asking = request(settings, flake, "", Vec::new());
    let names = evaluator.apply(&SYSTEM, &outputs, &text(&asking, false))?;
    client.say(&Say::Opened {
        hosts: names.get("hosts")?,
    })?;
    let Some(Ask::Base {
        host,
        share: wanted,
    }) = client.wait()?
    else {
        return Ok(());
    };

    let begun = Instant::now();
    let asking = request(settings, flake, &host, Vec::new());
    let value = evaluator.apply(&SYSTEM, &outputs, &text(&asking, false))?;
    let mut evaluated = Evaluated::default();
    let result = read(&value, &asking, &mut evaluated, |_| ()).and_then(|()| {
        Ok((
            value.get("registry")?,
            wanted && value.get::<bool>("mayShare")?,
        ))
    });
    let (registry, share) = match result {
        Ok(found) => found,
        Err(error) => {
            return client.say(&Say::Failed {
                ended: Box::new(ended(&asking, Err(error))),
            });
        }
    };
    let ground = Ground {
        libnix: &libnix,
        evaluator: &evaluator,
        outputs: &outputs,
        share,
        source: &source,
    };
    let took = begun.elapsed();
    let counters = counted(&ground)?;
    client.say(&Say::Ready {
        registry,
        outcome: Box::new(Outcome {
            ended: Ended::Evaluated {
                evaluated: Box::new(evaluated),
            },
            milliseconds: milliseconds(took),
            bytes: own_memory("self"),
            counters: counters.clone(),
            sharing: Sharing::default(),
        }),
    })?;
    let fork = |job: &Job| {
        let asking = request(settings, flake, &host, job.modules.clone());
        fork_child(&[], |pipe| live(&ground, &asking, pipe))
    };
    Forking {
        counters,
        children: Vec::new(),
    }
    .work(client, fork)
}

/// What was counted so far: by a child, since libnix prints it to where a variable says, and ours is the client's.
fn counted(ground: &Ground<'_>) -> Result<Counters> {
    let child = fork_child(&[], |pipe| {
        if crate::libnix::print_to(&pipe).is_ok() {
            let _ = ground.evaluator.print_counters();
        }
    });
    let Ok(mut child) = child else {
        return Ok(Counters::default());
    };
    let mut text = String::new();
    child
        .output
        .read_to_string(&mut text)
        .context("read the counters")?;
    waitpid(child.pid, None).context("wait for a child")?;
    Ok(Counters::from_statistics(&text))
}

/// The other end, read without waiting longer than for a line.
struct Client {
    socket: UnixStream,
    heard: Vec<u8>,
}

impl Client {
    fn say(&mut self, what: &Say) -> Result<()> {
        send(&mut self.socket, what)
    }

    /// The next thing that is asked; none when the client is gone.
    fn wait(&mut self) -> Result<Option<Ask>> {
        loop {
            if let Some(ask) = self.next()? {
                return Ok(Some(ask));
            }
            if !self.hear()? {
                return Ok(None);
            }
        }
    }

    /// Reads what is there; false at the end.
    fn hear(&mut self) -> Result<bool> {
        let mut bytes = [0; 1 << 16];
        let count = self
            .socket
            .read(&mut bytes)
            .context("listen to the client")?;
        self.heard.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// What has been asked and is whole.
    fn next(&mut self) -> Result<Option<Ask>> {
        let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line: Vec<u8> = self.heard.drain(..=end).collect();
        serde_json::from_slice(&line)
            .map(Some)
            .context("read what is asked")
    }
}

/// A child under way.
struct Child {
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

struct Forking {
    counters: Counters,
    children: Vec<Child>,
}

impl Forking {
    fn work(
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
        let patience = match self.children.is_empty() {
            true => PollTimeout::NONE,
            false => PollTimeout::try_from(LOOK).context("a fifth of a second fits")?,
        };
        match poll(&mut ends, patience) {
            Ok(_) | Err(unix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).context("wait for children"),
        }
        let spoke = |end: &PollFd<'_>| end.any().unwrap_or(false);
        let heard = ends
            .iter()
            .skip(1)
            .enumerate()
            .filter(|(_, end)| spoke(end));
        Ok((spoke(&ends[0]), heard.map(|(index, _)| index).collect()))
    }
}

/// A job that nobody here can do.
fn not_forked(job: &Job, why: &str) -> Say {
    Say::Done {
        id: job.id,
        outcome: Box::new(Outcome {
            ended: Ended::Failed {
                failed: Failure::Internal.error(format!("fork an evaluator: {why}")),
                position: None,
                again: true,
                builds: false,
            },
            milliseconds: 0.0,
            bytes: 0,
            counters: Counters::default(),
            sharing: Sharing::default(),
        }),
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
                .map(|seconds| now + Duration::from_secs_f64(seconds)),
            bytes: job.bytes,
            most: 0,
            killed: None,
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
            ended: Ended::Died { why },
            milliseconds: took,
            bytes: self.most,
            counters: Counters::default(),
            sharing: Sharing::default(),
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
            outcome.counters = Counters::from_statistics(counted.trim()).since(before);
            outcome.counters.peak_bytes = outcome.bytes;
        }
        Ok(outcome)
    }
}
