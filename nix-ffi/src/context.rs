//! The error context that every call into the shim takes, and the error that it may hold afterwards.

use std::ffi::{CString, c_void};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

use serde::{Deserialize, Serialize};

use crate::{callback, sys};

/// A place in a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Path of the file, usually below a store path; empty when the text did not come from a file.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// A step of the way to an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What Nix was doing, such as `while evaluating the option …`.
    pub hint: String,
    /// Where, if known.
    pub position: Option<Position>,
}

/// An error of libnix, with all that it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NixError {
    /// C++ class, such as `nix::ThrownError`; empty for an error of our own side.
    pub class: String,
    /// The message alone.
    pub message: String,
    /// The whole text that `nix` would print, excerpts and traces included, without terminal escapes.
    pub rendered: String,
    /// Where it happened, if known.
    pub position: Option<Position>,
    /// The way there, innermost last.
    pub traces: Vec<Trace>,
    /// Verbosity at which it was reported: 0 is an error, 1 a warning.
    pub level: u8,
    /// Whether it is the consequence of [`crate::interrupt`].
    pub interrupted: bool,
}

impl NixError {
    /// An error of our own side of the border.
    pub(crate) fn ours(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            rendered: message.clone(),
            message,
            ..Self::default()
        }
    }
}

impl fmt::Display for NixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim())
    }
}

impl std::error::Error for NixError {}

/// An owned `nix_c_context`.
pub(crate) struct Context(NonNull<sys::nix_c_context>);

impl Context {
    pub(crate) fn new() -> Self {
        // SAFETY: takes nothing; the result is ours to free.
        let raw = unsafe { sys::nix_c_context_create() };
        Self(NonNull::new(raw).expect("a few hundred bytes can be allocated"))
    }

    /// Calls the shim, then says what it left in the context, and goes on with a callback's panic if there was one.
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
        // SAFETY: the context is live, and only read.
        let code = unsafe { sys::nix_err_code(self.0.as_ptr()) };
        if code == sys::nix_err_NIX_OK {
            return None;
        }
        let mut error = None;
        let user: *mut Option<NixError> = &raw mut error;
        // SAFETY: the context is live, and `user` is what `keep_error` expects and outlives the call.
        unsafe { sys::nix_ffi_error_read(self.0.as_ptr(), Some(keep_error), user.cast()) };
        callback::resume();
        // `error` is only unset if the shim called nothing back, which the code above has ruled out.
        let mut error = error.unwrap_or_else(|| NixError::ours("an error without a description"));
        // What an interrupt breaks on its way (a connection to the daemon, say) counts as well.
        error.interrupted = error.class == "nix::Interrupted" || crate::interrupted();
        Some(error)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `nix_c_context_create`, and nothing else holds it.
        unsafe { sys::nix_c_context_free(self.0.as_ptr()) };
    }
}

unsafe extern "C" fn keep_error(user: *mut c_void, view: *const sys::nix_ffi_error_view) {
    callback::run(|| {
        // SAFETY: `Context::error` passes its `Option<NixError>`, which outlives the call.
        let slot = unsafe { &mut *user.cast::<Option<NixError>>() };
        // SAFETY: the shim passes a view that lives until this callback returns.
        *slot = Some(unsafe { copy_error(view) });
    });
}

/// Copies an error out of C.
///
/// # Safety
///
/// `view` must be what C handed to a callback which has not returned yet.
pub(crate) unsafe fn copy_error(view: *const sys::nix_ffi_error_view) -> NixError {
    // SAFETY: the caller's promise.
    let view = unsafe { &*view };
    // SAFETY: the view's own array, as long as it says.
    let traces = unsafe { callback::slice(view.traces, view.trace_count) };
    NixError {
        // SAFETY: a text of the live view.
        class: unsafe { callback::text(view.class_name) },
        // SAFETY: as above.
        message: unsafe { callback::text(view.message) },
        // SAFETY: as above.
        rendered: unsafe { callback::text(view.rendered) },
        // SAFETY: as above.
        position: unsafe { copy_position(view.position) },
        traces: traces
            .iter()
            .map(|trace| Trace {
                // SAFETY: as above.
                hint: unsafe { callback::text(trace.hint) },
                // SAFETY: as above.
                position: unsafe { copy_position(trace.position) },
            })
            .collect(),
        level: u8::try_from(view.level).unwrap_or(0),
        interrupted: false,
    }
}

/// # Safety
///
/// As for [`copy_error`].
unsafe fn copy_position(position: sys::nix_ffi_position) -> Option<Position> {
    (position.line > 0).then(|| Position {
        // SAFETY: the caller's promise.
        file: unsafe { callback::text(position.file) },
        line: position.line,
        column: position.column,
    })
}

/// A C string of text that came from outside.
pub(crate) fn c_string(text: &str) -> Result<CString, NixError> {
    CString::new(text)
        .map_err(|_| NixError::ours(format!("a text with a NUL byte in it: {text:?}")))
}

/// A C string of a path, byte for byte.
pub(crate) fn path_string(path: &Path) -> Result<CString, NixError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| NixError::ours(format!("a path with a NUL byte in it: {}", path.display())))
}
