//! The section of a report that lists the outputs to build or fetch.

use nix_types::Missing;
use schemars::JsonSchema;
use serde::Serialize;

use crate::progress::store_name;

/// The maximum number of builds and downloads that are listed by name.
const SHOWN: usize = 10;

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

/// Lists paths by name, under a heading with their count.
pub(super) fn names(what: &str, paths: &[String], size: &str) -> String {
    if paths.is_empty() {
        return String::new();
    }
    let mut text = format!("{what}: {}{size}\n", paths.len());
    for path in paths.iter().take(SHOWN) {
        text += &format!("  {}\n", store_name(path));
    }
    if paths.len() > SHOWN {
        text += &format!("  and {} more\n", paths.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_end_with_a_count() {
        let paths: Vec<String> = (0..12).map(|n| format!("/nix/store/x-p{n}.drv")).collect();
        let text = names("to build", &paths, "");
        assert!(
            text.starts_with("to build: 12\n  p0\n") && text.ends_with("  and 2 more\n"),
            "{text}"
        );
    }
}
