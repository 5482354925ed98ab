//! What C calls back into: nothing may unwind there, so a panic is parked and goes on once C has returned.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sys;

thread_local! {
    static PARKED: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

/// Runs the body of a callback. After a panic, further callbacks of the same call do nothing.
pub(crate) fn run(body: impl FnOnce()) {
    if PARKED.with_borrow(Option::is_some) {
        return;
    }
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        PARKED.set(Some(panic));
    }
}

/// Goes on with the panic of a callback, if there was one; called after each C call that takes callbacks.
pub(crate) fn resume() {
    if let Some(panic) = PARKED.take() {
        resume_unwind(panic);
    }
}

/// Copies a text; what is not UTF-8 is replaced, as it is only ever shown.
///
/// # Safety
///
/// `text` must be a view that C handed to a callback which has not returned yet.
pub(crate) unsafe fn text(text: sys::nix_ffi_str) -> String {
    String::from_utf8_lossy(
        // SAFETY: the caller's promise: a live view, so `data` holds `length` bytes.
        unsafe { slice(text.data.cast::<u8>(), text.length) },
    )
    .into_owned()
}

/// A C array as a slice; an empty one may be null.
///
/// # Safety
///
/// Unless `length` is 0, `data` must point at `length` initialised values that live for `'a`.
pub(crate) unsafe fn slice<'a, T>(data: *const T, length: usize) -> &'a [T] {
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(data, length) }
}

/// Copies an array of texts.
///
/// # Safety
///
/// `data` must be an array of `length` texts of a view that is live.
pub(crate) unsafe fn texts(data: *const sys::nix_ffi_str, length: usize) -> Vec<String> {
    // SAFETY: the caller's promise.
    let views = unsafe { slice(data, length) };
    views
        .iter()
        // SAFETY: the caller's promise.
        .map(|view| unsafe { text(*view) })
        .collect()
}

/// The callback that appends texts to the `Vec<String>` that `user` points at.
pub(crate) unsafe extern "C" fn push_text(user: *mut c_void, view: sys::nix_ffi_str) {
    run(|| {
        // SAFETY: whoever passes this callback passes a `&mut Vec<String>` that outlives the call (see `texts_of`).
        let texts = unsafe { &mut *user.cast::<Vec<String>>() };
        // SAFETY: the view lives until this callback returns.
        texts.push(unsafe { text(view) });
    });
}
