//! Locked flakes: their data and their outputs.

use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::NonNull;

use nix_types::NixError;

use crate::context::{Context, c_string, path_string};
use crate::eval::{NixEvaluator, NixValue};
use crate::store_path::{InvalidStorePath, StorePath};
use crate::{callback, sys};

/// The flake to lock, and the options for locking it.
#[derive(Clone, Debug)]
#[doc(alias = "nix::flake::LockFlags")]
pub struct LockRequest<'a> {
    /// The flake reference as the user wrote it.
    pub reference: &'a str,
    /// The absolute directory from which a relative reference is resolved.
    pub base_directory: &'a Path,
    /// Overridden inputs: the name (`nixpkgs`, or `a/b` for input `b` of input `a`) and the new
    /// reference.
    pub input_overrides: &'a [(String, String)],
    /// The text of a lock file to use instead of the flake's own. It is used unchanged, and nothing
    /// is locked again.
    pub lock: Option<&'a str>,
    /// Whether inputs whose references have neither a revision nor a hash may be added to the lock.
    pub allow_unlocked: bool,
    /// Whether registries may resolve references such as `nixpkgs`.
    pub use_registries: bool,
}

/// The data of a locked flake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(alias = "nix::flake::LockedFlake")]
pub struct LockedFlake {
    /// The original reference.
    pub original_url: String,
    /// The reference after resolving registries.
    pub resolved_url: String,
    /// The locked reference, with its revision and hash, if it has them.
    pub locked_url: String,
    /// The attributes of the locked reference (`rev`, `narHash`, `lastModified`, `dirtyRev` …) as a
    /// JSON object.
    pub attributes: String,
    /// The store path of the source tree; `None` only in the default value, which describes no
    /// flake.
    pub source: Option<StorePath>,
    /// The folder of `flake.nix` in the tree; empty for the root of the tree.
    pub directory: String,
    /// The description; empty if the flake has none.
    pub description: String,
    /// The lock in use, as JSON.
    pub lock: String,
    /// The content of `flake.lock`; empty if the file does not exist.
    pub lock_file: String,
    /// Whether the lock was changed in memory: `flake.lock` is missing or stale, or an input is
    /// overridden.
    pub lock_changed: bool,
    /// A base-16 SHA-256 hash that identifies everything that pure evaluation can read; `None` if
    /// Nix has no fingerprint.
    pub fingerprint: Option<String>,
    /// The fragment after `#` in the reference; empty if there is none.
    pub fragment: String,
    /// The fetched inputs at any depth, except inputs that follow others, or that are part of the
    /// tree of the flake or of another input.
    pub inputs: Vec<LockedInput>,
    /// The flake references that replace inputs, made absolute, in the order of the request.
    pub input_overrides: Vec<String>,
    /// The names of the settings in the flake's `nixConfig`.
    pub config_names: Vec<String>,
}

/// A fetched input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "nix::flake::LockedNode")]
pub struct LockedInput {
    /// The path from the flake's inputs to this input: `a`, or `a/b` for input `b` of input `a`.
    pub name: String,
    /// The attributes of the input's locked reference, as a JSON object.
    pub attributes: String,
    /// The store path of the source tree.
    pub source: StorePath,
    /// The referenced folder in the tree; empty for the root of the tree.
    pub directory: String,
}

/// A flake with its locked inputs, in the evaluator that locked it.
#[doc(alias = "nix_locked_flake")]
pub struct Locked {
    raw: NonNull<sys::nix_ffi_locked>,
    /// Reused by the calls that need no evaluator.
    context: Context,
    /// Keeps the flake on the evaluator's thread: it is neither `Send` nor `Sync`.
    _thread: PhantomData<*const ()>,
}

