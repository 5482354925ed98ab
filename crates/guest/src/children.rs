//! The child processes of a supervisor: starts them through the role `__child`, and ends them.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use unix::sys::signal::{Signal, killpg};
use unix::unistd::Pid;

use crate::confinement::{Namespace, READ_ONLY, USER_NAMESPACE};
use crate::roles::CHILD;

/// The time that a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// The purpose of a child process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    Qemu,
    /// The virtiofsd of a tag.
    Virtiofsd(String),
}

/// A program to start.
#[derive(Debug)]
pub struct Program {
    pub purpose: Purpose,
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
    pub namespace: Namespace,
    pub stdin: Stdio,
    pub stdout: Stdio,
    pub log: File,
}

/// A running child process.
#[derive(Debug)]
pub struct GuestProcess {
    pub purpose: Purpose,
    child: Child,
    ended: Option<ExitStatus>,
}

impl GuestProcess {
    /// Starts a program in its own process group. The kernel kills the program when the calling
    /// thread ends, so only the main thread may call this function.
    pub fn start(own: &Path, program: Program) -> Result<Self> {
        let mut command = Command::new(own);
        command.arg(CHILD).arg(std::process::id().to_string());
        match &program.namespace {
            Namespace::Same => {}
            Namespace::User => drop(command.arg(USER_NAMESPACE)),
            Namespace::ReadOnly(folder) => drop(command.arg(READ_ONLY).arg(folder)),
        }
        command
            .arg("--")
            .arg(&program.path)
            .args(&program.arguments);
        command
            .stdin(program.stdin)
            .stdout(program.stdout)
            .stderr(program.log)
            .process_group(0);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", own.display()))?;
        Ok(Self {
            purpose: program.purpose,
            child,
            ended: None,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the exit status if the process has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    fn signal(&mut self, signal: Signal) {
        // The process has not been waited for, so its number still belongs to it.
        if self.ended().is_none()
            && let Ok(pid) = i32::try_from(self.child.id())
        {
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }
}

/// Ends all processes, and waits until they have ended.
pub fn end_all(processes: &mut [GuestProcess]) {
    for (signal, grace) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, GRACE * 5)] {
        for process in processes.iter_mut() {
            process.signal(signal);
        }
        let deadline = Instant::now() + grace;
        while processes.iter_mut().any(|one| one.ended().is_none()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Describes the end of a process.
pub fn describe_end(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {number}"),
        },
        (None, None) => "ended".into(),
    }
}
