//! GC roots: symbolic links in a folder, registered as indirect roots. The GC roots of this boot
//! are in `/run` and disappear at the next boot. Those of persistent overrides are in `/var/lib`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::disk::{self, make_folder};
use crate::store::{LocalStore, replace_link};

/// Makes the GC root `name` in a folder protect `path` instead of its previous target.
pub fn replace(folder: &Path, store: &LocalStore, name: &str, path: &str) -> Result<()> {
    make_folder(folder)?;
    let link = folder.join(name);
    replace_link(&link, Path::new(path))
        .map_err(anyhow::Error::from)
        .and_then(|()| store.register_root(&link))
        .with_context(|| format!("cannot create the GC root {} for {path}", link.display()))
}

/// Removes all GC roots in a folder except those whose names are in `keep`.
pub fn prune(folder: &Path, keep: &BTreeSet<String>) -> Result<()> {
    for root in disk::entries(folder)? {
        let is_kept = root
            .file_name()
            .is_some_and(|name| keep.contains(&*name.to_string_lossy()));
        if !is_kept {
            fs::remove_file(&root)
                .with_context(|| format!("cannot remove the GC root {}", root.display()))?;
        }
    }
    Ok(())
}
