//! Store operations: missing paths, builds, logs, outputs and derivers, real paths, GC roots,
//! closures, sizes, and added files.

use std::ffi::{CString, c_char, c_void};
use std::path::{Path, PathBuf};

use nix_bindings_store::store::Store as Bindings;
use nix_types::{Missing, NixError};

use crate::context::{Context, c_string, path_string};
use crate::{callback, sys};

/// A Nix store. Cheap to clone; clones share the opened store.
pub struct NixStore {
    bindings: Bindings,
    /// Reused by all calls with this handle. A clone has its own.
    context: Context,
}

// SAFETY: several threads may use a `nix::Store` at the same time (`store-api.hh`: the worker and
// substitution threads of one build share it), as nix-bindings states for its `StoreRef`. The
// handle of nix-bindings is not `Sync` only because it contains an error context, which we never
// use: cloning the handle makes a new one. Our own context is `Sync`, because each call takes it
// out of its slot.
unsafe impl Sync for NixStore {}
// SAFETY: the store and the handle's error context are not bound to a thread, so any thread may
// drop the handle.
unsafe impl Send for NixStore {}

impl Clone for NixStore {
    fn clone(&self) -> Self {
        Self {
            bindings: self.bindings.clone(),
            context: Context::new(),
        }
    }
}

/// The result of one goal of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildResult {
    /// The derivation, or the plain path.
    pub path: String,
    /// Whether all outputs exist now.
    pub success: bool,
    /// `Success`, or Nix's name for the failure, such as `PermanentFailure` or `DependencyFailed`.
    pub status: String,
    /// Nix's message; empty on success.
    pub message: String,
    /// The names and store paths of the outputs; empty on failure.
    pub outputs: Vec<(String, String)>,
}

impl NixStore {
    /// Opens a store by its URL, or the one in Nix's settings.
    pub fn open(url: Option<&str>) -> anyhow::Result<Self> {
        Ok(Self {
            bindings: Bindings::open(url, [])?,
            context: Context::new(),
        })
    }

    /// Returns nix-bindings' handle, which makes evaluators.
    pub(crate) fn bindings(&self) -> Bindings {
        self.bindings.clone()
    }

    fn as_ptr(&self) -> *mut sys::Store {
        // SAFETY: the pointer is used only for one call, while `self` is borrowed.
        unsafe { self.bindings.raw_ptr() }.cast()
    }

    /// Drops the connection that a fork inherited and closed, so that the next call opens a new
    /// one. `beside` is any store path. The function looks up a path next to it that no other call
    /// looks up, so that no cache can answer.
    pub fn reconnect(&self, beside: &str) {
        let folder = beside.rsplit_once('/').map_or("", |(folder, _)| folder);
        // With a daemon this call fails, as intended; with other stores it has no effect.
        let _ = self.is_valid(&format!("{folder}/00000000000000000000000000000000-none"));
    }

    /// Returns the paths that must be built or fetched to realise derivations with all outputs, or
    /// plain paths. May use the network.
    pub fn query_missing(&self, paths: &[&str]) -> Result<Missing, NixError> {
        let paths = Paths::new(paths)?;
        let mut missing = Missing::default();
        let user: *mut Missing = &raw mut missing;
        // SAFETY: store and path array live for the call; `user` is the `Missing` of
        // `keep_missing`, and outlives the call.
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
        Ok(missing)
    }

    /// Builds or fetches all outputs of derivations, or plain paths. A goal that never ran because
    /// another goal failed has no result. Returns an error only if building was not possible at
    /// all.
    pub fn build(&self, paths: &[&str]) -> Result<Vec<BuildResult>, NixError> {
        let paths = Paths::new(paths)?;
        let mut results: Vec<BuildResult> = Vec::new();
        let user: *mut Vec<BuildResult> = &raw mut results;
        // SAFETY: store and path array live for the call; `user` is the Vec of `keep_result`, and
        // outlives the call.
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
        Ok(results)
    }

    /// Returns the log of a finished or failed build; `None` if there is none.
    pub fn build_log(&self, derivation: &str) -> Result<Option<String>, NixError> {
        Ok(self.texts_of(derivation, sys::nix_ffi_build_log)?.pop())
    }

    /// Returns the names and store paths of those outputs of a derivation that are known without
    /// building it.
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

    /// Returns the location on disk of a store path, or of a path below a store path. In a chroot
    /// store, the location differs from the path.
    pub fn real_path(&self, path: &str) -> Result<PathBuf, NixError> {
        self.texts_of(path, sys::nix_ffi_real_path)?
            .pop()
            .map(PathBuf::from)
            .ok_or_else(|| NixError::ours("libnix returned neither a real path nor an error"))
    }

    /// Returns the derivation that built a path; `None` if it is unknown.
    pub fn deriver(&self, path: &str) -> Result<Option<String>, NixError> {
        Ok(self.texts_of(path, sys::nix_ffi_deriver)?.pop())
    }

    /// Returns the NAR size of a path in bytes.
    pub fn nar_size(&self, path: &str) -> Result<u64, NixError> {
        let c_path = c_string(path)?;
        // SAFETY: store and path are borrowed for the call, which only reads the path's
        // information.
        self.context.call(|context| unsafe {
            sys::nix_ffi_nar_size(context, self.as_ptr(), c_path.as_ptr())
        })
    }

