//! Builds and fetches: missing paths, results, logs, and outputs of derivations.

use std::ffi::{CString, c_char, c_void};

use nix_types::NixError;

use crate::context::c_string;
use crate::store::NixStore;
use crate::store_path::{InvalidStorePath, StorePath};
use crate::{callback, sys};

/// The result of one goal of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "nix::BuildResult")]
pub struct BuildResult {
    /// The derivation, or the plain path.
    pub path: StorePath,
    /// Whether all outputs exist now.
    pub success: bool,
    /// `Success`, or Nix's name for the failure, such as `PermanentFailure` or `DependencyFailed`.
    pub status: String,
    /// Nix's message; empty on success.
    pub message: String,
    /// The names and store paths of the outputs; empty on failure.
    pub outputs: Vec<(String, StorePath)>,
}

/// The paths that a build needs and that are not in the store yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(alias = "nix::MissingPaths")]
pub struct MissingPaths {
    /// Derivations to build.
    pub build: Vec<StorePath>,
    /// Paths to fetch from substituters.
    pub fetch: Vec<StorePath>,
    /// Paths that no substituter has and no derivation builds.
    pub unknown: Vec<StorePath>,
    /// The bytes to download for `fetch`.
    pub download_bytes: u64,
    /// The unpacked size of `fetch`.
    pub unpacked_bytes: u64,
}

impl NixStore {
    /// Returns the paths that must be built or fetched to realise derivations with all outputs, or
    /// plain paths. May use the network.
    #[doc(alias = "nix::Store::queryMissing")]
    pub fn query_missing(&self, paths: &[StorePath]) -> Result<MissingPaths, NixError> {
        let paths = Paths::new(paths)?;
        let mut missing: Result<MissingPaths, InvalidStorePath> = Ok(MissingPaths::default());
        let user: *mut Result<MissingPaths, InvalidStorePath> = &raw mut missing;
        // SAFETY: the array has `paths.pointers.len()` strings, which `paths` owns until after the
        // call; `user` is the `Result` of `keep_missing`, and outlives the call.
        self.context.call(|context| unsafe {
            sys::nix_ffi_query_missing(
                context,
                self.as_ptr(),
                paths.pointers.as_ptr(),
                paths.pointers.len(),
                Some(keep_missing),
                user.cast(),
            );
        })?;
        Ok(missing?)
    }

    /// Builds or fetches all outputs of derivations, or plain paths. A goal that never ran because
    /// another goal failed has no result. Returns an error only if building was not possible at
    /// all.
    #[doc(alias = "nix::Store::buildPathsWithResults")]
    pub fn build(&self, paths: &[StorePath]) -> Result<Vec<BuildResult>, NixError> {
        let paths = Paths::new(paths)?;
        let mut results: Vec<Result<BuildResult, InvalidStorePath>> = Vec::new();
        let user: *mut Vec<Result<BuildResult, InvalidStorePath>> = &raw mut results;
        // SAFETY: the array has `paths.pointers.len()` strings, which `paths` owns until after the
        // call; `user` is the Vec of `keep_result`, to which the shim appends only during the call.
        self.context.call(|context| unsafe {
            sys::nix_ffi_build(
                context,
                self.as_ptr(),
                paths.pointers.as_ptr(),
                paths.pointers.len(),
                Some(keep_result),
                user.cast(),
            );
        })?;
        Ok(results.into_iter().collect::<Result<_, _>>()?)
    }

    /// Returns the log of a finished or failed build; `None` if no log was kept.
    #[doc(alias = "nix::LogStore::getBuildLog")]
    pub fn build_log(&self, derivation: &StorePath) -> Result<Option<String>, NixError> {
        Ok(self.texts_of(derivation, sys::nix_ffi_build_log)?.pop())
    }

    /// Returns the names and store paths of those outputs of a derivation that are known without
    /// building it.
    #[doc(alias = "nix::Store::queryPartialDerivationOutputMap")]
    pub fn derivation_outputs(
        &self,
        derivation: &StorePath,
    ) -> Result<Vec<(String, StorePath)>, NixError> {
        let mut texts = self
            .texts_of(derivation, sys::nix_ffi_derivation_outputs)?
            .into_iter();
        let mut outputs = Vec::new();
        while let (Some(name), Some(path)) = (texts.next(), texts.next()) {
            outputs.push((name, StorePath::parse(&path)?));
        }
        Ok(outputs)
    }
}

