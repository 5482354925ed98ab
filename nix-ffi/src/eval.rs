//! Values and forcing, with the whole error where forcing fails.

use std::ptr::NonNull;

use nix_bindings_expr::eval_state::EvalState;

use crate::context::{Context, NixError, c_string};
use crate::{callback, sys};

/// The evaluator behind nix-bindings' handle.
pub(crate) fn state_ptr(state: &EvalState) -> *mut sys::EvalState {
    // SAFETY: used only for one call, while `state` is borrowed.
    unsafe { state.raw_ptr() }.cast()
}

/// A value of an evaluator, evaluated or not. Kept from the collector while it lives; neither `Send` nor `Sync`, as only
/// the evaluator's own thread may touch it.
pub struct Value(NonNull<sys::nix_value>);

impl Value {
    /// Takes over a value that the shim returned.
    fn own(raw: *mut sys::nix_value) -> Result<Self, NixError> {
        Self::own_if_any(raw).ok_or_else(|| NixError::ours("no value and no error"))
    }

    fn own_if_any(raw: *mut sys::nix_value) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    /// Takes over the value that a call into the shim returns.
    pub(crate) fn from_call(
        call: impl FnOnce(*mut sys::nix_c_context) -> *mut sys::nix_value,
    ) -> Result<Self, NixError> {
        Self::own(Context::call(call)?)
    }

    /// A string without context.
    pub fn string(state: &EvalState, text: &str) -> Result<Self, NixError> {
        let view = sys::nix_ffi_str {
            data: text.as_ptr().cast(),
            length: text.len(),
        };
        // SAFETY: the evaluator and the text are borrowed for the call.
        Self::from_call(|context| unsafe {
            sys::nix_ffi_value_string(context, state_ptr(state), view)
        })
    }

    /// Forces this, an attribute set, and the attribute called `name`. `Ok(None)`: it has no such attribute.
    pub fn select(&self, state: &EvalState, name: &str) -> Result<Option<Self>, NixError> {
        let c_name = c_string(name)?;
        // SAFETY: evaluator, value and name are borrowed for the call.
        let raw = Context::call(|context| unsafe {
            sys::nix_ffi_select(context, state_ptr(state), self.0.as_ptr(), c_name.as_ptr())
        })?;
        Ok(Self::own_if_any(raw))
    }

    /// Forces this deeply and gives it as JSON text.
    pub fn force_json(&self, state: &EvalState) -> Result<String, NixError> {
        let mut texts: Vec<String> = Vec::new();
        let user: *mut Vec<String> = &raw mut texts;
        // SAFETY: evaluator and value are borrowed for the call; `user` is the Vec that `push_text` expects.
        Context::call(|context| unsafe {
            sys::nix_ffi_force_json(
                context,
                state_ptr(state),
                self.0.as_ptr(),
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
        unsafe { sys::nix_ffi_value_free(self.0.as_ptr()) };
    }
}

/// Applies the function that `text` (an expression of ours, never user data) evaluates to. The application itself is left
/// unevaluated; its errors come when it is forced. Positions in `text` are shown as being in a file called `name`.
pub fn apply(
    state: &EvalState,
    text: &str,
    name: &str,
    arguments: &[&Value],
) -> Result<Value, NixError> {
    let c_text = c_string(text)?;
    let c_name = c_string(name)?;
    let mut raw: Vec<*mut sys::nix_value> = arguments.iter().map(|v| v.0.as_ptr()).collect();
    // SAFETY: all is borrowed for the call; the array is as long as it says.
    Value::from_call(|context| unsafe {
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
