//! GC roots of this boot: symbolic links in `/run`, registered as indirect roots. They disappear at
//! the next boot.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use anyhow::{Context as _, Result};

use super::disk::make_folder;
use crate::libnix::Store;
use crate::locations::Locations;

/// Makes the root `name` keep `path` instead of its previous target.
pub fn replace(locations: &Locations, store: &Store, name: &str, path: &str) -> Result<()> {
    make_folder(&locations.roots())?;
    let link = locations.roots().join(name);
    if fs::read_link(&link).is_ok_and(|target| target == store.real_path(path).unwrap_or_default())
    {
        return Ok(());
    }
    store
        .add_root(path, &link)
        .with_context(|| format!("cannot create the root {} for {path}", link.display()))
}

/// Removes every root whose name is not in `keep`.
pub fn prune(locations: &Locations, keep: &BTreeSet<String>) -> Result<()> {
    let folder = locations.roots();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot read the directory {}", folder.display()));
        }
    };
    for entry in entries {
        let entry =
            entry.with_context(|| format!("cannot read the directory {}", folder.display()))?;
        if !keep.contains(&*entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())
                .with_context(|| format!("cannot remove the root {}", entry.path().display()))?;
        }
    }
    Ok(())
}
