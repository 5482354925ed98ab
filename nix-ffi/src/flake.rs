//! Flakes: locking, what was locked, and its outputs.

use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::NonNull;

use nix_bindings_expr::eval_state::EvalState;

use crate::context::{Context, NixError, c_string, path_string};
use crate::eval::{Value, state_ptr};
use crate::settings::FlakeSettings;
use crate::{callback, sys};

/// What to lock, and how.
#[derive(Clone, Debug)]
pub struct LockRequest<'a> {
    /// The flake reference, as the user wrote it.
    pub reference: &'a str,
    /// What a relative path in it is relative to; absolute.
    pub base_directory: &'a Path,
    /// Inputs to lock to another reference: name (`nixpkgs`, or `a/b` for an input's input) and reference.
    pub overrides: &'a [(String, String)],
    /// The text of a lock file to use as it is, in place of the flake's own; nothing is locked again then.
    pub lock: Option<&'a str>,
    /// Whether an input may be locked to what has neither revision nor hash.
    pub allow_unlocked: bool,
    /// Whether registries may resolve references such as `nixpkgs`.
    pub use_registries: bool,
}

/// A locked flake, told in data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedFlake {
    /// The reference as it was given.
    pub original_url: String,
    /// The same after registries.
    pub resolved_url: String,
    /// The same with revision and hash, as far as there are any.
    pub locked_url: String,
    /// Attributes of the locked reference (`rev`, `narHash`, `lastModified`, `dirtyRev` …), a JSON object.
    pub attributes: String,
    /// Store path of the source tree.
    pub source: String,
    /// Folder of `flake.nix` in it; empty for its top.
    pub directory: String,
    /// The flake's description; empty if it has none.
    pub description: String,
    /// The lock as it is used, JSON.
    pub lock: String,
    /// The text of `flake.lock`; empty if there is none.
    pub lock_file: String,
    /// Whether the lock had to be changed in memory: `flake.lock` is missing, stale, or an input is overridden.
    pub lock_changed: bool,
    /// What identifies everything that evaluation can read, as base-16 SHA-256; `None` where Nix knows none.
    pub fingerprint: Option<String>,
    /// What stood behind a `#` in the reference; empty where nothing did.
    pub fragment: String,
    /// Inputs that were fetched, at any depth, without those that follow others or are part of another's tree.
    pub inputs: Vec<LockedInput>,
    /// What the overrides of the request came to as whole references, in its order.
    pub overrides: Vec<String>,
    /// Names of the settings in the flake's `nixConfig`.
    pub config_names: Vec<String>,
}

/// An input that was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedInput {
    /// How it is named from the flake: `a`, or `a/b` for an input's input.
    pub name: String,
    /// Attributes of its locked reference, a JSON object.
    pub attributes: String,
    /// Store path of its tree.
    pub source: String,
    /// The folder in the tree that is meant; empty for its top.
    pub directory: String,
}

/// A flake and its locked inputs, inside the evaluator that locked it.
pub struct Locked {
    raw: NonNull<sys::nix_ffi_locked>,
    /// Bound to the evaluator's thread.
    _thread: PhantomData<*const ()>,
}

impl Locked {
    /// Fetches a flake and locks its inputs; nothing is written but the store.
    pub fn lock(
        state: &EvalState,
        flakes: FlakeSettings,
        request: &LockRequest<'_>,
    ) -> Result<Self, NixError> {
        let reference = c_string(request.reference)?;
        let base = path_string(request.base_directory)?;
        let names = c_strings(request.overrides.iter().map(|(name, _)| name))?;
        let references = c_strings(request.overrides.iter().map(|(_, url)| url))?;
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
        // SAFETY: evaluator, settings and request live for the call; the arrays are as long as they say.
        let raw = Context::call(|context| unsafe {
            sys::nix_ffi_lock(
                context,
                state_ptr(state),
                flakes.as_ptr(),
                &raw const raw_request,
            )
        })?;
        Ok(Self {
            raw: NonNull::new(raw).ok_or_else(|| NixError::ours("no locked flake and no error"))?,
            _thread: PhantomData,
        })
    }

