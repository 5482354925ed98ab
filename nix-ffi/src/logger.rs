//! Nix's logger as a stream of typed events.

use std::ffi::c_void;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix_types::{Activity, Event, ExpectedKind, NixError, Progress};

use crate::context::{PROCESS, copy_error};
use crate::{callback, sys};

/// The numbers of `nix::ActivityType` and `nix::ResultType` (`logging.hh`), which are the same from
/// 2.26 to 2.35.
mod number {
    pub(super) const COPY_PATH: i32 = 100;
    pub(super) const FILE_TRANSFER: i32 = 101;
    pub(super) const REALISE: i32 = 102;
    pub(super) const COPY_PATHS: i32 = 103;
    pub(super) const BUILDS: i32 = 104;
    pub(super) const BUILD: i32 = 105;
    pub(super) const SUBSTITUTE: i32 = 108;
    pub(super) const QUERY_PATH_INFO: i32 = 109;
    pub(super) const BUILD_WAITING: i32 = 111;
    pub(super) const FETCH_TREE: i32 = 112;

    pub(super) const LOG_LINE: i32 = 101;
    pub(super) const SET_PHASE: i32 = 104;
    pub(super) const PROGRESS: i32 = 105;
    pub(super) const SET_EXPECTED: i32 = 106;
    pub(super) const POST_HOOK_LINE: i32 = 107;
}

type Sink = Box<dyn Fn(Event) + Send + Sync>;

/// Replaces Nix's logger with `sink`. Many threads call `sink` at the same time, and it must
/// neither block nor call Nix. A second call replaces the first sink.
#[doc(alias = "nix::logger")]
#[doc(alias = "nix::Logger")]
pub fn install_logger(sink: impl Fn(Event) + Send + Sync + 'static) -> Result<(), NixError> {
    // Leaked on purpose: threads of libnix may log until the process ends.
    let sink: Box<Sink> = Box::new(Box::new(sink));
    let user: *const Sink = Box::leak(sink);
    let table = sys::nix_ffi_logger {
        user: user.cast_mut().cast(),
        message: Some(on_message),
        error: Some(on_error),
        start: Some(on_start),
        stop: Some(on_stop),
        result: Some(on_result),
    };
    // SAFETY: the shim copies the table; `user` is leaked and `Sync`; the functions have the
    // generated types.
    PROCESS.call(|context| unsafe { sys::nix_ffi_logger_install(context, &raw const table) })
}

/// Sets the maximum verbosity (0 error … 3 info, 4 talkative … 7 vomit) of messages. Activities are
/// always reported.
#[doc(alias = "nix::verbosity")]
pub fn set_verbosity(level: u8) {
    // SAFETY: writes the number `nix::verbosity`, which libnix only compares with levels.
    unsafe { sys::nix_ffi_verbosity_set(i32::from(level)) }
}

/// Passes an event to the sink. Ignores a panic of the sink, because the thread belongs to libnix
/// and cannot resume the panic.
///
/// # Safety
///
/// `user` must be the pointer that `install_logger` put in the table.
unsafe fn emit(user: *mut c_void, event: impl FnOnce() -> Event) {
    // SAFETY: the caller passes the table's pointer to the leaked `Sink`.
    let sink = unsafe { &*user.cast::<Sink>() };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| sink(event()))) {
        // Do not drop the payload: its destructor could panic into C.
        forget(panic);
    }
}

unsafe extern "C" fn on_message(user: *mut c_void, level: i32, text: sys::nix_ffi_str) {
    let event = || Event::Message {
        level: u8::try_from(level).unwrap_or(0),
        // SAFETY: libnix's line is a view that lives until this callback returns.
        text: unsafe { callback::text(text) },
    };
    // SAFETY: the shim passes the `user` of our table with every message.
    unsafe { emit(user, event) };
}

unsafe extern "C" fn on_error(user: *mut c_void, error: *const sys::nix_ffi_error_view) {
    let event = || Event::Error {
        // SAFETY: the error is a view that lives until this callback returns.
        error: unsafe { copy_error(error) },
    };
    // SAFETY: the shim passes the `user` of our table with every error.
    unsafe { emit(user, event) };
}

