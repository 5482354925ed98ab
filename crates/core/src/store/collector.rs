//! Protects paths from the garbage collector while GC roots for them are created.
//!
//! The collector holds an exclusive lock on `gc.lock` while it runs. While it is not running, a
//! shared lock on this file prevents it from starting. While it is running, it listens on a socket.
//! The collector keeps each path that is sent to this socket, and everything that the path refers
//! to. If the collector is already deleting the path, it answers only after the deletion
//! (NixOS/nix, `libstore/gc.cc`: `LocalStore::addTempRoot`, `collectGarbage`).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use unix::errno::Errno;
use unix::fcntl::{Flock, FlockArg};

use crate::error::StoreError;

/// The time limit for reaching a collector that holds the lock but does not listen, because it is
/// starting or exiting.
const WAIT_LIMIT: Duration = Duration::from_secs(600);

/// The delay between two attempts to reach the collector.
const AGAIN: Duration = Duration::from_millis(50);

/// The collector's answer after it has accepted a path.
const KEPT: u8 = b'1';

/// A guard that protects paths from the garbage collector while it exists.
#[derive(Debug)]
pub struct Lock {
    /// The shared lock; `None` if a running collector has accepted the paths instead.
    _held: Option<Flock<File>>,
}

impl Lock {
    /// Protects the paths in a store, given the store's state folder.
    pub(super) fn take(state: &Path, paths: &[&str]) -> Result<Self> {
        Self::within(state, paths, WAIT_LIMIT)
    }

    fn within(state: &Path, paths: &[&str], limit: Duration) -> Result<Self> {
        let begun = Instant::now();
        loop {
            if let Some(lock) = lock(&state.join("gc.lock"))? {
                return Ok(Self { _held: Some(lock) });
            }
            if tell(&state.join("gc-socket/socket"), paths)? {
                return Ok(Self { _held: None });
            }
            if begun.elapsed() >= limit {
                return Err(StoreError::CollectorSilent.into());
            }
            std::thread::sleep(AGAIN);
        }
    }
}

/// Takes a shared lock on the collector's lock file. Returns `None` if a collector holds the lock.
fn lock(path: &Path) -> Result<Option<Flock<File>>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| {
            format!(
                "cannot open the garbage collector's lock {}",
                path.display()
            )
        })?;
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => {
            Err(error).with_context(|| format!("cannot take a shared lock on {}", path.display()))
        }
    }
}

/// Sends the paths to a running collector. Returns whether the collector accepted all of them. If
/// not, the collector has exited or is still starting.
fn tell(socket: &Path, paths: &[&str]) -> Result<bool> {
    let ask = || -> std::io::Result<()> {
        let mut socket = UnixStream::connect(socket)?;
        for path in paths {
            socket.write_all(format!("{path}\n").as_bytes())?;
            let mut answer = [0];
            socket.read_exact(&mut answer)?;
            if answer[0] != KEPT {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    };
    match ask() {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound
                    | ErrorKind::ConnectionRefused
                    | ErrorKind::ConnectionReset
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error).context("cannot talk to the running garbage collector"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Takes the lock in the same way as a collector.
    fn collector(state: &Path) -> Flock<File> {
        let file = File::create(state.join("gc.lock")).expect("a lock file");
        Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, error)| error)
            .expect("the lock")
    }

    #[test]
    fn lock_prevents_a_collection() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let protection = Lock::take(dir.path(), &["/nix/store/a"]).expect("protected");
        let other = Lock::take(dir.path(), &["/nix/store/b"]).expect("shared");
        let file = File::open(dir.path().join("gc.lock")).expect("a lock file");
        let (file, error) = Flock::lock(file, FlockArg::LockExclusiveNonblock).expect_err("held");
        assert_eq!(error, Errno::EWOULDBLOCK);
        drop((protection, other));
        Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, error)| error)
            .expect("free");
    }

    #[test]
    fn running_collector_receives_every_path() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let _held = collector(dir.path());
        std::fs::create_dir(dir.path().join("gc-socket")).expect("a folder");
        let listener = UnixListener::bind(dir.path().join("gc-socket/socket")).expect("a socket");
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let lines = BufReader::new(client.try_clone().expect("a clone")).lines();
            let mut told = Vec::new();
            for line in lines.map_while(Result::ok) {
                told.push(line);
                client.write_all(b"1").expect("answered");
            }
            told
        });
        let paths = ["/nix/store/a", "/nix/store/b"];
        drop(Lock::take(dir.path(), &paths).expect("protected"));
        assert_eq!(server.join().expect("no panic"), paths);
    }

    #[test]
    fn silent_collector_is_an_error_after_timeout() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let _held = collector(dir.path());
        let refused = Lock::within(dir.path(), &["/nix/store/a"], Duration::ZERO);
        let message = refused.expect_err("no answer").to_string();
        assert!(message.contains("does not answer"), "{message}");
    }
}
