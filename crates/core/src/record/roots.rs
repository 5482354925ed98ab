//! GC roots of this boot: symbolic links in `/run`, registered as indirect roots. They disappear at
//! the next boot.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::disk::make_folder;
use crate::locations::Locations;
use crate::store::{LocalStore, replace_link};

/// Makes the root `name` keep `path` instead of its previous target.
pub fn replace(locations: &Locations, store: &LocalStore, name: &str, path: &str) -> Result<()> {
    make_folder(&locations.roots())?;
    let link = locations.roots().join(name);
    replace_link(&link, Path::new(path))
        .map_err(anyhow::Error::from)
        .and_then(|()| store.register_root(&link))
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
