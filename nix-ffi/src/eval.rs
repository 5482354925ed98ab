//! Values and forcing, with the whole error where forcing fails.

use std::ptr::NonNull;

use nix_bindings_expr::eval_state::{EvalState, EvalStateWeak};

use crate::context::{Context, NixError, c_string};
use crate::{callback, sys};

/// The evaluator behind nix-bindings' handle.
pub(crate) fn state_ptr(state: &EvalState) -> *mut sys::EvalState {
    // SAFETY: used only for one call, while `state` is borrowed.
    unsafe { state.raw_ptr() }.cast()
}

/// A value of an evaluator, evaluated or not. Kept from the collector while it lives; neither `Send` nor `Sync`, as only
/// the evaluator's own thread may touch it.
pub struct Value {
    raw: NonNull<sys::nix_value>,
    /// Whose value it is: another evaluator would read its symbols as other names.
    owner: EvalStateWeak,
}

impl Value {
    /// Takes over the value, if any, that a call into the shim returns.
    fn from_call_if_any(
        state: &EvalState,
        call: impl FnOnce(*mut sys::nix_c_context) -> *mut sys::nix_value,
    ) -> Result<Option<Self>, NixError> {
        Ok(NonNull::new(Context::call(call)?).map(|raw| Self {
            raw,
            owner: state.weak_ref(),
        }))
    }

    /// Takes over the value that a call into the shim returns.
    pub(crate) fn from_call(
        state: &EvalState,
        call: impl FnOnce(*mut sys::nix_c_context) -> *mut sys::nix_value,
    ) -> Result<Self, NixError> {
        Self::from_call_if_any(state, call)?.ok_or_else(|| NixError::ours("no value and no error"))
    }

    /// The pointer, for a call with `state`, which must be the evaluator that made the value.
    fn for_call(&self, state: &EvalState) -> Result<*mut sys::nix_value, NixError> {
        match self.owner.upgrade() {
            Some(owner) if state_ptr(&owner) == state_ptr(state) => Ok(self.raw.as_ptr()),
            _ => Err(NixError::ours(
                "a value was used with another evaluator than its own",
            )),
        }
    }

    /// A string without context. Nix has no strings with NUL bytes.
    pub fn string(state: &EvalState, text: &str) -> Result<Self, NixError> {
        let c_text = c_string(text)?;
        // SAFETY: the evaluator and the text are borrowed for the call.
        Self::from_call(state, |context| unsafe {
            sys::nix_ffi_value_string(context, state_ptr(state), c_text.as_ptr())
        })
    }

    /// A store path as a path, which pure evaluation may read from now on.
    pub fn store_path(state: &EvalState, path: &str) -> Result<Self, NixError> {
        let c_path = c_string(path)?;
        // SAFETY: the evaluator and the text are borrowed for the call.
        Self::from_call(state, |context| unsafe {
            sys::nix_ffi_value_store_path(context, state_ptr(state), c_path.as_ptr())
        })
    }

    /// A list of these.
    pub fn list(state: &EvalState, values: &[&Self]) -> Result<Self, NixError> {
        let mut raw = values
            .iter()
            .map(|value| value.for_call(state))
            .collect::<Result<Vec<_>, _>>()?;
        // SAFETY: all is borrowed for the call; the array is as long as it says, and its values are this evaluator's. The
        // list refers to them by itself from then on, where the collector sees it.
        Self::from_call(state, |context| unsafe {
            sys::nix_ffi_value_list(context, state_ptr(state), raw.as_mut_ptr(), raw.len())
        })
    }

    /// Forces this, an attribute set, and the attribute called `name`. `Ok(None)`: it has no such attribute.
    pub fn select(&self, state: &EvalState, name: &str) -> Result<Option<Self>, NixError> {
        let c_name = c_string(name)?;
        let value = self.for_call(state)?;
        // SAFETY: evaluator, value and name are borrowed for the call; the value is this evaluator's.
        Self::from_call_if_any(state, |context| unsafe {
            sys::nix_ffi_select(context, state_ptr(state), value, c_name.as_ptr())
        })
    }

    /// Forces this deeply and gives it as JSON text.
    pub fn force_json(&self, state: &EvalState) -> Result<String, NixError> {
        let mut texts: Vec<String> = Vec::new();
        let user: *mut Vec<String> = &raw mut texts;
        let value = self.for_call(state)?;
        // SAFETY: evaluator and value are borrowed for the call, and belong together; `user` is the Vec that `push_text` expects.
        Context::call(|context| unsafe {
            sys::nix_ffi_force_json(
                context,
                state_ptr(state),
                value,
                Some(callback::push_text),
                user.cast(),
            );
        })?;
        texts
            .pop()
            .ok_or_else(|| NixError::ours("no JSON and no error"))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: owned: every constructor takes over one count of the collector's.
        unsafe { sys::nix_ffi_value_free(self.raw.as_ptr()) };
    }
}

/// Applies the function that `text` (an expression of ours, never user data) evaluates to. The application itself is left
/// unevaluated; its errors come when it is forced. Positions in `text` are without a file; `name`, a relative path, only
/// stands in for one where relative paths in it would start.
pub fn apply(
    state: &EvalState,
    text: &str,
    name: &str,
    arguments: &[&Value],
) -> Result<Value, NixError> {
    let c_text = c_string(text)?;
    let c_name = c_string(name)?;
    let mut raw = arguments
        .iter()
        .map(|value| value.for_call(state))
        .collect::<Result<Vec<_>, _>>()?;
    // SAFETY: all is borrowed for the call; the array is as long as it says, and its values are this evaluator's.
    Value::from_call(state, |context| unsafe {
        sys::nix_ffi_apply(
            context,
            state_ptr(state),
            c_text.as_ptr(),
            c_name.as_ptr(),
            raw.as_mut_ptr(),
            raw.len(),
        )
    })
}

/// Makes Nix 2.32 and newer count evaluation at all. Before the evaluator is built.
pub fn enable_counters() {
    // SAFETY: writes a static flag that evaluators read when they are built.
    unsafe { sys::nix_ffi_counters_enable() }
}

/// Writes the evaluator's counters as JSON to the file that `NIX_SHOW_STATS_PATH` names (libnix has no other way).
pub fn print_counters(state: &EvalState) -> Result<(), NixError> {
    // SAFETY: the evaluator is borrowed for the call.
    Context::call(|context| unsafe { sys::nix_ffi_counters_print(context, state_ptr(state)) })
}