    /// Tells what was locked. The source is in the store afterwards.
    pub fn read(&self, state: &EvalState) -> Result<LockedFlake, NixError> {
        let mut told = LockedFlake::default();
        let user: *mut LockedFlake = &raw mut told;
        // SAFETY: evaluator and flake live for the call; `user` is what `keep_locked` expects, and outlives it.
        Context::call(|context| unsafe {
            sys::nix_ffi_locked_read(
                context,
                state_ptr(state),
                self.raw.as_ptr(),
                Some(keep_locked),
                user.cast(),
            );
        })?;
        Ok(told)
    }

    /// Adds a text attribute to the locked reference, to be seen by the flake as an attribute of `self`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), NixError> {
        let c_name = c_string(name)?;
        let c_value = c_string(value)?;
        // SAFETY: all live for the call, and `self` is borrowed for change.
        Context::call(|context| unsafe {
            sys::nix_ffi_locked_set(
                context,
                self.raw.as_ptr(),
                c_name.as_ptr(),
                c_value.as_ptr(),
            );
        })
    }

    /// The top of the flake's source tree as a path value, as the flake's own paths are.
    pub fn source(&self, state: &EvalState) -> Result<Value, NixError> {
        // SAFETY: evaluator and flake live for the call.
        Value::from_call(state, |context| unsafe {
            sys::nix_ffi_source(context, state_ptr(state), self.raw.as_ptr())
        })
    }

    /// The flake's outputs, as `builtins.getFlake` gives them.
    pub fn outputs(&self, state: &EvalState) -> Result<Value, NixError> {
        // SAFETY: evaluator and flake live for the call.
        Value::from_call(state, |context| unsafe {
            sys::nix_ffi_outputs(context, state_ptr(state), self.raw.as_ptr())
        })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: owned, and nothing else refers to it: the outputs are values of the evaluator's own.
        unsafe { sys::nix_ffi_locked_free(self.raw.as_ptr()) };
    }
}

fn c_strings<'a>(texts: impl Iterator<Item = &'a String>) -> Result<Vec<CString>, NixError> {
    texts.map(|text| c_string(text)).collect()
}

unsafe extern "C" fn keep_locked(user: *mut c_void, view: *const sys::nix_ffi_locked_view) {
    callback::run(|| {
        // SAFETY: `Locked::read` passes its `LockedFlake`, which outlives the call.
        let told = unsafe { &mut *user.cast::<LockedFlake>() };
        // SAFETY: the shim passes a view that lives until this callback returns.
        let view = unsafe { &*view };
        let text = |text| {
            // SAFETY: a text of the live view.
            unsafe { callback::text(text) }
        };
        *told = LockedFlake {
            original_url: text(view.original_url),
            resolved_url: text(view.resolved_url),
            locked_url: text(view.locked_url),
            attributes: text(view.attributes),
            source: text(view.source),
            directory: text(view.directory),
            description: text(view.description),
            lock: text(view.lock),
            lock_file: text(view.lock_file),
            lock_changed: view.lock_changed,
            fingerprint: Some(text(view.fingerprint)).filter(|print| !print.is_empty()),
            fragment: text(view.fragment),
            inputs: {
                // SAFETY: an array of the live view, as long as it says.
                let inputs = unsafe { callback::slice(view.inputs, view.input_count) };
                let told = |input: &sys::nix_ffi_locked_input| LockedInput {
                    name: text(input.name),
                    attributes: text(input.attributes),
                    source: text(input.source),
                    directory: text(input.directory),
                };
                inputs.iter().map(told).collect()
            },
            // SAFETY: an array of the live view, as long as it says.
            overrides: unsafe { callback::texts(view.override_urls, view.override_count) },
            config_names: text(view.config_names).lines().map(String::from).collect(),
        };
    });
}
