//! Access to the store of this machine without libnix. Locates the files of the store and checks
//! whether paths are valid. Registers GC roots, and protects paths from the garbage collector until
//! their GC roots exist.
//!
//! This is the only store code that the elevated roles use. These roles never build or fetch
//! anything. They only protect existing paths.

mod collector;
mod daemon;
mod database;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use unix::unistd::{AccessFlags, access};

use crate::error::StoreError;
use crate::percent;

use collector::Lock;
use daemon::Daemon;

/// The default store directory, unless the store URL names a different one.
const STORE: &str = "/nix/store";

/// The default state directory, unless the store URL names a different one.
const STATE: &str = "/nix/var/nix";

/// The length of the hash in a store path.
const HASH: usize = 32;

/// The characters that the hash in a store path can contain (NixOS/nix, `libutil/hash.cc`: without
/// e, o, t and u).
const HASH_DIGITS: &str = "0123456789abcdfghijklmnpqrsvwxyz";

/// A store whose files are on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalStore {
    /// The folder with which store paths begin.
    folder: PathBuf,
    /// The folder on disk that contains the store paths.
    real: PathBuf,
    /// The folder that contains the database, the GC roots and the collector's lock.
    state: PathBuf,
    /// The socket of the daemon. It may not exist.
    socket: PathBuf,
}

/// A guard that protects paths from the garbage collector while it exists.
#[derive(Debug)]
pub struct Protection {
    /// Set if this process may write the state directory of the store. Either the lock prevents a new
    /// collection, or the running collector has accepted the paths.
    _lock: Option<Lock>,
    /// The connection to the daemon. The daemon protects the paths while the connection is open.
    _daemon: Option<Daemon>,
}

impl LocalStore {
    /// Finds the store for a URL: `auto`, `daemon`, `local`, a `unix://` socket, or the root
    /// directory of a store. `None` means the store of this machine. Refuses all other URLs.
    pub fn of(url: Option<&str>) -> Result<Self, StoreError> {
        let url = url.unwrap_or("auto");
        let (name, query) = url.split_once('?').unwrap_or((url, ""));
        let parameter = |key: &str| {
            let mut all = query.split('&').filter_map(|one| one.split_once('='));
            let value = all.find(|(name, _)| *name == key)?.1;
            Some(PathBuf::from(percent::decode(value))).filter(|path| path.is_absolute())
        };
        let root = match name {
            "auto" | "daemon" | "local" => parameter("root"),
            _ if name.starts_with("unix://") => None,
            _ if name.starts_with('/') => Some(PathBuf::from(name)),
            _ => return Err(StoreError::RootsElsewhere { store: url.into() }),
        };
        let below = |path: &str| match &root {
            Some(root) => root.join(path.trim_start_matches('/')),
            None => path.into(),
        };
        let folder = parameter("store").unwrap_or_else(|| STORE.into());
        let real = match (&root, parameter("real")) {
            (_, Some(real)) => real,
            (Some(_), None) => below(&folder.to_string_lossy()),
            (None, None) => folder.clone(),
        };
        let state = parameter("state").unwrap_or_else(|| below(STATE));
        let socket = name.strip_prefix("unix://").filter(|path| !path.is_empty());
        Ok(Self {
            real,
            socket: socket.map_or_else(|| state.join("daemon-socket/socket"), PathBuf::from),
            state,
            folder,
        })
    }