impl Locked {
    /// Fetches a flake and locks its inputs. Writes to the store and to Nix's caches, but not to
    /// `flake.lock`.
    #[doc(alias = "nix::flake::lockFlake")]
    #[doc(alias = "nix::flake::getFlake")]
    #[doc(alias = "nix::parseFlakeRefWithFragment")]
    pub fn lock(evaluator: &NixEvaluator, request: &LockRequest<'_>) -> Result<Self, NixError> {
        // With an empty base, libnix would resolve a relative reference from `/` and copy the whole
        // file system.
        if !request.base_directory.is_absolute() {
            return Err(NixError::ours(format!(
                "the base directory of a flake reference is not absolute: '{}'",
                request.base_directory.display()
            )));
        }
        let reference = c_string(request.reference)?;
        let base = path_string(request.base_directory)?;
        let names = c_strings(request.input_overrides.iter().map(|(name, _)| name))?;
        let references = c_strings(request.input_overrides.iter().map(|(_, url)| url))?;
        let name_pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let reference_pointers: Vec<_> = references.iter().map(|url| url.as_ptr()).collect();
        let lock = request.lock.map(c_string).transpose()?;
        let raw_request = sys::nix_ffi_lock_request {
            reference: reference.as_ptr(),
            base_directory: base.as_ptr(),
            override_names: name_pointers.as_ptr(),
            override_references: reference_pointers.as_ptr(),
            override_count: name_pointers.len(),
            lock: lock.as_ref().map_or(std::ptr::null(), |lock| lock.as_ptr()),
            allow_unlocked: request.allow_unlocked,
            use_registries: request.use_registries,
        };
        // SAFETY: the evaluator is borrowed, and owns its flake settings; the strings of the request
        // live until this function returns; both arrays have `override_count` elements.
        let raw = evaluator.context.call(|context| unsafe {
            sys::nix_ffi_lock(
                context,
                evaluator.as_ptr(),
                evaluator.flakes.as_ptr(),
                &raw const raw_request,
            )
        })?;
        Ok(Self {
            raw: NonNull::new(raw).ok_or_else(|| {
                NixError::ours("libnix returned neither a locked flake nor an error")
            })?,
            context: Context::new(),
            _thread: PhantomData,
        })
    }

    /// Returns the data of the locked flake. Afterwards its source is in the store.
    #[doc(alias = "nix::flake::LockedFlake")]
    #[doc(alias = "nix::flake::LockedFlake::getFingerprint")]
    pub fn read(&self, evaluator: &NixEvaluator) -> Result<LockedFlake, NixError> {
        let mut result: Option<LockedResult> = None;
        let user: *mut Option<LockedResult> = &raw mut result;
        // SAFETY: evaluator and flake are borrowed for the call; `user` is the
        // `Option<LockedResult>` of `keep_locked`, and outlives the call.
        evaluator.context.call(|context| unsafe {
            sys::nix_ffi_locked_read(
                context,
                evaluator.as_ptr(),
                self.raw.as_ptr(),
                Some(keep_locked),
                user.cast(),
            );
        })?;
        let result = result.ok_or_else(|| {
            NixError::ours("libnix returned neither the data of a locked flake nor an error")
        })?;
        Ok(result?)
    }

