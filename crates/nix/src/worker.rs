//! Starts and stops evaluators.
//!
//! No other file of this crate starts a program. Templates also fork children (`pool/template.rs`).

use std::io::{BufReader, PipeReader, PipeWriter, Read as _, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;
use unix::sys::prctl::{set_name, set_no_new_privs};
use unix::sys::signal::{Signal, kill};
use unix::sys::wait::{WaitStatus, waitpid};
use unix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, setpgid};

use crate::error::Failure;
use crate::messages::send;

/// Hidden command of the evaluator.
const EVALUATOR: &str = "__evaluate";

/// Hidden command of the template.
const TEMPLATE: &str = "__template";

/// Time that an interrupted evaluator may take to exit. A tight loop never notices the interrupt.
const GRACE: Duration = Duration::from_millis(700);

/// Options for starting an evaluator.
#[derive(Clone, Debug, Default)]
pub struct EvaluatorStart {
    /// Initial heap of the garbage collector in bytes; `None` for the default of libnix.
    pub initial_heap: Option<u64>,
    /// Whether to start a template, which forks evaluators (`pool/template.rs`).
    pub template: bool,
}

impl EvaluatorStart {
    /// Returns the environment variables that pass these options to libnix.
    fn variables(&self) -> Vec<(&'static str, String)> {
        // libnix offers its counters only as a file. This variable names the file.
        let counters = ("NIX_SHOW_STATS_PATH", "/dev/stdout".to_string());
        let heap = self.initial_heap;
        let heap = heap.map(|bytes| ("GC_INITIAL_HEAP_SIZE", bytes.to_string()));
        // The collector's helper threads would be missing after a fork.
        let alone = self.template.then(|| ("GC_MARKERS", "1".to_string()));
        std::iter::once(counters).chain(heap).chain(alone).collect()
    }
}

/// Gives up the right to gain privileges, which evaluation does not need. Setuid programs that a
/// fetcher starts then run as the calling user.
pub fn give_up_privileges() -> Result<()> {
    set_no_new_privs().context("cannot set no_new_privs")
}

/// Turns a forked process into an evaluator: redirects its standard streams, and sets its process
/// group and name.
fn become_evaluator(socket: UnixStream, out: PipeWriter, err: PipeWriter) -> unix::Result<()> {
    dup2_stdin(socket)?;
    dup2_stdout(out)?;
    dup2_stderr(err)?;
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    set_name(c"__evaluate")
}

/// A running evaluator process.
pub struct EvaluatorProcess {
    pid: Pid,
    /// Messages from the evaluator.
    pub messages: BufReader<UnixStream>,
    requests: UnixStream,
    outputs: [JoinHandle<Vec<u8>>; 2],
}

