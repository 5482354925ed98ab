//! What is remembered: the state of this boot, its history, the wish that outlives it, the lock, the GC roots.
//!
//! Only the activator writes here. Reading is for everyone. Every replacement is atomic: a temporary file, synced, renamed.

mod history;
mod lock;
mod roots;
mod state;

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Failure;
use crate::locations::Locations;

pub use history::{Entry, Outcome, append as append_history, read as read_history};
pub use lock::{hold, holder};
pub use roots::{prune as prune_roots, replace as replace_root};
#[cfg(test)]
pub use state::Base;
pub use state::{Change, Pending, Pin, PinnedInput, SCHEMA, State, Step, Wanted};

/// Reads a versioned JSON file; `None` where there is none. `way_out` says what to do about a damaged one.
pub fn read_json<T: DeserializeOwned>(path: &Path, way_out: &str) -> Result<Option<T>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let damaged = |why: String| {
        Failure::Refused
            .error(format!("read {}: {why}", path.display()))
            .hint(way_out)
    };
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| damaged(format!("the file is damaged: {error}")))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(Failure::Refused
                .error(format!(
                    "read {}: it has schema {other}, and this program knows {SCHEMA}",
                    path.display()
                ))
                .hint("another version of runtime-module wrote it: use that version")
                .hint(format!("or else: {way_out}"))
                .into());
        }
        None => return Err(damaged("it does not name its schema".into()).into()),
    }
    serde_json::from_value(value)
        .map(Some)
        .map_err(|error| damaged(format!("the file is damaged: {error}")).into())
}

/// Replaces a file that everyone may read, whole or not at all.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    make_folder(folder)?;
    let mut text = serde_json::to_string_pretty(value).context("write JSON")?;
    text.push('\n');
    let replace = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The rename itself must survive too.
        fs::File::open(folder)?.sync_all()
    };
    replace().map_err(|error| no_right(error, &format!("write {}", path.display())))
}

/// Makes a folder that everyone may look into, and those above it.
pub fn make_folder(folder: &Path) -> Result<()> {
    // Not left to the umask: root's may be anything.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
        .map_err(|error| no_right(error, &format!("make the folder {}", folder.display())))
}

/// An error of writing where only root may, or any other.
fn no_right(error: std::io::Error, what: &str) -> anyhow::Error {
    match error.kind() {
        ErrorKind::PermissionDenied => Failure::Refused
            .error(format!("{what}: permission denied"))
            .hint("only root may change the system: run this with sudo")
            .into(),
        ErrorKind::ReadOnlyFilesystem => Failure::Refused
            .error(format!("{what}: the file system is read-only"))
            .hint("the state of runtime modules must be writable: is the machine in rescue mode, or its disk failing?")
            .into(),
        ErrorKind::StorageFull => Failure::Refused
            .error(format!("{what}: no space is left"))
            .hint("make room there, then try again; nothing was lost")
            .into(),
        _ => anyhow::Error::from(error).context(what.to_string()),
    }
}

/// Makes a new file for a log that only its owner may read, and the folder for it.
pub fn create_log(path: &Path) -> Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    make_folder(path.parent().context("a file has a folder")?)?;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(path)
        .with_context(|| format!("create the log {}", path.display()))
}

/// The toplevel that runs, as NixOS says; none where nothing says so.
pub fn running(locations: &Locations) -> Option<String> {
    fs::read_link(locations.current_system())
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}
