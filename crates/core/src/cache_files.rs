//! Writes files of the cache atomically, even if several processes write at the same time.
//!
//! Files are not synced, because the program works without them. A crash of the machine can damage
//! them, so results have a checksum, and readers ignore all files that they cannot parse. A writer
//! that was killed leaves a temporary file, which the next writer removes.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::fault::{self, Point};

/// The prefix of a temporary file's name, before the process ID of the writer.
const NEW: &str = ".new-";

/// Replaces a file. Creates its directory if necessary.
pub fn replace(path: &Path, bytes: &[u8], point: Point) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    remove_old_files(folder);
    let new = folder.join(format!("{NEW}{}", std::process::id()));
    let place = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        fault::write(point, &mut file, bytes)?;
        fs::rename(&new, path)
    };
    place().inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Removes the temporary files of processes that have exited, and those with our own process ID.
fn remove_old_files(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(writer) = name.to_str().and_then(|name| name.strip_prefix(NEW)) else {
            continue;
        };
        let ours = writer == std::process::id().to_string();
        if ours || !Path::new("/proc").join(writer).exists() {
            let _ = fs::remove_file(entry.path());
        }
    }
}