    /// Returns the name of a path directly below the store's folder, or `None` if this is not a
    /// store path.
    fn name<'a>(&self, path: &'a str) -> Option<&'a str> {
        let name = Path::new(path).strip_prefix(&self.folder).ok()?.to_str()?;
        let (hash, rest) = name.split_at_checked(HASH)?;
        let rest = rest.strip_prefix('-')?;
        let of_name = |c: char| c.is_ascii_alphanumeric() || "+-._?=".contains(c);
        let well_formed = hash.chars().all(|c| HASH_DIGITS.contains(c))
            && !rest.is_empty()
            && rest.chars().all(of_name)
            && path == self.folder.join(name).to_string_lossy();
        well_formed.then_some(name)
    }

    /// Returns whether this is a path in the store's folder, even if the path is not valid.
    pub fn contains(&self, path: &str) -> bool {
        self.name(path).is_some()
    }

    /// Returns the location of a store path on disk, or `None` if the path does not belong to this
    /// store.
    pub fn real_path(&self, path: &str) -> Option<PathBuf> {
        Some(self.real.join(self.name(path)?))
    }

    /// Returns the location on disk of a file in a store path, or `None` if the path does not belong
    /// to this store.
    pub fn file(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(&self.folder).ok()?;
        let name = below.components().next()?;
        self.name(self.folder.join(name).to_str()?)?;
        Some(self.real.join(below))
    }

    /// Returns the store path of a folder on disk, or `None` if the folder is not directly in this
    /// store.
    pub fn path_of(&self, real: &Path) -> Option<String> {
        let name = real.strip_prefix(self.real.canonicalize().ok()?).ok()?;
        let path = self.folder.join(name).to_str()?.to_string();
        self.contains(&path).then_some(path)
    }

    /// Returns the folder on disk that contains the store paths.
    pub fn real_folder(&self) -> &Path {
        &self.real
    }

    /// Returns whether a path is valid: the store lists it, and it exists on disk.
    pub fn is_valid(&self, path: &str) -> Result<bool> {
        match self.real_path(path) {
            Some(real) if real.symlink_metadata().is_ok() => match self.is_ours() {
                true => database::is_valid(&self.state.join("db/db.sqlite"), path),
                false => Daemon::connect(&self.socket)?.is_valid(path),
            },
            _ => Ok(false),
        }
    }

    /// Returns whether this process may write the state directory of the store. Root may always write them. In
    /// tests, the owner of the store may write them too.
    fn is_ours(&self) -> bool {
        access(&self.state.join("gcroots"), AccessFlags::W_OK).is_ok()
    }

    /// Registers a link outside the store as a GC root for the path that the link points to.
    pub fn register_root(&self, link: &Path) -> Result<()> {
        if !self.is_ours() {
            let link = link
                .to_str()
                .context("cannot create a GC root: the path of the link is not valid UTF-8")?;
            return Daemon::connect(&self.socket)?.add_indirect_root(link);
        }
        let root = self.registered(link);
        let folder = root.parent().unwrap_or(&self.state);
        fs::create_dir_all(folder)
            .and_then(|()| replace_link(&root, link))
            .with_context(|| format!("cannot create a GC root in {}", folder.display()))
    }

    /// Removes the registration of a link as a GC root. If this process may not write the state
    /// directory of the store, the collector removes the registration once the link is gone.
    pub fn unregister_root(&self, link: &Path) {
        let _ = fs::remove_file(self.registered(link));
    }

    /// Returns the file that registers a link as a GC root.
    fn registered(&self, link: &Path) -> PathBuf {
        let hash = Sha256::digest(link.as_os_str().as_bytes());
        // The name does not matter, because the collector reads only the target of the link.
        let hash: String = hash
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.state
            .join(format!("gcroots/auto/runtime-modules-{hash}"))
    }

    /// Protects paths from the garbage collector until the returned value is dropped, even if a
    /// collection is running.
    pub fn protect<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Result<Protection> {
        let ours = paths.into_iter().filter(|path| self.contains(path));
        let ours: Vec<&str> = ours.collect();
        if self.is_ours() {
            return Ok(Protection {
                _lock: Some(Lock::take(&self.state, &ours)?),
                _daemon: None,
            });
        }
        let daemon = Daemon::connect(&self.socket)?;
        for path in ours {
            daemon.add_temporary_root(path)?;
        }
        Ok(Protection {
            _lock: None,
            _daemon: Some(daemon),
        })
    }
}

/// Replaces a link atomically.
pub fn replace_link(link: &Path, target: &Path) -> std::io::Result<()> {
    if fs::read_link(link).is_ok_and(|present| present == target) {
        return Ok(());
    }
    let new = link.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&new);
    symlink(target, &new)?;
    fs::rename(&new, link).inspect_err(|_| drop(fs::remove_file(&new)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Failure, Message as _};

    const PATH: &str = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system-box";

    fn places(url: &str) -> [String; 3] {
        let store = LocalStore::of(Some(url)).expect("a local store");
        [store.folder, store.real, store.state].map(|path| path.display().to_string())
    }

    #[test]
    fn urls_of_local_stores_are_parsed() {
        let usual = ["/nix/store", "/nix/store", "/nix/var/nix"].map(String::from);
        for url in ["auto", "daemon", "local", "unix:///run/nix.sock"] {
            assert_eq!(places(url), usual, "{url}");
        }
        assert_eq!(
            places("local?store=/a%20b/store&state=/a%20b/state&log=/l"),
            ["/a b/store", "/a b/store", "/a b/state"].map(String::from)
        );
        for url in ["/mnt", "local?root=/mnt"] {
            assert_eq!(
                places(url),
                ["/nix/store", "/mnt/nix/store", "/mnt/nix/var/nix"].map(String::from)
            );
        }
        for url in ["ssh-ng://host", "https://cache.example.org", "file:///x"] {
            let error = LocalStore::of(Some(url)).expect_err("not on this machine");
            assert_eq!(error.failed().failure, Failure::Refused);
        }
    }

    #[test]
    fn only_store_paths_are_accepted() {
        let store = LocalStore::of(None).expect("the store of this machine");
        assert_eq!(store.real_path(PATH), Some(PATH.into()));
        for path in [
            "",
            "/nix/store",
            "/etc/passwd",
            "nix/store/0123456789abcdfghijklmnpqrsvwxyz-x",
            "/nix/store/0123456789abcdfghijklmnpqrsvwxyz",
            "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-",
            "/nix/store/0123456789abcdefghijklmnopqrstuv-x",
            "/nix/store/short-x",
            "/nix/store/../etc/0123456789abcdfghijklmnpqrsvwxyz-x",
            "/nix/store//0123456789abcdfghijklmnpqrsvwxyz-x",
            "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-x/bin",
            "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-x\n",
            "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-é",
        ] {
            assert!(!store.contains(path), "{path}");
        }
    }

    #[test]
    fn path_that_is_not_on_disk_is_not_valid() {
        let store = LocalStore::of(None).expect("the store of this machine");
        assert!(!store.is_valid(PATH).expect("no error"));
    }
}
