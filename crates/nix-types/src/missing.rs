//! The paths that a build needs and that are not in the store yet.

/// The missing paths, as store paths. The paths in `build` are derivations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Derivations to build.
    pub build: Vec<String>,
    /// Paths to fetch from substituters.
    pub fetch: Vec<String>,
    /// Paths that no substituter has and no derivation builds.
    pub unknown: Vec<String>,
    /// The bytes to download for `fetch`.
    pub download_bytes: u64,
    /// The unpacked size of `fetch`.
    pub unpacked_bytes: u64,
}