unsafe extern "C" fn on_start(
    user: *mut c_void,
    id: u64,
    _level: i32,
    kind: i32,
    text: sys::nix_ffi_str,
    fields: *const sys::nix_ffi_field,
    field_count: usize,
    parent: u64,
) {
    let event = || Event::Start {
        id,
        // SAFETY: the shim passes an array of `field_count` fields that lives until this callback
        // returns.
        activity: activity(kind, &unsafe { Fields::copy(fields, field_count) }),
        // SAFETY: the description is a view that lives until this callback returns.
        text: unsafe { callback::text(text) },
        parent,
    };
    // SAFETY: the shim passes the `user` of our table with every start.
    unsafe { emit(user, event) };
}

unsafe extern "C" fn on_stop(user: *mut c_void, id: u64) {
    // SAFETY: the shim passes the `user` of our table with every stop.
    unsafe { emit(user, || Event::Stop { id }) };
}

unsafe extern "C" fn on_result(
    user: *mut c_void,
    id: u64,
    kind: i32,
    fields: *const sys::nix_ffi_field,
    field_count: usize,
) {
    let event = || Event::Progress {
        id,
        // SAFETY: the result's array has `field_count` fields and lives until this callback
        // returns.
        progress: progress(kind, &unsafe { Fields::copy(fields, field_count) }),
    };
    // SAFETY: the shim passes the `user` of our table with every result.
    unsafe { emit(user, event) };
}

/// Copied fields of an activity or result.
struct Fields(Vec<(u64, String)>);

impl Fields {
    /// # Safety
    ///
    /// `data` must be an array of `length` fields that C passed to a callback that has not returned
    /// yet.
    unsafe fn copy(data: *const sys::nix_ffi_field, length: usize) -> Self {
        // SAFETY: the caller passes an array of `length` fields that is live here.
        let fields = unsafe { callback::slice(data, length) };
        Self(
            fields
                .iter()
                .map(|field| {
                    // SAFETY: the string belongs to a field of that live array.
                    (field.number, unsafe { callback::text(field.text) })
                })
                .collect(),
        )
    }

    fn number(&self, index: usize) -> u64 {
        self.0.get(index).map_or(0, |field| field.0)
    }

    fn text(&self, index: usize) -> String {
        self.0
            .get(index)
            .map_or_else(String::new, |field| field.1.clone())
    }
}

fn activity(kind: i32, fields: &Fields) -> Activity {
    match kind {
        number::COPY_PATH => Activity::CopyPath {
            path: fields.text(0),
            from: fields.text(1),
            to: fields.text(2),
        },
        number::FILE_TRANSFER => Activity::FileTransfer {
            uri: fields.text(0),
        },
        number::REALISE => Activity::Realise,
        number::COPY_PATHS => Activity::CopyPaths,
        number::BUILDS => Activity::Builds,
        number::BUILD => Activity::Build {
            derivation: fields.text(0),
            machine: fields.text(1),
        },
        number::SUBSTITUTE => Activity::Substitute {
            path: fields.text(0),
            from: fields.text(1),
        },
        number::QUERY_PATH_INFO => Activity::QueryPathInfo {
            path: fields.text(0),
            from: fields.text(1),
        },
        number::BUILD_WAITING => Activity::BuildWaiting,
        number::FETCH_TREE => Activity::FetchTree,
        number => Activity::Other { number },
    }
}

fn progress(kind: i32, fields: &Fields) -> Progress {
    match kind {
        number::LOG_LINE | number::POST_HOOK_LINE => Progress::LogLine {
            line: fields.text(0),
        },
        number::SET_PHASE => Progress::Phase {
            phase: fields.text(0),
        },
        number::PROGRESS => Progress::Amount {
            done: fields.number(0),
            expected: fields.number(1),
            running: fields.number(2),
            failed: fields.number(3),
        },
        number::SET_EXPECTED => Progress::Expected {
            what: match i32::try_from(fields.number(0)) {
                Ok(number::COPY_PATH) => ExpectedKind::CopyPath,
                Ok(number::FILE_TRANSFER) => ExpectedKind::FileTransfer,
                Ok(number::BUILD) => ExpectedKind::Build,
                _ => ExpectedKind::Other,
            },
            amount: fields.number(1),
        },
        number => Progress::Other { number },
    }
}
