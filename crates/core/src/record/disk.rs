//! Replaces files atomically, and appends to files. The files belong to the user of this process.
//! Symbolic links are not followed, because another user may have created them.
//!
//! This module writes all records except the description of the lock's holder, so that tests can
//! inject a fault at every byte of a record.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::error::RecordError;
use crate::fault::{self, Point};

/// Replaces a file: writes a new file, syncs it and renames it. If this fails, the old file stays
/// and no temporary file is left.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32, point: Point) -> Result<()> {
    let folder = path.parent().context("the path has no parent directory")?;
    make_folder(folder)?;
    let new = temporary(path);
    let place = || -> io::Result<()> {
        // Remove the file of a writer that was killed. No other writer is running, because we hold
        // the lock, or because only one process writes this file.
        absent(&new)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .custom_flags(unix::libc::O_NOFOLLOW)
            .open(&new)?;
        // Set the mode explicitly, because the umask of root is unknown.
        file.set_permissions(Permissions::from_mode(mode))?;
        fault::write(point, &mut file, bytes)?;
        fault::step(Point::DiskSync, || file.sync_all())?;
        fault::step(Point::DiskRename, || fs::rename(&new, path))?;
        // Sync the folder too, so that the rename survives a crash of the machine.
        File::open(folder)?.sync_all()
    };
    place().map_err(|error| {
        let _ = absent(&new);
        write_error(error, format!("cannot write {}", path.display()))
    })
}

/// Appends to a file after its first `whole` bytes. Removes all later bytes, because they come from
/// an interrupted write.
pub(super) fn append(path: &Path, whole: u64, bytes: &[u8], point: Point) -> Result<()> {
    make_folder(path.parent().context("the path has no parent directory")?)?;
    let add = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o644)
            .custom_flags(unix::libc::O_NOFOLLOW)
            .open(path)?;
        if whole == 0 {
            // Set the mode explicitly, because the umask of root is unknown.
            file.set_permissions(Permissions::from_mode(0o644))?;
        }
        file.set_len(whole)?;
        fault::write(point, &mut file, bytes)?;
        file.sync_all()
    };
    add().map_err(|error| write_error(error, format!("cannot append to {}", path.display())))
}

/// Creates a log that only its owner may read. Creates the log's folder if necessary.
pub fn create_log(path: &Path) -> Result<File> {
    make_folder(path.parent().context("the path has no parent directory")?)?;
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(path)
        .map_err(|error| write_error(error, format!("cannot create the log {}", path.display())))
}

/// Opens an existing log for appending.
pub fn open_log(path: &Path) -> Result<File> {
    OpenOptions::new()
        .append(true)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(path)
        .with_context(|| format!("cannot open the log {}", path.display()))
}

/// Appends a remark of this program to a log.
pub fn remark(log: &mut File, text: &str) -> io::Result<()> {
    fault::write(Point::WriteLog, log, format!("{text}\n").as_bytes())
}

/// Creates a folder that all users may read, and its parents.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    let action = format!("cannot create the directory {}", folder.display());
    if fs::symlink_metadata(folder).is_ok_and(|found| found.is_symlink()) {
        return Err(RecordError::SymbolicLink { action }.into());
    }
    // Set the mode explicitly, because the umask of root is unknown.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755)))
        .map_err(|error| write_error(error, action))
}

/// Converts the error of a write operation. `action` describes the operation, such as
/// `cannot write PATH`.
pub(super) fn write_error(error: io::Error, action: String) -> anyhow::Error {
    match error.kind() {
        ErrorKind::PermissionDenied => RecordError::PermissionDenied { action }.into(),
        ErrorKind::ReadOnlyFilesystem => RecordError::ReadOnly { action }.into(),
        ErrorKind::StorageFull => RecordError::NoSpaceLeft { action }.into(),
        _ if error.raw_os_error() == Some(unix::libc::EIO) => {
            RecordError::DiskFailed { action }.into()
        }
        _ => anyhow::Error::from(error).context(action),
    }
}

/// Returns the paths in a folder, or nothing if there is no such folder.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    read().with_context(|| format!("cannot read the directory {}", folder.display()))
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

/// Opens the file of a lock of another program. Creates it if necessary.
pub(crate) fn open_lock(path: &Path) -> Result<File> {
    make_folder(path.parent().context("the path has no parent directory")?)?;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(unix::libc::O_NOFOLLOW)
        .open(path)
        .with_context(|| format!("cannot open the lock {}", path.display()))
}

/// Removes a folder that has no content.
pub(crate) fn remove_if_empty(folder: &Path) {
    let _ = fs::remove_dir(folder);
}

/// Removes a file if the file exists.
pub(crate) fn absent(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_file_of_killed_writer_is_removed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("run/state.json");
        replace(&path, b"one", 0o644, Point::WriteState).expect("written");
        fs::write(temporary(&path), "half").expect("left");
        replace(&path, b"two", 0o600, Point::WriteState).expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(dir.path().join("run"))
                .expect("listed")
                .count(),
            1
        );
    }

    #[test]
    fn symbolic_links_are_not_followed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let elsewhere = dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("made");
        let link = dir.path().join("run");
        std::os::unix::fs::symlink(&elsewhere, &link).expect("linked");
        let error =
            replace(&link.join("state.json"), b"x", 0o644, Point::WriteState).expect_err("refused");
        assert!(
            error.to_string().ends_with("the path is a symbolic link"),
            "{error}"
        );
        std::os::unix::fs::symlink("/etc/passwd", elsewhere.join("log")).expect("linked");
        assert!(create_log(&elsewhere.join("log")).is_err());
        let error = open_log(&elsewhere.join("log")).expect_err("refused");
        let why = error
            .downcast_ref::<io::Error>()
            .expect("an operating system error");
        assert_eq!(why.raw_os_error(), Some(unix::libc::ELOOP), "{error:#}");
        assert!(append(&elsewhere.join("log"), 0, b"x", Point::WriteHistory).is_err());
    }
}
