//! What the store does: missing paths, builds, logs, roots, closures.

use std::ffi::{CString, c_char, c_void};
use std::path::{Path, PathBuf};

use nix_bindings_store::store::Store as Bindings;

use crate::context::{Context, NixError, c_string, path_string};
use crate::{callback, sys};

/// A Nix store. Cheap to clone; all clones are the one that was opened.
pub struct Store(Bindings);

// SAFETY: a `nix::Store` may be used from several threads at once (`store-api.hh`: the worker and substitution threads of
// one build share it), and nix-bindings says so of its `StoreRef`. What keeps its handle from being `Sync` is the error
// context in it, which none of our calls touches: each has one of its own.
unsafe impl Sync for Store {}
// SAFETY: as above; the context is freed by whichever thread drops the handle, and is bound to none.
unsafe impl Send for Store {}

impl Clone for Store {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What is not in the store yet. Paths are store paths as text; `build` has derivations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Derivations that will be built.
    pub build: Vec<String>,
    /// Paths that will be fetched from substituters.
    pub fetch: Vec<String>,
    /// Paths that nobody has and nothing builds.
    pub unknown: Vec<String>,
    /// Bytes to download for `fetch`.
    pub download_bytes: u64,
    /// Their size once unpacked.
    pub unpacked_bytes: u64,
}

/// How one goal of a build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildResult {
    /// The derivation, or the plain path.
    pub path: String,
    /// Whether all its outputs are there now.
    pub success: bool,
    /// `Success`, or Nix's word for the failure, such as `PermanentFailure` or `DependencyFailed`.
    pub status: String,
    /// Nix's message; empty on success.
    pub message: String,
    /// Names and store paths of the outputs; empty on failure.
    pub outputs: Vec<(String, String)>,
}

impl Store {
    /// Opens a store by its URL, or the one that Nix's settings name.
    pub fn open(url: Option<&str>) -> anyhow::Result<Self> {
        Bindings::open(url, []).map(Self)
    }

    /// The handle that makes evaluators.
    #[must_use]
    pub fn bindings(&self) -> Bindings {
        self.0.clone()
    }

    fn as_ptr(&self) -> *mut sys::Store {
        // SAFETY: used only for one call, while `self` is borrowed.
        unsafe { self.0.raw_ptr() }.cast()
    }

    /// After a fork: drops the connection that was inherited, which says nothing any more, so that the next one is ours.
    /// `beside` is any store path; what is asked for is a path that was never asked for before.
    pub fn reconnect(&self, beside: &str) {
        let folder = beside.rsplit_once('/').map_or("", |(folder, _)| folder);
        // It fails for a daemon's store, which is its purpose, and any other is asked in vain.
        let _ = self.is_valid(&format!("{folder}/00000000000000000000000000000000-none"));
    }

    /// Asks what realising all outputs of derivations (or plain paths) takes. Asks substituters, so it may use the network.
    pub fn query_missing(&self, paths: &[&str]) -> Result<Missing, NixError> {
        let paths = Paths::new(paths)?;
        let mut missing = Missing::default();
        let user: *mut Missing = &raw mut missing;
        // SAFETY: store and paths live for the call; `user` is what `keep_missing` expects, and outlives it.
        Context::call(|context| unsafe {
            sys::nix_ffi_query_missing(
                context,
                self.as_ptr(),
                paths.pointers.as_ptr(),
                paths.pointers.len(),
                Some(keep_missing),
                user.cast(),
            );
        })?;
        Ok(missing)
    }

    /// Builds or fetches all outputs of derivations (or plain paths). A goal that never ran, because another failed, has no
    /// result; an error is only what made building impossible altogether.
    pub fn build(&self, paths: &[&str]) -> Result<Vec<BuildResult>, NixError> {
        let paths = Paths::new(paths)?;
        let mut results: Vec<BuildResult> = Vec::new();
        let user: *mut Vec<BuildResult> = &raw mut results;
        // SAFETY: store and paths live for the call; `user` is what `keep_result` expects, and outlives it.
        Context::call(|context| unsafe {
            sys::nix_ffi_build(
                context,
                self.as_ptr(),
                paths.pointers.as_ptr(),
                paths.pointers.len(),
                Some(keep_result),
                user.cast(),
            );
        })?;
        Ok(results)
    }