    /// Adds a string attribute that a flake reference cannot contain, such as `dirtyRev`, to the
    /// locked reference. The flake sees it as an attribute of `self`.
    #[doc(alias = "nix::fetchers::Input::attrs")]
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), NixError> {
        let c_name = c_string(name)?;
        let c_value = c_string(value)?;
        // SAFETY: both C strings live for the call, and `&mut self` excludes other users of the
        // flake.
        self.context.call(|context| unsafe {
            sys::nix_ffi_locked_set(
                context,
                self.raw.as_ptr(),
                c_name.as_ptr(),
                c_value.as_ptr(),
            );
        })
    }

    /// Adds string attributes to the locked reference, like [`Self::set`].
    #[doc(alias = "nix::fetchers::Input::attrs")]
    pub fn extend(&mut self, attributes: &[(String, String)]) -> Result<(), NixError> {
        attributes
            .iter()
            .try_for_each(|(name, value)| self.set(name, value))
    }

    /// Returns the root of the flake's source tree as a path value, like the flake's own paths.
    #[doc(alias = "nix::flake::Flake::path")]
    pub fn source(&self, evaluator: &NixEvaluator) -> Result<NixValue, NixError> {
        // SAFETY: evaluator and flake are borrowed for the call; the returned path is an
        // independent value.
        NixValue::from_call(evaluator, |context| unsafe {
            sys::nix_ffi_source(context, evaluator.as_ptr(), self.raw.as_ptr())
        })
    }

    /// Returns the flake's outputs, like `builtins.getFlake`.
    #[doc(alias = "nix::flake::callFlake")]
    pub fn outputs(&self, evaluator: &NixEvaluator) -> Result<NixValue, NixError> {
        // SAFETY: evaluator and flake are borrowed for the call; the outputs do not refer to the
        // flake's C++ object.
        NixValue::from_call(evaluator, |context| unsafe {
            sys::nix_ffi_outputs(context, evaluator.as_ptr(), self.raw.as_ptr())
        })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: only this value refers to the object: the outputs are values of the evaluator.
        unsafe { sys::nix_ffi_locked_free(self.raw.as_ptr()) };
    }
}

fn c_strings<'a>(texts: impl Iterator<Item = &'a String>) -> Result<Vec<CString>, NixError> {
    texts.map(|text| c_string(text)).collect()
}

/// The data of a flake, unless libnix passed an invalid store path.
type LockedResult = Result<LockedFlake, InvalidStorePath>;

unsafe extern "C" fn keep_locked(user: *mut c_void, view: *const sys::nix_ffi_locked_view) {
    callback::run(|| {
        // SAFETY: `Locked::read` passes a pointer to its `Option<LockedResult>`, which outlives the
        // call.
        let result = unsafe { &mut *user.cast::<Option<LockedResult>>() };
        // SAFETY: the shim passes a view of one flake that lives until this callback returns.
        *result = Some(unsafe { copy_locked(view) });
    });
}

/// Copies the data of a flake from C.
///
/// # Safety
///
/// `view` must be a view that C passed to a callback that has not returned yet.
unsafe fn copy_locked(view: *const sys::nix_ffi_locked_view) -> LockedResult {
    // SAFETY: the caller passes a view that is live while this function runs, and that the shim
    // does not modify meanwhile.
    let view = unsafe { &*view };
    let text = |text| {
        // SAFETY: every string comes from the live view or from its array of inputs.
        unsafe { callback::text(text) }
    };
    // SAFETY: while the view is alive, `inputs` points to `input_count` elements.
    let inputs = unsafe { callback::slice(view.inputs, view.input_count) };
    let copy_input = |input: &sys::nix_ffi_locked_input| {
        Ok(LockedInput {
            name: text(input.name),
            attributes: text(input.attributes),
            source: StorePath::parse(&text(input.source))?,
            directory: text(input.directory),
        })
    };
    Ok(LockedFlake {
        original_url: text(view.original_url),
        resolved_url: text(view.resolved_url),
        locked_url: text(view.locked_url),
        attributes: text(view.attributes),
        source: Some(StorePath::parse(&text(view.source))?),
        directory: text(view.directory),
        description: text(view.description),
        lock: text(view.lock),
        lock_file: text(view.lock_file),
        lock_changed: view.lock_changed,
        fingerprint: Some(text(view.fingerprint)).filter(|print| !print.is_empty()),
        fragment: text(view.fragment),
        inputs: inputs.iter().map(copy_input).collect::<Result<_, _>>()?,
        // SAFETY: while the view is alive, `override_urls` points to `override_count` strings.
        input_overrides: unsafe { callback::texts(view.override_urls, view.override_count) },
        config_names: text(view.config_names).lines().map(String::from).collect(),
    })
}
