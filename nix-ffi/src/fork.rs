//! Processes that are copies of this one: they begin with libnix loaded, or with everything that it has evaluated.
//!
//! A fork copies one thread and every lock. So it is refused where there is another thread, and whatever a child inherits
//! and must not use is taken from it before it does anything: databases become read-only, and connections end.

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

use crate::context::NixError;

/// How a child ends that could not begin, or whose work panicked.
const BROKEN: i32 = 101;

/// A child under way.
#[derive(Debug)]
pub struct Forked {
    /// Its process; to be waited for.
    pub pid: Pid,
    /// What it writes.
    pub output: File,
}

/// Why there was no fork.
#[derive(Debug)]
pub enum ForkError {
    /// This process has so many threads, and what they hold nobody would let go of in the child.
    Threads(usize),
    /// The system has no room for another process.
    System(io::Error),
}

impl std::fmt::Display for ForkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Threads(count) => write!(
                f,
                "this process has {count} threads, and only one can be forked"
            ),
            Self::System(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ForkError {}

/// How many threads this process has.
pub fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Splits this process in two, where it has one thread. Both go on from here.
fn split() -> Result<ForkResult, ForkError> {
    let count = threads().map_err(ForkError::System)?;
    if count != 1 {
        return Err(ForkError::Threads(count));
    }
    // SAFETY: this process has one thread, counted just now, and that one is here: nobody else can hold a lock, of the
    // allocator, the collector or libnix, that would stay held in the child.
    unsafe { unix::unistd::fork() }.map_err(|error| ForkError::System(error.into()))
}

/// Splits this process in two; the new one, told by `None`, has these environment variables set and goes on as if it had
/// been started by itself. It has libnix loaded already, which takes longer than all else that starting a process of ours takes.
pub fn fork(variables: &[(&str, String)]) -> Result<Option<Pid>, ForkError> {
    match split()? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => {
            for (name, value) in variables {
                // SAFETY: this is the only thread, so nobody reads the environment meanwhile.
                unsafe { std::env::set_var(name, value) };
            }
            Ok(None)
        }
    }
}

/// Forks a child that runs `work` with the pipe that the parent reads from, and ends: nothing of the parent's is run in it,
/// no destructor and no exit handler. It inherits no connection that works and no database that can be written to, keeps
/// `keep` as they are, and is killed when its parent ends.
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
                // Where memory runs out, the kernel is to end this one, and neither its parent nor whoever is beside. It is a
                // wish only: the kernel may have no such file.
                let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
                if getppid() == parent {
                    renounce(keep)?;
                    work(File::from(writer));
                }
                Ok(())
            };
            let status = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => 0,
                _ => BROKEN,
            };
            // SAFETY: ends the process at once; whatever it leaves belongs to it alone.
            unsafe { libc::_exit(status) }
        }
    }
}

/// Takes from this process what it shares with its parent and must not use: databases of SQLite are opened again for
/// reading only, in the same places, and sockets are replaced by what says nothing. `keep` stay as they are.
///
/// A write through an inherited database then fails in the child and does nothing to the file. An inherited connection to
/// the daemon fails at its first use, is dropped, and the next one is the child's own ([`crate::Store::reconnect`]).
fn renounce(keep: &[i32]) -> io::Result<()> {
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

/// The file itself and its log. The index of the log (`-shm`) is where readers take their locks, so it stays writable.
fn is_database(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(".sqlite") || name.ends_with(".sqlite-wal")
}

/// Makes `number` another name of `file`.
fn replace(file: OwnedFd, number: i32) -> io::Result<()> {
    let raw = file.into_raw_fd();
    // SAFETY: both are descriptors of this process, whose only thread is here; whoever owns `number` goes on owning it.
    if unsafe { libc::dup3(raw, number, libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: owned: it was taken out of `file` just above.
    drop(unsafe { OwnedFd::from_raw_fd(raw) });
    Ok(())
}

/// Makes standard output another name of a pipe, in a child: libnix prints its counters to a file and in no other way.
pub fn print_to(pipe: &File) -> Result<(), NixError> {
    unix::unistd::dup2_stdout(pipe).map_err(|error| NixError::ours(error.desc()))
}
