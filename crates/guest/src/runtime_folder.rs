//! The folder of a running guest: sockets, keys, logs, GC roots and the state. Only its user can
//! read it. The supervisor holds a lock in it and removes the folder at the end.
//!
//! If the supervisor was killed, the lock is free. The next command then removes the folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use unix::errno::Errno;
use unix::fcntl::{Flock, FlockArg};

use crate::error::{GuestError, not_written};
use crate::name::GuestName;
use crate::roots;

/// The maximum length of the path of a socket (`sockaddr_un`), without the final zero byte.
const SOCKET_LIMIT: usize = 107;

/// The longest name of a socket in the folder.
const LONGEST_SOCKET: &str = "control.sock";

/// The folder that contains the folders of all guests of a user.
#[derive(Clone, Debug)]
pub struct GuestsFolder(PathBuf);

/// The folder of one guest.
#[derive(Clone, Debug)]
pub struct RuntimeFolder {
    path: PathBuf,
}

/// The lock of a guest's folder.
pub type FolderLock = Flock<File>;

impl GuestsFolder {
    /// Chooses the folder: `chosen`, or the usual place of the user.
    pub fn choose(chosen: Option<&Path>, xdg_runtime_dir: Option<&Path>) -> Result<Self> {
        if let Some(chosen) = chosen {
            let path = std::path::absolute(chosen).context("cannot find the current directory")?;
            return Ok(Self(path));
        }
        if unix::unistd::geteuid().is_root() {
            return Ok(Self("/run/runtime-guest".into()));
        }
        match xdg_runtime_dir.filter(|path| path.is_absolute()) {
            Some(path) => Ok(Self(path.join("runtime-guest"))),
            None => Err(GuestError::NoRuntimeFolder.into()),
        }
    }

    /// Returns the folder of a guest. The guest need not exist.
    pub fn guest(&self, name: &GuestName) -> RuntimeFolder {
        RuntimeFolder {
            path: self.0.join(name.as_str()),
        }
    }

    /// Returns the names of all running guests, and removes the folders of guests that have ended.
    pub fn running(&self) -> Result<Vec<GuestName>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", self.0.display()));
            }
        };
        let mut names: Vec<GuestName> = entries
            .filter_map(|entry| GuestName::new(entry.ok()?.file_name().to_str()?).ok())
            .filter(|name| self.guest(name).is_running())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Makes the folder of a new guest and takes its lock.
    pub fn create(&self, name: &GuestName) -> Result<(RuntimeFolder, FolderLock)> {
        let folder = self.guest(name);
        let limit = SOCKET_LIMIT;
        if folder.file(LONGEST_SOCKET).as_os_str().len() > limit {
            let folder = folder.path.display().to_string();
            return Err(GuestError::FolderTooLong { folder, limit }.into());
        }
        make_folder(&self.0, true)?;
        if folder.path.exists() && folder.is_running() {
            return Err(in_use(name));
        }
        if let Err(error) = DirBuilder::new().mode(0o700).create(&folder.path) {
            return match error.kind() {
                std::io::ErrorKind::AlreadyExists => Err(in_use(name)),
                _ => Err(not_written(&folder.path, &error)),
            };
        }
        match folder.lock(FlockArg::LockExclusiveNonblock) {
            Ok(Some(lock)) => Ok((folder, lock)),
            Ok(None) => Err(in_use(name)),
            Err(error) => {
                let _ = fs::remove_dir_all(&folder.path);
                Err(error)
            }
        }
    }
}

fn in_use(name: &GuestName) -> anyhow::Error {
    GuestError::NameInUse {
        name: name.to_string(),
    }
    .into()
}

fn make_folder(path: &Path, recursive: bool) -> Result<()> {
    let made = DirBuilder::new()
        .mode(0o700)
        .recursive(recursive)
        .create(path);
    made.map_err(|error| not_written(path, &error))
}

impl RuntimeFolder {
    /// Opens the folder that a parent process has made.
    pub fn open(path: &Path) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn control_socket(&self) -> PathBuf {
        self.file(LONGEST_SOCKET)
    }

    /// Takes the lock. Returns `None` if another process holds it.
    pub fn lock(&self, how: FlockArg) -> Result<Option<FolderLock>> {
        let path = self.file("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| not_written(&path, &error))?;
        match Flock::lock(file, how) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// Returns whether the guest is running. If its supervisor has ended without removing the
    /// folder, removes it.
    pub fn is_running(&self) -> bool {
        if !self.path.is_dir() {
            return false;
        }
        let Ok(Some(lock)) = self.lock(FlockArg::LockExclusiveNonblock) else {
            return true;
        };
        // Between the lock of the command that starts a guest and that of the supervisor, nobody
        // holds the lock. The supervisor listens before.
        if UnixStream::connect(self.control_socket()).is_ok() {
            return true;
        }
        roots::remove(&self.path);
        let _ = fs::remove_dir_all(&self.path);
        drop(lock);
        false
    }

    /// Writes a file that only the user can read.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.file(name);
        let temporary = self.file(&format!("{name}.new"));
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(bytes)?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|error| not_written(&path, &error))?;
        Ok(path)
    }

    /// Opens a log for a child process to write to.
    pub fn create_log(&self, name: &str) -> Result<File> {
        let path = self.file(name);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path);
        file.map_err(|error| not_written(&path, &error))
    }

    /// Removes the folder with everything in it.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests() -> (tempfile::TempDir, GuestsFolder) {
        let folder = tempfile::tempdir().expect("a folder");
        let guests = GuestsFolder(folder.path().join("guests"));
        (folder, guests)
    }

    #[test]
    fn only_one_guest_has_a_name() {
        let (_folder, guests) = guests();
        let name = GuestName::new("vm1").expect("valid");
        let (folder, lock) = guests.create(&name).expect("the first");
        guests.create(&name).expect_err("the second");
        let running = guests.running().expect("read");
        assert_eq!(running, std::slice::from_ref(&name));
        folder.remove().expect("removed");
        drop(lock);
        guests.create(&name).expect("again");
    }

    #[test]
    fn folder_of_a_killed_supervisor_is_removed() {
        let (_folder, guests) = guests();
        let name = GuestName::new("vm1").expect("valid");
        let (folder, lock) = guests.create(&name).expect("made");
        drop(lock);
        assert!(folder.path().exists());
        assert_eq!(guests.running().expect("read"), []);
        assert!(!folder.path().exists());
    }

    #[test]
    fn long_path_is_refused() {
        let (_folder, guests) = guests();
        let deep = GuestsFolder(guests.0.join("x".repeat(80)));
        let name = GuestName::new("vm1").expect("valid");
        deep.create(&name).expect_err("too long");
        assert!(!deep.0.exists());
    }
}
