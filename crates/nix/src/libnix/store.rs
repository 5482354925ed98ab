//! The open store. The rest of the program uses store paths as text, but `nix_ffi` uses a checked
//! type, so this file converts paths in both directions.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nix_ffi::{BuildResult, NixError, NixStore, StorePath};
use nix_types::Missing;

/// An open Nix store. Cheap to clone; clones share the opened store.
#[derive(Clone)]
pub struct Store(NixStore);

impl Store {
    /// Opens a store by its URL, or the one in Nix's settings.
    pub(super) fn open(url: Option<&str>) -> Result<Self> {
        NixStore::open(url).map(Self)
    }

    /// Returns the store for evaluators.
    pub(super) fn nix(&self) -> &NixStore {
        &self.0
    }

    /// Drops a connection to the daemon that a forked process inherited.
    pub fn reconnect(&self) {
        self.0.reconnect();
    }

    /// Returns the paths that must be built or fetched to realise `paths`, which are derivations
    /// (with all outputs) or plain store paths. May use the network.
    pub fn query_missing(&self, paths: &[&str]) -> Result<Missing, NixError> {
        let missing = self.0.query_missing(&StorePath::parse_all(paths)?)?;
        Ok(Missing {
            build: texts(missing.build),
            fetch: texts(missing.fetch),
            unknown: texts(missing.unknown),
            download_bytes: missing.download_bytes,
            unpacked_bytes: missing.unpacked_bytes,
        })
    }

    /// Builds or fetches all outputs of derivations, or plain paths. A goal that never ran because
    /// another goal failed has no result. Returns an error only if building was not possible at
    /// all.
    pub fn build(&self, paths: &[&str]) -> Result<Vec<BuildResult>, NixError> {
        self.0.build(&StorePath::parse_all(paths)?)
    }

    /// Returns the log of a finished or failed build; `None` if no log was kept.
    pub fn build_log(&self, derivation: &str) -> Result<Option<String>, NixError> {
        self.0.build_log(&StorePath::parse(derivation)?)
    }

    /// Returns the names and store paths of those outputs of a derivation that are known without
    /// building it.
    pub fn derivation_outputs(&self, derivation: &str) -> Result<Vec<(String, String)>, NixError> {
        let outputs = self.0.derivation_outputs(&StorePath::parse(derivation)?)?;
        Ok(outputs
            .into_iter()
            .map(|(name, path)| (name, path.into()))
            .collect())
    }

    /// Returns the location on disk of a store path, or of a path below a store path. In a chroot
    /// store, the location differs from the path.
    pub fn real_path(&self, path: &str) -> Result<PathBuf, NixError> {
        self.0.real_path(path)
    }

    /// Returns the derivation that built a path; `None` if it is unknown.
    pub fn deriver(&self, path: &str) -> Result<Option<String>, NixError> {
        let deriver = self.0.deriver(&StorePath::parse(path)?)?;
        Ok(deriver.map(String::from))
    }

    /// Returns the NAR size of a path in bytes.
    pub fn nar_size(&self, path: &str) -> Result<u64, NixError> {
        self.0.nar_size(&StorePath::parse(path)?)
    }

    /// Copies a local file or folder into the store under this name. Returns its store path, which
    /// depends on the name and the content.
    pub fn add_file(&self, name: &str, file: &Path) -> Result<String, NixError> {
        self.0.add_file(name, file).map(String::from)
    }

    /// Returns whether the store contains a path, that is, whether its database lists the path as
    /// valid.
    pub fn is_valid(&self, path: &str) -> Result<bool, NixError> {
        self.0.is_valid(&StorePath::parse(path)?)
    }

    /// Protects a store path from garbage collection while this process lives.
    pub fn add_temp_root(&self, path: &str) -> Result<(), NixError> {
        self.0.add_temp_root(&StorePath::parse(path)?)
    }

    /// Creates a symbolic link to a valid store path at the absolute path `link`, and registers it
    /// as an indirect GC root. The root protects the store path while the link exists.
    pub fn add_root(&self, path: &str, link: &Path) -> Result<(), NixError> {
        self.0.add_root(&StorePath::parse(path)?, link)
    }

    /// Returns the closure of a path, including the path itself.
    pub fn closure(&self, path: &str) -> Result<Vec<String>, NixError> {
        self.0.closure(&StorePath::parse(path)?).map(texts)
    }

    /// Returns the NAR size of the part of a path's closure that is not in another path's closure.
    pub fn closure_size_beyond(&self, path: &str, other: Option<&str>) -> Result<u64, NixError> {
        let other = other.map(StorePath::parse).transpose()?;
        self.0
            .closure_size_beyond(&StorePath::parse(path)?, other.as_ref())
    }
}

fn texts(paths: Vec<StorePath>) -> Vec<String> {
    paths.into_iter().map(String::from).collect()
}