    /// The log of a build, finished or failed; `None` where there is none.
    pub fn build_log(&self, derivation: &str) -> Result<Option<String>, NixError> {
        Ok(self.texts_of(derivation, sys::nix_ffi_build_log)?.pop())
    }

    /// Names and store paths of a derivation's outputs, as far as they are known without building it.
    pub fn derivation_outputs(&self, derivation: &str) -> Result<Vec<(String, String)>, NixError> {
        let mut texts = self
            .texts_of(derivation, sys::nix_ffi_derivation_outputs)?
            .into_iter();
        let mut outputs = Vec::new();
        while let (Some(name), Some(path)) = (texts.next(), texts.next()) {
            outputs.push((name, path));
        }
        Ok(outputs)
    }

    /// Where a store path, or what is below one, lies on disk; another place than its name says in a chroot store.
    pub fn real_path(&self, path: &str) -> Result<PathBuf, NixError> {
        self.texts_of(path, sys::nix_ffi_real_path)?
            .pop()
            .map(PathBuf::from)
            .ok_or_else(|| NixError::ours("no real path and no error"))
    }

    /// The derivation that built a path; `None` where nobody knows.
    pub fn deriver(&self, path: &str) -> Result<Option<String>, NixError> {
        Ok(self.texts_of(path, sys::nix_ffi_deriver)?.pop())
    }

    /// How many bytes (NAR size) a path is.
    pub fn nar_size(&self, path: &str) -> Result<u64, NixError> {
        let c_path = c_string(path)?;
        // SAFETY: store and path live for the call.
        Context::call(|context| unsafe {
            sys::nix_ffi_nar_size(context, self.as_ptr(), c_path.as_ptr())
        })
    }

    /// Copies a file or folder of this machine into the store under this name; gives its store path, which is named by the
    /// content.
    pub fn add_file(&self, name: &str, file: &Path) -> Result<String, NixError> {
        let c_name = c_string(name)?;
        let c_file = path_string(file)?;
        let mut texts: Vec<String> = Vec::new();
        let user: *mut Vec<String> = &raw mut texts;
        // SAFETY: store and texts live for the call; `user` is the Vec that `push_text` expects.
        Context::call(|context| unsafe {
            sys::nix_ffi_add_file(
                context,
                self.as_ptr(),
                c_name.as_ptr(),
                c_file.as_ptr(),
                Some(callback::push_text),
                user.cast(),
            );
        })?;
        texts
            .pop()
            .ok_or_else(|| NixError::ours("no store path and no error"))
    }

    /// Whether a store path is there, whole.
    pub fn is_valid(&self, path: &str) -> Result<bool, NixError> {
        let c_path = c_string(path)?;
        // SAFETY: store and path live for the call.
        Context::call(|context| unsafe {
            sys::nix_ffi_is_valid(context, self.as_ptr(), c_path.as_ptr())
        })
    }

    /// Keeps a store path from the collector while this process lives.
    pub fn add_temp_root(&self, path: &str) -> Result<(), NixError> {
        let c_path = c_string(path)?;
        // SAFETY: store and path live for the call.
        Context::call(|context| unsafe {
            sys::nix_ffi_add_temp_root(context, self.as_ptr(), c_path.as_ptr());
        })
    }

    /// Makes `link`, absolute, a symbolic link to a store path that is there, and an indirect GC root: it keeps the path
    /// while the link is there.
    pub fn add_root(&self, path: &str, link: &Path) -> Result<(), NixError> {
        let c_path = c_string(path)?;
        let c_link = path_string(link)?;
        // SAFETY: store, path and link live for the call.
        Context::call(|context| unsafe {
            sys::nix_ffi_add_root(context, self.as_ptr(), c_path.as_ptr(), c_link.as_ptr());
        })
    }

    /// The paths of a path's closure, itself among them.
    pub fn closure(&self, path: &str) -> Result<Vec<String>, NixError> {
        self.texts_of(path, sys::nix_ffi_closure)
    }