/// C strings, and the array of pointers to them that is passed to C.
struct Paths {
    pointers: Vec<*const c_char>,
    _owned: Vec<CString>,
}

impl Paths {
    fn new(paths: &[StorePath]) -> Result<Self, NixError> {
        let owned: Vec<CString> = paths
            .iter()
            .map(|path| c_string(path.as_str()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            pointers: owned.iter().map(|path| path.as_ptr()).collect(),
            _owned: owned,
        })
    }
}

unsafe extern "C" fn keep_missing(user: *mut c_void, view: *const sys::nix_ffi_missing_view) {
    callback::run(|| {
        // SAFETY: `query_missing` passes a pointer to its `Result`, which outlives the call.
        let missing = unsafe { &mut *user.cast::<Result<MissingPaths, InvalidStorePath>>() };
        // SAFETY: the shim passes a view of missing paths that lives until this callback returns.
        *missing = unsafe { copy_missing(view) };
    });
}

/// Copies missing paths from C.
///
/// # Safety
///
/// `view` must be a view that C passed to a callback that has not returned yet.
unsafe fn copy_missing(
    view: *const sys::nix_ffi_missing_view,
) -> Result<MissingPaths, InvalidStorePath> {
    // SAFETY: the caller passes a view of missing paths that is live while this function runs.
    let view = unsafe { &*view };
    // SAFETY: the live view says that `build` has `build_count` strings.
    let build = unsafe { callback::texts(view.build, view.build_count) };
    // SAFETY: the live view says that `fetch` has `fetch_count` strings.
    let fetch = unsafe { callback::texts(view.fetch, view.fetch_count) };
    // SAFETY: the live view says that `unknown` has `unknown_count` strings.
    let unknown = unsafe { callback::texts(view.unknown, view.unknown_count) };
    Ok(MissingPaths {
        build: StorePath::parse_all(&build)?,
        fetch: StorePath::parse_all(&fetch)?,
        unknown: StorePath::parse_all(&unknown)?,
        download_bytes: view.download_bytes,
        unpacked_bytes: view.unpacked_bytes,
    })
}

unsafe extern "C" fn keep_result(user: *mut c_void, view: *const sys::nix_ffi_build_view) {
    callback::run(|| {
        // SAFETY: `build` passes a pointer to its Vec of results, which outlives the call.
        let results = unsafe { &mut *user.cast::<Vec<Result<BuildResult, InvalidStorePath>>>() };
        // SAFETY: the shim passes a view of one result that lives until this callback returns.
        results.push(unsafe { copy_result(view) });
    });
}

/// Copies the result of a goal from C.
///
/// # Safety
///
/// `view` must be a view that C passed to a callback that has not returned yet.
unsafe fn copy_result(
    view: *const sys::nix_ffi_build_view,
) -> Result<BuildResult, InvalidStorePath> {
    // SAFETY: the caller passes a view of one result that is live while this function runs.
    let view = unsafe { &*view };
    // SAFETY: the path belongs to the live view.
    let path = unsafe { callback::text(view.path) };
    // SAFETY: the live view says that `output_names` has `output_count` strings.
    let names = unsafe { callback::texts(view.output_names, view.output_count) };
    // SAFETY: `output_paths` has as many strings as `output_names`, in the same live view.
    let outputs = unsafe { callback::texts(view.output_paths, view.output_count) };
    Ok(BuildResult {
        path: StorePath::parse(&path)?,
        success: view.success,
        // SAFETY: the status belongs to the live view.
        status: unsafe { callback::text(view.status) },
        // SAFETY: the view of this build is live, and it owns the text of the error.
        message: unsafe { callback::text(view.message) },
        outputs: names
            .into_iter()
            .zip(StorePath::parse_all(&outputs)?)
            .collect(),
    })
}
