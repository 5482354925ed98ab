//! Copies folders, and detects changes in them.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

/// A snapshot of a folder: the mode, inode, owner, modification time and content of each entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    pub fn of(folder: &Path) -> Self {
        let mut entries = BTreeMap::new();
        walk(folder, folder, &mut entries);
        Self(entries)
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Fails if any entry differs.
    pub fn is_still(&self, now: &Self) {
        let differ = |key: &&String| self.0.get(*key) != now.0.get(*key);
        let changed: Vec<&String> = self.0.keys().chain(now.0.keys()).filter(differ).collect();
        assert!(changed.is_empty(), "changed: {changed:?}");
    }
}

fn walk(top: &Path, folder: &Path, entries: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = fs::symlink_metadata(&path).expect("an entry");
        let kind = metadata.file_type();
        let content = if kind.is_symlink() {
            fs::read_link(&path).expect("a link").display().to_string()
        } else if kind.is_file() {
            String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned()
        } else {
            String::new()
        };
        let about = format!(
            "{:o} {} {} {}.{} {content}",
            metadata.mode(),
            metadata.ino(),
            metadata.uid(),
            metadata.mtime(),
            metadata.mtime_nsec()
        );
        entries.insert(
            path.strip_prefix(top).expect("below").display().to_string(),
            about,
        );
        if kind.is_dir() {
            walk(top, &path, entries);
        }
    }
}

/// Copies a folder recursively.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in
        fs::read_dir(from).unwrap_or_else(|error| panic!("read {}: {error}", from.display()))
    {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            copy(&from, &to);
        } else if kind.is_symlink() {
            symlink(fs::read_link(&from).expect("a link"), to).expect("a link");
        } else {
            fs::copy(&from, &to).expect("a file");
            // The modes of files in a checkout depend on the umask with which it was made.
            let is_executable = entry.metadata().expect("a file").mode() & 0o100 != 0;
            let mode = if is_executable { 0o755 } else { 0o644 };
            fs::set_permissions(&to, Permissions::from_mode(mode)).expect("a file");
        }
    }
}
