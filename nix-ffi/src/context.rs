//! The error context that every call into the shim takes, and the error that the call may store in
//! it.

use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

use nix_types::{NixError, Position, Trace};

use crate::{callback, sys};

/// An owned `nix_c_context`.
pub(crate) struct Context(NonNull<sys::nix_c_context>);

impl Context {
    pub(crate) fn new() -> Self {
        // SAFETY: takes no arguments; `Context` owns the result and frees it.
        let raw = unsafe { sys::nix_c_context_create() };
        Self(NonNull::new(raw).expect("a context of a few hundred bytes can be allocated"))
    }

    /// Calls the shim with a new context. Resumes a callback's panic, and returns the error that
    /// the shim stored.
    pub(crate) fn call<T>(call: impl FnOnce(*mut sys::nix_c_context) -> T) -> Result<T, NixError> {
        let context = Self::new();
        let result = call(context.0.as_ptr());
        callback::resume();
        match context.error() {
            None => Ok(result),
            Some(error) => Err(error),
        }
    }

    fn error(&self) -> Option<NixError> {
        // SAFETY: `self` owns the context, which is live and only read here.
        let code = unsafe { sys::nix_err_code(self.0.as_ptr()) };
        if code == sys::nix_err_NIX_OK {
            return None;
        }
        let mut error = None;
        let user: *mut Option<NixError> = &raw mut error;
        // SAFETY: the context is live; `user` points at the `Option<NixError>` that `keep_error`
        // expects, and outlives the call.
        unsafe { sys::nix_ffi_error_read(self.0.as_ptr(), Some(keep_error), user.cast()) };
        callback::resume();
        // The error code above says that there is an error, so the shim has called back.
        let mut error = error
            .unwrap_or_else(|| NixError::ours("libnix reported an error without a description"));
        // An interrupt can also cause other errors, such as a broken connection to the daemon.
        error.interrupted = error.class == "nix::Interrupted" || crate::interrupted();
        Some(error)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: `nix_c_context_create` made the context, and only this value refers to it.
        unsafe { sys::nix_c_context_free(self.0.as_ptr()) };
    }
}

unsafe extern "C" fn keep_error(user: *mut c_void, view: *const sys::nix_ffi_error_view) {
    callback::run(|| {
        // SAFETY: `Context::error` passes a pointer to its `Option<NixError>`, which outlives the
        // call.
        let slot = unsafe { &mut *user.cast::<Option<NixError>>() };
        // SAFETY: the shim passes a view that lives until this callback returns.
        *slot = Some(unsafe { copy_error(view) });
    });
}

/// Copies an error from C.
///
/// # Safety
///
/// `view` must be a view that C passed to a callback that has not returned yet.
pub(crate) unsafe fn copy_error(view: *const sys::nix_ffi_error_view) -> NixError {
    // SAFETY: the caller passes a view that is live while this function runs.
    let view = unsafe { &*view };
    // SAFETY: the live view says that `traces` has `trace_count` elements.
    let traces = unsafe { callback::slice(view.traces, view.trace_count) };
    NixError {
        // SAFETY: the class name belongs to the live view.
        class: unsafe { callback::text(view.class_name) },
        // SAFETY: the message belongs to the live view.
        message: unsafe { callback::text(view.message) },
        // SAFETY: the rendered text belongs to the live view.
        rendered: unsafe { callback::text(view.rendered) },
        // SAFETY: the position's file name belongs to the live view.
        position: unsafe { copy_position(view.position) },
        traces: traces
            .iter()
            .map(|trace| Trace {
                // SAFETY: the trace and its hint belong to the live view.
                hint: unsafe { callback::text(trace.hint) },
                // SAFETY: the trace and the file name of its position belong to the live view.
                position: unsafe { copy_position(trace.position) },
            })
            .collect(),
        level: u8::try_from(view.level).unwrap_or(0),
        interrupted: false,
    }
}

/// # Safety
///
/// `position` must be part of a view that C passed to a callback that has not returned yet.
unsafe fn copy_position(position: sys::nix_ffi_position) -> Option<Position> {
    (position.line > 0).then(|| Position {
        // SAFETY: the caller passes a position of a live view, so its file name is live too.
        file: unsafe { callback::text(position.file) },
        line: position.line,
        column: position.column,
    })
}

/// Converts a string to a C string.
pub(crate) fn c_string(text: &str) -> Result<CString, NixError> {
    CString::new(text)
        .map_err(|_| NixError::ours(format!("the text contains a NUL byte: {text:?}")))
}

/// Converts a path to a C string, byte for byte.
pub(crate) fn path_string(path: &Path) -> Result<CString, NixError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| NixError::ours(format!("the path contains a NUL byte: {}", path.display())))
}
