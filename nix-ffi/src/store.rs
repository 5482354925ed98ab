//! Store operations: validity, derivers, real paths, GC roots, closures, sizes, and added files.
//! Builds and fetches are in `builds.rs`.

use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};

use nix_bindings_store::store::Store as Bindings;
use nix_types::NixError;

use crate::context::{Context, c_string, path_string};
use crate::store_path::StorePath;
use crate::{callback, sys};

/// A Nix store. Cheap to clone; clones share the opened store.
#[doc(alias = "Store")]
#[doc(alias = "nix::Store")]
pub struct NixStore {
    bindings: Bindings,
    /// Reused by all calls with this handle. A clone has its own.
    pub(crate) context: Context,
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

impl NixStore {
    /// Opens a store by its URL, or the one in Nix's settings.
    #[doc(alias = "nix_store_open")]
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

    pub(crate) fn as_ptr(&self) -> *mut sys::Store {
        // SAFETY: reads the pointer from a live handle. The callers use it for one call, while they
        // borrow `self`.
        unsafe { self.bindings.raw_ptr() }.cast()
    }

    /// Drops the connection to the daemon that a fork inherited and closed, so that the next call
    /// opens a new one. Does nothing for a store without a daemon.
    #[doc(alias = "nix::Store::setOptions")]
    pub fn reconnect(&self) {
        // SAFETY: the store is borrowed for the call, which sends the settings over its connection.
        let sent = self
            .context
            .call(|context| unsafe { sys::nix_ffi_reconnect(context, self.as_ptr()) });
        // On a closed connection this request fails, as intended: then libnix drops the connection.
        drop(sent);
    }

    /// Returns the location on disk of a store path, or of a path below a store path. In a chroot
    /// store, the location differs from the path. The argument is a text, because a path below a
    /// store path is not a [`StorePath`].
    #[doc(alias = "nix::Store::toRealPath")]
    pub fn real_path(&self, path: &str) -> Result<PathBuf, NixError> {
        self.texts_of(path, sys::nix_ffi_real_path)?
            .pop()
            .map(PathBuf::from)
            .ok_or_else(|| NixError::ours("libnix returned neither a real path nor an error"))
    }

    /// Returns the derivation that built a path; `None` if it is unknown.
    #[doc(alias = "nix::Store::queryPathInfo")]
    pub fn deriver(&self, path: &StorePath) -> Result<Option<StorePath>, NixError> {
        let deriver = self.texts_of(path, sys::nix_ffi_deriver)?.pop();
        Ok(deriver.map(|path| StorePath::parse(&path)).transpose()?)
    }

    /// Returns the NAR size of a path in bytes.
    #[doc(alias = "nix::Store::queryPathInfo")]
    pub fn nar_size(&self, path: &StorePath) -> Result<u64, NixError> {
        let c_path = c_string(path.as_str())?;
        // SAFETY: store and path are borrowed for the call, which only reads the path's
        // information.
        self.context.call(|context| unsafe {
            sys::nix_ffi_nar_size(context, self.as_ptr(), c_path.as_ptr())
        })
    }

    /// Copies a local file or folder into the store under this name. Returns its store path, which
    /// depends on the name and the content.
    #[doc(alias = "nix::Store::addToStoreFromDump")]
    #[doc(alias = "nix::dumpPath")]
    pub fn add_file(&self, name: &str, file: &Path) -> Result<StorePath, NixError> {
        let c_name = c_string(name)?;
        let c_file = path_string(file)?;
        let mut texts: Vec<String> = Vec::new();
        let user: *mut Vec<String> = &raw mut texts;
        // SAFETY: the shim copies the name, and reads the file by its path only during the call;
        // `user` is the Vec of `push_text`, to which the shim appends one store path.
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
        let added = texts
            .pop()
            .ok_or_else(|| NixError::ours("libnix returned neither a store path nor an error"))?;
        Ok(StorePath::parse(&added)?)
    }

    /// Returns whether the store contains this path, that is, whether its database lists the path
    /// as valid.
    #[doc(alias = "nix::Store::isValidPath")]
    pub fn is_valid(&self, path: &StorePath) -> Result<bool, NixError> {
        let c_path = c_string(path.as_str())?;
        // SAFETY: store and path are borrowed for the call, which only looks the path up.
        self.context.call(|context| unsafe {
            sys::nix_ffi_is_valid(context, self.as_ptr(), c_path.as_ptr())
        })
    }

    /// Protects a store path from garbage collection while this process lives.
    #[doc(alias = "nix::Store::addTempRoot")]
    pub fn add_temp_root(&self, path: &StorePath) -> Result<(), NixError> {
        let c_path = c_string(path.as_str())?;
        // SAFETY: store and path are borrowed for the call; the shim copies the path.
        self.context.call(|context| unsafe {
            sys::nix_ffi_add_temp_root(context, self.as_ptr(), c_path.as_ptr());
        })
    }

    /// Creates a symbolic link to a valid store path at the absolute path `link`, and registers it
    /// as an indirect GC root. The root protects the store path while the link exists.
    #[doc(alias = "nix::LocalFSStore::addPermRoot")]
    pub fn add_root(&self, path: &StorePath, link: &Path) -> Result<(), NixError> {
        let c_path = c_string(path.as_str())?;
        let c_link = path_string(link)?;
        // SAFETY: store and both C strings are borrowed for the call; the shim copies the strings.
        self.context.call(|context| unsafe {
            sys::nix_ffi_add_root(context, self.as_ptr(), c_path.as_ptr(), c_link.as_ptr());
        })
    }

    /// Returns the closure of a path, including the path itself.
    #[doc(alias = "nix::Store::computeFSClosure")]
    pub fn closure(&self, path: &StorePath) -> Result<Vec<StorePath>, NixError> {
        let members = self.texts_of(path, sys::nix_ffi_closure)?;
        Ok(StorePath::parse_all(&members)?)
    }

    /// Returns the number of paths in a path's closure, and their NAR size in bytes.
    #[doc(alias = "nix::Store::computeFSClosure")]
    pub fn closure_size(&self, path: &StorePath) -> Result<(u64, u64), NixError> {
        let c_path = c_string(path.as_str())?;
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
    #[doc(alias = "nix::Store::computeFSClosure")]
    pub fn closure_size_beyond(
        &self,
        path: &StorePath,
        other: Option<&StorePath>,
    ) -> Result<u64, NixError> {
        let c_path = c_string(path.as_str())?;
        let c_other = other.map(|other| c_string(other.as_str())).transpose()?;
        let other = c_other
            .as_ref()
            .map_or(std::ptr::null(), |other| other.as_ptr());
        // SAFETY: store and paths live for the call; the shim allows null for the second path.
        self.context.call(|context| unsafe {
            sys::nix_ffi_closure_size_beyond(context, self.as_ptr(), c_path.as_ptr(), other)
        })
    }

    /// Calls a function about one path, and returns the strings that it passes to `push_text`.
    pub(crate) fn texts_of(
        &self,
        path: impl AsRef<str>,
        function: unsafe extern "C" fn(
            *mut sys::nix_c_context,
            *mut sys::Store,
            *const c_char,
            sys::nix_ffi_str_callback,
            *mut c_void,
        ),
    ) -> Result<Vec<String>, NixError> {
        let c_path = c_string(path.as_ref())?;
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
