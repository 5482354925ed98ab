//! How our roles speak with each other: one JSON message a line, versioned by a greeting.
//!
//! This file and `activation/` are the only ones that start processes. The client starts the evaluator here.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read as _, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use unix::sys::prctl::set_name;
use unix::sys::signal::{Signal, kill};
use unix::sys::wait::{WaitStatus, waitpid};
use unix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, setpgid};

use crate::error::Failure;

/// The protocol between roles. They are one executable, but a new one may meet an old one across an upgrade.
pub const PROTOCOL: u32 = 1;

/// The evaluator's hidden command.
const EVALUATOR: &str = "__evaluate";

/// The template's.
const TEMPLATE: &str = "__template";

/// How long an interrupted evaluator has to end by itself. A hot loop never does.
const GRACE: Duration = Duration::from_millis(700);

/// The longest message that is read, bytes: an evaluation's answer with a thousand modules is far below it.
const LONGEST: usize = 64 << 20;

/// The first message of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Greeting {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Effective user id.
    pub user: u32,
}

impl Greeting {
    /// Ours.
    pub fn ours() -> Self {
        Self {
            protocol: PROTOCOL,
            user: unix::unistd::geteuid().as_raw(),
        }
    }
}

/// Sends a message.
pub fn send<T: Serialize>(to: &mut impl Write, message: &T) -> Result<()> {
    let mut line = serde_json::to_vec(message).context("write a message")?;
    line.push(b'\n');
    to.write_all(&line).context("send a message")?;
    to.flush().context("send a message")
}

/// Receives a message; `None` when the other side has closed.
pub fn receive<T: DeserializeOwned>(from: &mut impl BufRead) -> Result<Option<T>> {
    let mut line = Vec::new();
    let mut limited = std::io::Read::take(&mut *from, LONGEST as u64 + 1);
    limited
        .read_until(b'\n', &mut line)
        .context("receive a message")?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() > LONGEST {
        bail!("receive a message: it is longer than {LONGEST} bytes");
    }
    if line.last() != Some(&b'\n') {
        // Whoever wrote it died in the middle.
        return Ok(None);
    }
    serde_json::from_slice(&line)
        .map(Some)
        .context("read a message")
}

/// Receives the greeting and compares protocols.
pub fn greet(from: &mut impl BufRead) -> Result<Option<Greeting>> {
    let Some(greeting) = receive::<Greeting>(from)? else {
        return Ok(None);
    };
    if greeting.protocol != PROTOCOL {
        bail!(
            "the other half of this program speaks protocol {}, and this one {PROTOCOL}: was it upgraded meanwhile? try again",
            greeting.protocol
        );
    }
    Ok(Some(greeting))
}

/// How an evaluator is started.
#[derive(Clone, Debug, Default)]
pub struct EvaluatorStart {
    /// The heap that the collector begins with, bytes; none for libnix's own choice.
    pub initial_heap: Option<u64>,
    /// Whether it is a template, which forks evaluators (`checking/template.rs`).
    pub template: bool,
}

impl EvaluatorStart {
    /// The environment variables by which libnix learns of it.
    fn variables(&self) -> Vec<(&'static str, String)> {
        // libnix has no way to give its counters but to print them where this says.
        let counters = ("NIX_SHOW_STATS_PATH", "/dev/stdout".to_string());
        let heap = self.initial_heap;
        let heap = heap.map(|bytes| ("GC_INITIAL_HEAP_SIZE", bytes.to_string()));
        // The collector's helpers would be threads that a fork does not copy.
        let alone = self.template.then(|| ("GC_MARKERS", "1".to_string()));
        std::iter::once(counters).chain(heap).chain(alone).collect()
    }
}

/// Takes an evaluator's place among processes: what it speaks over, a group and a name of its own.
fn become_evaluator(socket: UnixStream, out: PipeWriter, err: PipeWriter) -> unix::Result<()> {
    dup2_stdin(socket)?;
    dup2_stdout(out)?;
    dup2_stderr(err)?;
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    set_name(c"__evaluate")
}

/// An evaluator: our own executable in another process.
pub struct EvaluatorProcess {
    pid: Pid,
    /// Where its messages come from.
    pub messages: BufReader<UnixStream>,
    requests: UnixStream,
    outputs: [JoinHandle<Vec<u8>>; 2],
}

