//! The GC roots of a guest: links in its folder, registered in the store as indirect roots.
//!
//! The supervisor removes them. If it was killed, the links disappear with the folder, and the
//! garbage collector ignores and deletes roots whose link is gone.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use runtime_module_core::store::{LocalStore, replace_link};

use crate::error::not_written;

/// The folder of the links.
const FOLDER: &str = "roots";

/// The file that contains the URL of the store.
const STORE: &str = "store-url";

/// Makes GC roots for the paths that are in the store.
pub fn make(folder: &Path, url: Option<&str>, paths: &[&str]) -> Result<()> {
    let store = LocalStore::of(url)?;
    let paths: Vec<&str> = paths
        .iter()
        .copied()
        .filter(|path| store.contains(path))
        .collect();
    if paths.is_empty() {
        return Ok(());
    }
    let (name, links) = (folder.join(STORE), folder.join(FOLDER));
    fs::write(&name, url.unwrap_or_default()).map_err(|error| not_written(&name, &error))?;
    fs::create_dir(&links).map_err(|error| not_written(&links, &error))?;
    for (number, path) in paths.iter().enumerate() {
        let link = links.join(number.to_string());
        replace_link(&link, Path::new(path))
            .map_err(anyhow::Error::from)
            .and_then(|()| store.register_root(&link))
            .with_context(|| format!("cannot create the GC root {} for {path}", link.display()))?;
    }
    Ok(())
}

/// Removes the GC roots of a guest.
pub fn remove(folder: &Path) {
    let Ok(url) = fs::read_to_string(folder.join(STORE)) else {
        return;
    };
    let Ok(store) = LocalStore::of(Some(url.as_str()).filter(|url| !url.is_empty())) else {
        return;
    };
    for entry in fs::read_dir(folder.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten()
    {
        store.unregister_root(&entry.path());
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_registered_and_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-system";
        let auto = dir.path().join("nix/var/nix/gcroots/auto");
        fs::create_dir_all(&auto).expect("a store");
        let guest = dir.path().join("guest");
        fs::create_dir(&guest).expect("a folder");
        let url = dir.path().display().to_string();
        make(&guest, Some(&url), &[path, "/tmp/other"]).expect("made");
        let registered: Vec<_> = fs::read_dir(&auto).expect("read").flatten().collect();
        assert_eq!(registered.len(), 1);
        let link = fs::read_link(registered[0].path()).expect("a link");
        assert_eq!(fs::read_link(link).expect("a link"), Path::new(path));
        remove(&guest);
        assert_eq!(fs::read_dir(&auto).expect("read").count(), 0);
    }
}
