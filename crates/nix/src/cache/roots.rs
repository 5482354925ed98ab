//! Indirect GC roots that keep the outputs of cached results in the store, within a limit.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use super::{Key, Results};
use crate::cache_files::replace;
use crate::fault::Point;
use crate::libnix::Store;

/// Maximum number of bytes that all GC roots together may keep beyond the running system.
const LIMIT: u64 = 10 << 30;

impl Results {
    /// Keeps the realised output of a result in the store. `beside` is a system that other GC roots
    /// keep; only paths outside its closure count towards the limit. Errors are ignored: without a
    /// GC root, the output may have to be built again.
    pub fn root(&self, store: &Store, key: &Key, output: &str, except: Option<&str>) {
        let link = self.roots().join(&key.digest);
        if self.rooted(&key.digest).is_some() || fs::create_dir_all(self.roots()).is_err() {
            return;
        }
        let Ok(bytes) = store.closure_size_beyond(output, except) else {
            return;
        };
        if bytes > LIMIT || store.add_root(output, &link).is_err() {
            return;
        }
        let size = bytes.to_string();
        if replace(&size_file(&link), size.as_bytes(), Point::CacheRoot).is_err() {
            // A GC root of unknown size would not count towards the limit.
            let _ = fs::remove_file(&link);
            return;
        }
        self.shrink();
    }

    /// Returns the size in bytes of the paths that a result's GC root keeps, beyond the system that
    /// was running when the GC root was made. Returns `None` if the result has no GC root.
    pub fn rooted(&self, digest: &str) -> Option<u64> {
        let link = self.roots().join(digest);
        fs::symlink_metadata(&link).ok()?;
        fs::read_to_string(size_file(&link))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Removes the GC roots of the least recently used results until the remaining ones are within
    /// the limit.
    pub(super) fn shrink(&self) {
        let uses = self.last_uses();
        let mut roots: Vec<(Option<SystemTime>, String, u64)> = self
            .rooted_digests()
            .into_iter()
            .filter_map(|digest| {
                let Some(bytes) = self.rooted(&digest) else {
                    // The process that made the GC root was probably killed before it recorded
                    // the size.
                    let _ = remove(&self.roots().join(digest));
                    return None;
                };
                Some((uses.get(&digest).copied(), digest, bytes))
            })
            .collect();
        roots.sort_by_key(|(used, _, _)| std::cmp::Reverse(*used));
        let mut sum = 0;
        for (_, digest, bytes) in roots {
            sum += bytes;
            if sum > LIMIT {
                let _ = remove(&self.roots().join(digest));
            }
        }
    }

    /// Removes every GC root except those of these results.
    pub(super) fn prune_roots(&self, keep: &[String]) -> Result<()> {
        for digest in self.rooted_digests() {
            if !keep.contains(&digest) {
                remove(&self.roots().join(digest))?;
            }
        }
        Ok(())
    }

    fn rooted_digests(&self) -> Vec<String> {
        let entries = fs::read_dir(self.roots()).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.contains('.'))
            .collect()
    }
}

fn size_file(link: &Path) -> std::path::PathBuf {
    link.with_extension("bytes")
}

fn remove(link: &Path) -> Result<()> {
    let _ = fs::remove_file(size_file(link));
    fs::remove_file(link).with_context(|| format!("cannot remove the GC root {}", link.display()))
}