impl EvaluatorProcess {
    /// Starts one. It waits for a request.
    pub fn start(start: &EvaluatorStart) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("make a socket pair")?;
        let (out, their_out) = pipe().context("make a pipe")?;
        let (err, their_err) = pipe().context("make a pipe")?;
        let child = Command::new(std::env::current_exe().context("find our own executable")?)
            .arg(if start.template { TEMPLATE } else { EVALUATOR })
            .stdin(OwnedFd::from(theirs))
            .stdout(their_out)
            .stderr(their_err)
            // A terminal's Ctrl-C and hang-up are the client's; it tells the evaluator what it is to know.
            .process_group(0)
            .envs(start.variables())
            .spawn()
            .context("start the evaluator")?;
        let pid = i32::try_from(child.id()).context("start the evaluator")?;
        Self::of(Pid::from_raw(pid), ours, out, err)
    }

    /// Makes one out of this process, which must not have other threads yet; it runs `role`. It need not load libnix
    /// again, which takes longer than all else that starting one takes.
    pub fn fork(start: &EvaluatorStart, role: impl FnOnce() -> u8) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("make a socket pair")?;
        let (out, their_out) = pipe().context("make a pipe")?;
        let (err, their_err) = pipe().context("make a pipe")?;
        let forked = crate::libnix::fork(&start.variables()).context("start the evaluator")?;
        if let Some(pid) = forked {
            return Self::of(pid, ours, out, err);
        }
        drop((ours, out, err));
        let code = match become_evaluator(theirs, their_out, their_err) {
            Ok(()) => role(),
            // Nobody listens. The client sees that it ended without a greeting.
            Err(_) => Failure::Internal.code(),
        };
        std::process::exit(code.into())
    }

    fn of(pid: Pid, ours: UnixStream, out: PipeReader, err: PipeReader) -> Result<Self> {
        let requests = ours.try_clone().context("share the evaluator's socket")?;
        Ok(Self {
            pid,
            messages: BufReader::new(ours),
            requests,
            outputs: [drain(out), drain(err)],
        })
    }

    /// Sends a request.
    pub fn request<T: Serialize>(&mut self, message: &T) -> Result<()> {
        send(&mut self.requests, message).context("ask the evaluator")
    }

    /// Another end to send requests by, for another thread than the one that listens.
    pub fn sender(&self) -> Result<UnixStream> {
        self.requests
            .try_clone()
            .context("share the evaluator's socket")
    }

    /// A handle by which another thread can stop it.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.pid)
    }

    /// Tells it that nothing more will be asked, so that it ends.
    pub fn hang_up(&self) {
        // It may have ended by itself.
        let _ = self.requests.shutdown(std::net::Shutdown::Both);
    }

    /// Lets it end, and tells how it did and what it wrote to stdout (counters) and stderr.
    pub fn finish(self) -> Result<Ended> {
        self.hang_up();
        let status = waitpid(self.pid, None).context("wait for the evaluator")?;
        let [stdout, stderr] = self.outputs.map(|thread| {
            let bytes = thread.join().unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Ended {
            status,
            stdout,
            stderr,
        })
    }
}

/// Runs our own executable to its end, as a user would who types these arguments. What it prints on stderr is not passed on.
pub fn run_ourselves(arguments: &[String]) -> Result<Output> {
    Command::new(std::env::current_exe().context("find our own executable")?)
        .args(arguments)
        // In our process group still: whoever asks for a password reads it from the terminal.
        .stdin(Stdio::null())
        .output()
        .context("start our own executable")
}

/// How an evaluator ended.
pub struct Ended {
    status: WaitStatus,
    /// All of its stdout: the counters.
    pub stdout: String,
    /// All of its stderr: what libgc or a crash had to say.
    pub stderr: String,
}

impl Ended {
    /// The signal that it died of.
    pub fn signal(&self) -> Option<Signal> {
        match self.status {
            WaitStatus::Signaled(_, signal, _) => Some(signal),
            _ => None,
        }
    }
}

/// Reads a pipe to its end, so that its writer never waits.
fn drain(mut pipe: PipeReader) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A read error ends it just as the pipe's end does: there is nobody to ask again.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Stops an evaluator: politely, then not.
#[derive(Clone, Copy, Debug)]
pub struct Stopper(Pid);

impl Stopper {
    /// Its process.
    pub fn process(self) -> Pid {
        self.0
    }

    /// Interrupts it, waits a moment, kills it.
    pub fn stop(self) {
        let _ = kill(self.0, Signal::SIGINT);
        let begun = Instant::now();
        while begun.elapsed() < GRACE {
            // A process that has ended but was not waited for can still be signalled; /proc says which it is.
            if ended(self.0) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

fn ended(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('Z'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cut_short_is_the_end() {
        let mut whole = Vec::new();
        send(&mut whole, &Greeting::ours()).expect("sent");
        for length in 0..whole.len() {
            let got = receive::<Greeting>(&mut &whole[..length]).expect("no error");
            assert!(got.is_none(), "cut at {length}");
        }
        assert_eq!(
            receive::<Greeting>(&mut &whole[..]).expect("read"),
            Some(Greeting::ours())
        );
    }

    #[test]
    fn another_protocol_is_told() {
        let error = greet(&mut &b"{\"protocol\":9,\"user\":0}\n"[..]).expect_err("refused");
        assert!(error.to_string().contains("speaks protocol 9"));
    }
}
