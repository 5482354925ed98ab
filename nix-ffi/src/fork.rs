//! Forks of this process, which start with libnix already loaded. A fork of an evaluator also starts
//! with everything that the evaluator has evaluated.
//!
//! A fork copies one thread and every lock, so this process is not forked if it has other threads.
//! A child of [`fork_child`] starts its work only after its inherited databases are read-only and
//! its inherited connections are replaced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use unix::fcntl::OFlag;
use unix::libc;
use unix::sys::prctl::set_pdeathsig;
use unix::sys::signal::Signal;
use unix::unistd::{ForkResult, Pid, getpid, getppid, pipe2};

use nix_types::NixError;

/// The exit code of a child that could not start its work, or whose work panicked.
const BROKEN: i32 = 101;

/// A running child.
#[derive(Debug)]
pub struct Forked {
    /// The child's process, which the caller must wait for.
    pub pid: Pid,
    /// The pipe with the child's output.
    pub output: File,
}

/// The reason why this process was not forked.
#[derive(Debug)]
pub enum ForkError {
    /// This process has this many threads. Locks that the other threads hold would stay locked in
    /// the child.
    Threads(usize),
    /// The system cannot create another process.
    System(io::Error),
}

impl std::fmt::Display for ForkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Threads(count) => write!(
                f,
                "this process has {count} threads, but only a process with one thread can be forked safely"
            ),
            Self::System(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ForkError {}

/// Returns the number of threads of this process.
pub fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Forks this process if it has a single thread. Both processes return from here.
fn split() -> Result<ForkResult, ForkError> {
    let count = threads().map_err(ForkError::System)?;
    if count != 1 {
        return Err(ForkError::Threads(count));
    }
    // SAFETY: this process has a single thread, the one that runs this code. So no other thread
    // can hold a lock of the allocator, the collector or libnix that would stay held in the child.
    unsafe { unix::unistd::fork() }.map_err(|error| ForkError::System(error.into()))
}

/// Forks this process. Returns the child's process ID in the parent, and `None` in the child. The
/// child sets these environment variables and continues like a newly started program. It does not
/// load libnix again, because that takes most of the time that a new process needs to start.
pub fn fork(variables: &[(&str, String)]) -> Result<Option<Pid>, ForkError> {
    match split()? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => {
            for (name, value) in variables {
                // SAFETY: this is the child's only thread, so no other thread reads the environment
                // meanwhile.
                unsafe { std::env::set_var(name, value) };
            }
            Ok(None)
        }
    }
}

/// Forks a child that runs `work` with the writing end of a pipe. The child then exits without
/// running the parent's destructors or exit handlers. It inherits no usable connection and no
/// writable database, keeps the descriptors in `keep`, and is killed when its parent ends.
pub fn fork_child(keep: &[i32], work: impl FnOnce(File)) -> Result<Forked, ForkError> {
    let (reader, writer) =
        pipe2(OFlag::O_CLOEXEC).map_err(|error| ForkError::System(error.into()))?;
    let parent = getpid();
    match split()? {
        ForkResult::Parent { child } => Ok(Forked {
            pid: child,
            output: File::from(reader),
        }),
        ForkResult::Child => {
            drop(reader);
            let run = || -> io::Result<()> {
                set_pdeathsig(Signal::SIGKILL)?;
                // If memory runs out, the kernel should kill this process before its parent or any
                // other process. Ignore errors, because the kernel may lack the file.
                let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
                if getppid() == parent {
                    release_files(keep)?;
                    work(File::from(writer));
                }
                Ok(())
            };
            let status = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => 0,
                _ => BROKEN,
            };
            // SAFETY: ends this process immediately; this is its only thread, so none of its other
            // code is running.
            unsafe { libc::_exit(status) }
        }
    }
}

/// Replaces the descriptors that this process shares with its parent and must not use. SQLite databases
/// are reopened read-only under the same descriptors, and sockets become /dev/null. Descriptors in
/// `keep` stay as they are.
///
/// A write through an inherited database then fails in the child and does not change the file. A
/// request over an inherited connection to the daemon fails, and libnix drops that connection:
/// [`crate::NixStore::reconnect`] makes such a request, so that the next connection belongs to the
/// child.
fn release_files(keep: &[i32]) -> io::Result<()> {
    let mut open: Vec<(i32, std::path::PathBuf)> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        if let (Some(number), Ok(target)) = (
            entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok()),
            std::fs::read_link(entry.path()),
        ) {
            open.push((number, target));
        }
    }
    for (number, target) in open {
        if keep.contains(&number) {
            continue;
        }
        if is_database(&target) {
            let again = OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_CLOEXEC)
                .open(&target)?;
            replace(again.into(), number)?;
        } else if target.to_string_lossy().starts_with("socket:") {
            let nothing = OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/null")?;
            replace(nothing.into(), number)?;
        }
    }
    Ok(())
}

/// Returns whether a file is a database or its log. The index of the log (`-shm`) stays writable,
/// because readers take locks in it.
fn is_database(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(".sqlite") || name.ends_with(".sqlite-wal")
}

/// Makes the descriptor `number` refer to `file`.
fn replace(file: OwnedFd, number: i32) -> io::Result<()> {
    let raw = file.into_raw_fd();
    // SAFETY: `raw` is open. `dup3` replaces `number` atomically, so the owner of `number` still
    // owns a valid descriptor.
    if unsafe { libc::dup3(raw, number, libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `raw` was taken out of `file` above, so nothing else closes it.
    drop(unsafe { OwnedFd::from_raw_fd(raw) });
    Ok(())
}

/// Redirects the stdout of this child process to a pipe. The client sets `NIX_SHOW_STATS_PATH`, which
/// names the file for libnix's counters, to `/dev/stdout`, so that the counters go to the pipe.
pub fn print_to(pipe: &File) -> Result<(), NixError> {
    unix::unistd::dup2_stdout(pipe).map_err(|error| NixError::ours(error.desc()))
}