impl EvaluatorProcess {
    /// Starts an evaluator, which then waits for a request.
    pub fn start(start: &EvaluatorStart) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("cannot create a socket pair")?;
        let (out, their_out) = pipe().context("cannot create a pipe")?;
        let (err, their_err) = pipe().context("cannot create a pipe")?;
        let child =
            Command::new(std::env::current_exe().context("cannot find our own executable")?)
                .arg(if start.template { TEMPLATE } else { EVALUATOR })
                .stdin(OwnedFd::from(theirs))
                .stdout(their_out)
                .stderr(their_err)
                // In its own process group, the evaluator receives neither Ctrl-C nor terminal
                // hang-ups. The client receives them, and stops the evaluator if necessary.
                .process_group(0)
                .envs(start.variables())
                .spawn()
                .context("cannot start the evaluator")?;
        let pid = i32::try_from(child.id()).context("cannot start the evaluator")?;
        Self::of(Pid::from_raw(pid), ours, out, err)
    }

    /// Forks an evaluator that runs `role`. This process must not have other threads yet. The fork
    /// need not load libnix again, which takes longer than all other steps of starting an
    /// evaluator.
    pub fn fork(start: &EvaluatorStart, role: impl FnOnce() -> u8) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("cannot create a socket pair")?;
        let (out, their_out) = pipe().context("cannot create a pipe")?;
        let (err, their_err) = pipe().context("cannot create a pipe")?;
        let forked =
            crate::libnix::fork(&start.variables()).context("cannot start the evaluator")?;
        if let Some(pid) = forked {
            return Self::of(pid, ours, out, err);
        }
        drop((ours, out, err));
        let code = match become_evaluator(theirs, their_out, their_err) {
            Ok(()) => role(),
            // There is no connection over which to report the error. The client notices the exit
            // without a greeting.
            Err(_) => Failure::Internal.code(),
        };
        std::process::exit(code.into())
    }

    fn of(pid: Pid, ours: UnixStream, out: PipeReader, err: PipeReader) -> Result<Self> {
        let requests = ours
            .try_clone()
            .context("cannot duplicate the evaluator's socket")?;
        Ok(Self {
            pid,
            messages: BufReader::new(ours),
            requests,
            outputs: [drain(out), drain(err)],
        })
    }

    pub fn request<T: Serialize>(&mut self, message: &T) -> Result<()> {
        send(&mut self.requests, message).context("cannot send a request to the evaluator")
    }

    /// Returns another sender of requests, for a thread other than the one that reads messages.
    pub fn sender(&self) -> Result<UnixStream> {
        self.requests
            .try_clone()
            .context("cannot duplicate the evaluator's socket")
    }

    /// Returns a handle with which another thread can stop the evaluator.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.pid)
    }

    /// Closes the connection, so that the evaluator exits.
    pub fn disconnect(&self) {
        // The evaluator may have exited already.
        let _ = self.requests.shutdown(std::net::Shutdown::Both);
    }

    /// Waits for the evaluator to exit. Returns its status and its output on stdout (counters) and
    /// stderr.
    pub fn finish(self) -> Result<EvaluatorExit> {
        self.disconnect();
        let status = waitpid(self.pid, None).context("cannot wait for the evaluator")?;
        let [stdout, stderr] = self.outputs.map(|thread| {
            let bytes = thread.join().unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(EvaluatorExit {
            status,
            stdout,
            stderr,
        })
    }
}

/// Runs our own executable with these arguments, as a user would. Does not show its stderr.
pub fn run_own_program(arguments: &[String]) -> Result<Output> {
    Command::new(std::env::current_exe().context("cannot find our own executable")?)
        .args(arguments)
        // The process stays in our process group, so that a password prompt can read from the
        // terminal.
        .stdin(Stdio::null())
        .output()
        .context("cannot start our own executable")
}

/// The exit of an evaluator.
pub struct EvaluatorExit {
    status: WaitStatus,
    /// Complete stdout, which contains the counters.
    pub stdout: String,
    /// Complete stderr, which contains messages of libgc or of a crash.
    pub stderr: String,
}

impl EvaluatorExit {
    /// Returns the signal that killed the evaluator, if there was one.
    pub fn signal(&self) -> Option<Signal> {
        match self.status {
            WaitStatus::Signaled(_, signal, _) => Some(signal),
            _ => None,
        }
    }
}

/// Reads a pipe to its end in a thread, so that the writer never blocks.
fn drain(mut pipe: PipeReader) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // Treat a read error like the end of the pipe, because nothing else can be done.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// A handle that stops an evaluator, first with SIGINT, then with SIGKILL.
#[derive(Clone, Copy, Debug)]
pub struct Stopper(Pid);

impl Stopper {
    pub fn process(self) -> Pid {
        self.0
    }

    /// Interrupts the evaluator, waits a moment, then kills it.
    pub fn stop(self) {
        let _ = kill(self.0, Signal::SIGINT);
        let begun = Instant::now();
        while begun.elapsed() < GRACE {
            // A zombie process can still be signalled, so read its state from /proc.
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