    /// How many paths a path's closure has, and how many bytes (NAR size) they are.
    pub fn closure_size(&self, path: &str) -> Result<(u64, u64), NixError> {
        let c_path = c_string(path)?;
        let (mut paths, mut bytes) = (0, 0);
        // SAFETY: store and path live for the call, and the numbers outlive it.
        Context::call(|context| unsafe {
            sys::nix_ffi_closure_size(
                context,
                self.as_ptr(),
                c_path.as_ptr(),
                &raw mut paths,
                &raw mut bytes,
            )
        })?;
        Ok((paths, bytes))
    }

    /// How many bytes (NAR size) of a path's closure are no part of another path's closure.
    pub fn closure_size_beyond(&self, path: &str, other: Option<&str>) -> Result<u64, NixError> {
        let c_path = c_string(path)?;
        let c_other = other.map(c_string).transpose()?;
        let other = c_other
            .as_ref()
            .map_or(std::ptr::null(), |other| other.as_ptr());
        // SAFETY: store and paths live for the call; the second may be null.
        Context::call(|context| unsafe {
            sys::nix_ffi_closure_size_beyond(context, self.as_ptr(), c_path.as_ptr(), other)
        })
    }

    /// The texts that a call hands to `push_text`, for a call about one store path.
    fn texts_of(
        &self,
        path: &str,
        function: unsafe extern "C" fn(
            *mut sys::nix_c_context,
            *mut sys::Store,
            *const c_char,
            sys::nix_ffi_str_callback,
            *mut c_void,
        ),
    ) -> Result<Vec<String>, NixError> {
        let c_path = c_string(path)?;
        let mut texts: Vec<String> = Vec::new();
        let user: *mut Vec<String> = &raw mut texts;
        // SAFETY: `function` is one of the shim's; store and path live for the call; `user` is the Vec that `push_text` expects.
        Context::call(|context| unsafe {
            function(
                context,
                self.as_ptr(),
                c_path.as_ptr(),
                Some(callback::push_text),
                user.cast(),
            );
        })?;
        Ok(texts)
    }
}

/// C strings and the array of pointers to them that C takes.
struct Paths {
    pointers: Vec<*const c_char>,
    _owned: Vec<CString>,
}

impl Paths {
    fn new(paths: &[&str]) -> Result<Self, NixError> {
        let owned: Vec<CString> = paths
            .iter()
            .map(|path| c_string(path))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            pointers: owned.iter().map(|path| path.as_ptr()).collect(),
            _owned: owned,
        })
    }
}

unsafe extern "C" fn keep_missing(user: *mut c_void, view: *const sys::nix_ffi_missing_view) {
    callback::run(|| {
        // SAFETY: `query_missing` passes its `Missing`, which outlives the call.
        let missing = unsafe { &mut *user.cast::<Missing>() };
        // SAFETY: the shim passes a view that lives until this callback returns.
        let view = unsafe { &*view };
        *missing = Missing {
            // SAFETY: an array of the live view.
            build: unsafe { callback::texts(view.build, view.build_count) },
            // SAFETY: as above.
            fetch: unsafe { callback::texts(view.fetch, view.fetch_count) },
            // SAFETY: as above.
            unknown: unsafe { callback::texts(view.unknown, view.unknown_count) },
            download_bytes: view.download_bytes,
            unpacked_bytes: view.unpacked_bytes,
        };
    });
}

unsafe extern "C" fn keep_result(user: *mut c_void, view: *const sys::nix_ffi_build_view) {
    callback::run(|| {
        // SAFETY: `build` passes its `Vec<BuildResult>`, which outlives the call.
        let results = unsafe { &mut *user.cast::<Vec<BuildResult>>() };
        // SAFETY: the shim passes a view that lives until this callback returns.
        let view = unsafe { &*view };
        // SAFETY: an array of the live view.
        let names = unsafe { callback::texts(view.output_names, view.output_count) };
        // SAFETY: as above.
        let outputs = unsafe { callback::texts(view.output_paths, view.output_count) };
        results.push(BuildResult {
            // SAFETY: a text of the live view.
            path: unsafe { callback::text(view.path) },
            success: view.success,
            // SAFETY: as above.
            status: unsafe { callback::text(view.status) },
            // SAFETY: as above.
            message: unsafe { callback::text(view.message) },
            outputs: names.into_iter().zip(outputs).collect(),
        });
    });
}