    /// Copies a local file or folder into the store under this name. Returns its store path, which
    /// depends on the name and the content.
    pub fn add_file(&self, name: &str, file: &Path) -> Result<String, NixError> {
        let c_name = c_string(name)?;
        let c_file = path_string(file)?;
        let mut texts: Vec<String> = Vec::new();
        let user: *mut Vec<String> = &raw mut texts;
        // SAFETY: store and both C strings live for the call; `user` is the Vec of `push_text`, and
        // outlives the call.
        self.context.call(|context| unsafe {
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
            .ok_or_else(|| NixError::ours("libnix returned neither a store path nor an error"))
    }

    /// Returns whether a store path is valid.
    pub fn is_valid(&self, path: &str) -> Result<bool, NixError> {
        let c_path = c_string(path)?;
        // SAFETY: store and path are borrowed for the call, which only looks the path up.
        self.context.call(|context| unsafe {
            sys::nix_ffi_is_valid(context, self.as_ptr(), c_path.as_ptr())
        })
    }

    /// Protects a store path from garbage collection while this process lives.
    pub fn add_temp_root(&self, path: &str) -> Result<(), NixError> {
        let c_path = c_string(path)?;
        // SAFETY: store and path are borrowed for the call; the shim copies the path.
        self.context.call(|context| unsafe {
            sys::nix_ffi_add_temp_root(context, self.as_ptr(), c_path.as_ptr());
        })
    }

    /// Creates a symbolic link to a valid store path at the absolute path `link`, and registers it
    /// as an indirect GC root. The root protects the store path while the link exists.
    pub fn add_root(&self, path: &str, link: &Path) -> Result<(), NixError> {
        let c_path = c_string(path)?;
        let c_link = path_string(link)?;
        // SAFETY: store and both C strings are borrowed for the call; the shim copies the strings.
        self.context.call(|context| unsafe {
            sys::nix_ffi_add_root(context, self.as_ptr(), c_path.as_ptr(), c_link.as_ptr());
        })
    }

    /// Returns the closure of a path, including the path itself.
    pub fn closure(&self, path: &str) -> Result<Vec<String>, NixError> {
        self.texts_of(path, sys::nix_ffi_closure)
    }

    /// Returns the number of paths in a path's closure, and their NAR size in bytes.
    pub fn closure_size(&self, path: &str) -> Result<(u64, u64), NixError> {
        let c_path = c_string(path)?;
        let (mut paths, mut bytes) = (0, 0);
        // SAFETY: store and path live for the call, and the two numbers that the call writes
        // outlive it.
        self.context.call(|context| unsafe {
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

    /// Returns the NAR size of the part of a path's closure that is not in another path's closure.
    pub fn closure_size_beyond(&self, path: &str, other: Option<&str>) -> Result<u64, NixError> {
        let c_path = c_string(path)?;
        let c_other = other.map(c_string).transpose()?;
        let other = c_other
            .as_ref()
            .map_or(std::ptr::null(), |other| other.as_ptr());
        // SAFETY: store and paths live for the call; the shim allows null for the second path.
        self.context.call(|context| unsafe {
            sys::nix_ffi_closure_size_beyond(context, self.as_ptr(), c_path.as_ptr(), other)
        })
    }

    /// Calls a function about one store path, and returns the strings that it passes to
    /// `push_text`.
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
        // SAFETY: `function` is one of the shim's; store and path live for the call; `user` is the
        // Vec of `push_text`.
        self.context.call(|context| unsafe {
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

/// C strings, and the array of pointers to them that is passed to C.
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
        // SAFETY: `query_missing` passes a pointer to its `Missing`, which outlives the call.
        let missing = unsafe { &mut *user.cast::<Missing>() };
        // SAFETY: the shim passes a view of missing paths that lives until this callback returns.
        let view = unsafe { &*view };
        *missing = Missing {
            // SAFETY: the live view says that `build` has `build_count` strings.
            build: unsafe { callback::texts(view.build, view.build_count) },
            // SAFETY: the live view says that `fetch` has `fetch_count` strings.
            fetch: unsafe { callback::texts(view.fetch, view.fetch_count) },
            // SAFETY: the live view says that `unknown` has `unknown_count` strings.
            unknown: unsafe { callback::texts(view.unknown, view.unknown_count) },
            download_bytes: view.download_bytes,
            unpacked_bytes: view.unpacked_bytes,
        };
    });
}

unsafe extern "C" fn keep_result(user: *mut c_void, view: *const sys::nix_ffi_build_view) {
    callback::run(|| {
        // SAFETY: `build` passes a pointer to its `Vec<BuildResult>`, which outlives the call.
        let results = unsafe { &mut *user.cast::<Vec<BuildResult>>() };
        // SAFETY: the shim passes a view of one result that lives until this callback returns.
        let view = unsafe { &*view };
        // SAFETY: the live view says that `output_names` has `output_count` strings.
        let names = unsafe { callback::texts(view.output_names, view.output_count) };
        // SAFETY: `output_paths` has as many strings as `output_names`, in the same live view.
        let outputs = unsafe { callback::texts(view.output_paths, view.output_count) };
        results.push(BuildResult {
            // SAFETY: the path belongs to the live view.
            path: unsafe { callback::text(view.path) },
            success: view.success,
            // SAFETY: the status belongs to the live view.
            status: unsafe { callback::text(view.status) },
            // SAFETY: the message belongs to the live view.
            message: unsafe { callback::text(view.message) },
            outputs: names.into_iter().zip(outputs).collect(),
        });
    });
}
