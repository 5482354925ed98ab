//! Runs callbacks from C. A panic must not unwind into C, so it is stored, and resumed after C has
//! returned.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sys;

thread_local! {
    static STORED_PANIC: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

/// Runs the body of a callback. After a panic, later callbacks in the same call into C do nothing.
pub(crate) fn run(body: impl FnOnce()) {
    if STORED_PANIC.with_borrow(Option::is_some) {
        return;
    }
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        STORED_PANIC.set(Some(panic));
    }
}

/// Resumes a panic that a callback stored. Called after each C call that takes callbacks.
pub(crate) fn resume() {
    if let Some(panic) = STORED_PANIC.take() {
        resume_unwind(panic);
    }
}

/// Copies a string, and replaces invalid UTF-8 in it.
///
/// # Safety
///
/// `text` must be a view that C passed to a callback that has not returned yet.
pub(crate) unsafe fn text(text: sys::nix_ffi_str) -> String {
    String::from_utf8_lossy(
        // SAFETY: the caller passes a live view, so `data` points at `length` bytes.
        unsafe { slice(text.data.cast::<u8>(), text.length) },
    )
    .into_owned()
}

/// Returns a C array as a slice. The pointer may be null if `length` is 0.
///
/// # Safety
///
/// Unless `length` is 0, `data` must point at `length` initialised values that live for `'a`.
pub(crate) unsafe fn slice<'a, T>(data: *const T, length: usize) -> &'a [T] {
    if length == 0 {
        return &[];
    }
    // SAFETY: `length` is not 0, so the caller promises that many initialised values for `'a`.
    unsafe { std::slice::from_raw_parts(data, length) }
}

/// Copies an array of strings.
///
/// # Safety
///
/// `data` must be an array of `length` strings in a view that C passed to a callback that has not
/// returned yet.
pub(crate) unsafe fn texts(data: *const sys::nix_ffi_str, length: usize) -> Vec<String> {
    // SAFETY: the caller passes an array of `length` views that live until its callback returns.
    let views = unsafe { slice(data, length) };
    views
        .iter()
        // SAFETY: `view` is an element of `views`, and its string lives as long as the array.
        .map(|view| unsafe { text(*view) })
        .collect()
}

/// Appends a string to the `Vec<String>` at `user`.
pub(crate) unsafe extern "C" fn push_text(user: *mut c_void, view: sys::nix_ffi_str) {
    run(|| {
        // SAFETY: each caller passes a pointer to a live `Vec<String>` that nothing else uses
        // during the call.
        let texts = unsafe { &mut *user.cast::<Vec<String>>() };
        // SAFETY: C passes a view that lives until this callback returns.
        texts.push(unsafe { text(view) });
    });
}
