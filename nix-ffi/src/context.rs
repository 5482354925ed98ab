//! The error context that every call into the shim takes, and the error that the call may store in
//! it.
//!
//! Each state (a store, a builder, an evaluator, a locked flake) owns a [`Context`], which all its
//! calls reuse. Functions that belong to no state share the context of the process, [`PROCESS`].

use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use nix_types::{NixError, Position, Trace};

use crate::interrupt_flag::interrupted;
use crate::{callback, sys};

/// The context of functions that belong to no state.
pub(crate) static PROCESS: Context = Context::new();

/// The error context of one state. It is created by the first call, and later calls reuse it.
///
/// Two threads must never use one `nix_c_context` at the same time. So a call takes the context out
/// of this slot, owns it until the shim has returned and the error is read, and then puts it back.
/// The lock is held only for taking and for putting back, so calls of other threads with the same
/// state do not wait for this one: they find an empty slot and create a context for themselves.
pub(crate) struct Context(Mutex<Option<RawContext>>);

impl Context {
    /// Makes an empty slot.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Calls the shim. Resumes a callback's panic, and returns the error that the shim stored.
    pub(crate) fn call<T>(
        &self,
        call: impl FnOnce(*mut sys::nix_c_context) -> T,
    ) -> Result<T, NixError> {
        let mut context = self.swap(None).unwrap_or_else(RawContext::new);
        let result = call(context.0.as_ptr());
        callback::resume();
        let error = context.take_error();
        self.swap(Some(context));
        match error {
            None => Ok(result),
            Some(error) => Err(error),
        }
    }

    /// Puts `context` into the slot, and returns the previous content.
    fn swap(&self, context: Option<RawContext>) -> Option<RawContext> {
        // Nothing can panic while the lock is held, so the lock is never poisoned.
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, context)
    }
}

/// An owned `nix_c_context`.
struct RawContext(NonNull<sys::nix_c_context>);

// SAFETY: a context is an ordinary C++ object that is bound to no thread (`nix_api_util.cc`:
// `new nix_c_context()`), and only its owner uses it. Between two calls it is empty, because
// `take_error` clears it. So a thread that takes over a context never releases an object that
// belongs to another thread's evaluator, such as the source of a position.
unsafe impl Send for RawContext {}

impl RawContext {
    fn new() -> Self {
        // SAFETY: takes no arguments; `RawContext` owns the new object, and its `Drop` frees it.
        let raw = unsafe { sys::nix_c_context_create() };
        Self(NonNull::new(raw).expect("a context of a few hundred bytes can be allocated"))
    }

    /// Moves the error of the last call out of the context; `None` if the call succeeded.
    fn take_error(&mut self) -> Option<NixError> {
        // SAFETY: `self` owns the live context, and this call only reads its error code.
        let code = unsafe { sys::nix_err_code(self.0.as_ptr()) };
        if code == sys::nix_err_NIX_OK {
            return None;
        }
        let mut error = None;
        let user: *mut Option<NixError> = &raw mut error;
        // SAFETY: `&mut self` excludes other users of the live context; `user` points at the
        // `Option<NixError>` that `keep_error` expects, and outlives the call.
        unsafe { sys::nix_ffi_error_take(self.0.as_ptr(), Some(keep_error), user.cast()) };
        callback::resume();
        // The shim calls back for every error code, so this fallback should never be used.
        let mut error = error
            .unwrap_or_else(|| NixError::ours("libnix reported an error without a description"));
        // An interrupt can also cause other errors, such as a broken connection to the daemon.
        error.interrupted = error.class == "nix::Interrupted" || interrupted();
        Some(error)
    }
}

impl Drop for RawContext {
    fn drop(&mut self) {
        // SAFETY: `nix_c_context_create` made the context, and only this value refers to it.
        unsafe { sys::nix_c_context_free(self.0.as_ptr()) };
    }
}

unsafe extern "C" fn keep_error(user: *mut c_void, view: *const sys::nix_ffi_error_view) {
    callback::run(|| {
        // SAFETY: `RawContext::take_error` passes a pointer to its `Option<NixError>`, which
        // outlives the call.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_call_reuses_the_context() {
        let context = Context::new();
        let first = context.call(|raw| raw as usize).expect("no error");
        let second = context.call(|raw| raw as usize).expect("no error");
        assert_eq!(first, second);
    }

    #[test]
    fn overlapping_calls_have_different_contexts() {
        let context = Context::new();
        let outer = context.call(|outer| {
            let inner = context.call(|inner| inner as usize).expect("no error");
            assert_ne!(outer as usize, inner);
            outer as usize
        });
        // The slot keeps the context of the call that ends last.
        let next = context.call(|raw| raw as usize);
        assert_eq!(outer, next);
    }
}
