//! How files of the cache are written: whole or not at all, beside others who write there at the same time.
//!
//! Nothing is synced: what a crash of the machine leaves is told by its checksum, and is never needed. Whoever is killed
//! leaves a new file that nobody reads; the next writer removes it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::fault::{self, Point};

/// What the name of a new file begins with; its writer's process follows.
const NEW: &str = ".new-";

/// Replaces a file, and makes its folder where there is none.
pub(super) fn replace(path: &Path, bytes: &[u8], point: Point) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    sweep(folder);
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

/// Removes what writers have left that are no more, and what one of our own number has.
fn sweep(folder: &Path) {
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
