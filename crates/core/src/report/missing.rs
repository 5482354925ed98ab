//! The part of a report about outputs that must be built or fetched.

use nix_types::Missing;
use schemars::JsonSchema;
use serde::Serialize;

use crate::progress::store_name;

/// The outputs that must be built or fetched.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MissingReport {
    /// The derivations to build.
    pub(super) build: Vec<String>,
    /// The store paths to fetch.
    pub(super) fetch: Vec<String>,
    /// The bytes to download.
    pub(super) download_bytes: u64,
    /// The bytes on disk after unpacking.
    pub(super) unpacked_bytes: u64,
}

impl From<&Missing> for MissingReport {
    fn from(missing: &Missing) -> Self {
        Self {
            build: by_name(&missing.build),
            fetch: by_name(&missing.fetch),
            download_bytes: missing.download_bytes,
            unpacked_bytes: missing.unpacked_bytes,
        }
    }
}

/// Sorts paths by name, because an order by hash has no meaning.
fn by_name(paths: &[String]) -> Vec<String> {
    let mut paths = paths.to_vec();
    paths.sort_by_cached_key(|path| (store_name(path), path.clone()));
    paths
}
