//! Evaluators and Nix values. Evaluation errors are returned as structured [`NixError`]s.

use std::ptr::NonNull;

use nix_bindings_expr::eval_state::{EvalState, EvalStateWeak};
use nix_types::NixError;

use crate::context::{Context, c_string};
use crate::flake_settings::FlakeSettings;
use crate::store_path::StorePath;
use crate::{callback, sys};

/// An evaluator, which only the thread that built it may use. It is neither `Send` nor `Sync`.
#[doc(alias = "EvalState")]
#[doc(alias = "nix::EvalState")]
pub struct NixEvaluator {
    state: EvalState,
    /// The settings of the flakes that this evaluator locks.
    pub(crate) flakes: FlakeSettings,
    /// Reused by all calls with this evaluator.
    pub(crate) context: Context,
}

impl NixEvaluator {
    pub(crate) fn new(state: EvalState, flakes: FlakeSettings) -> Self {
        Self {
            state,
            flakes,
            context: Context::new(),
        }
    }

    /// Returns the pointer for one call, during which `self` is borrowed.
    pub(crate) fn as_ptr(&self) -> *mut sys::EvalState {
        state_ptr(&self.state)
    }
}

fn state_ptr(state: &EvalState) -> *mut sys::EvalState {
    // SAFETY: reads the pointer from a live handle. The callers use it for one comparison or one
    // call, while they borrow the handle.
    unsafe { state.raw_ptr() }.cast()
}

/// A value of an evaluator, evaluated or not. The collector frees it only after this handle is
/// dropped. It is neither `Send` nor `Sync`, because only the evaluator's own thread may use it.
#[doc(alias = "nix_value")]
#[doc(alias = "nix::Value")]
pub struct NixValue {
    raw: NonNull<sys::nix_value>,
    /// The evaluator that made the value. Another evaluator would map the value's symbols to other
    /// names.
    owner: EvalStateWeak,
}

impl NixValue {
    /// Takes ownership of the value that a call into the shim returns, if any.
    fn from_call_if_any(
        evaluator: &NixEvaluator,
        call: impl FnOnce(*mut sys::nix_c_context) -> *mut sys::nix_value,
    ) -> Result<Option<Self>, NixError> {
        Ok(NonNull::new(evaluator.context.call(call)?).map(|raw| Self {
            raw,
            owner: evaluator.state.weak_ref(),
        }))
    }

    /// Takes ownership of the value that a call into the shim returns.
    pub(crate) fn from_call(
        evaluator: &NixEvaluator,
        call: impl FnOnce(*mut sys::nix_c_context) -> *mut sys::nix_value,
    ) -> Result<Self, NixError> {
        Self::from_call_if_any(evaluator, call)?
            .ok_or_else(|| NixError::ours("libnix returned neither a value nor an error"))
    }

    /// Returns the pointer for a call with `evaluator`, which must be the evaluator that made the
    /// value.
    fn for_call(&self, evaluator: &NixEvaluator) -> Result<*mut sys::nix_value, NixError> {
        match self.owner.upgrade() {
            Some(owner) if state_ptr(&owner) == evaluator.as_ptr() => Ok(self.raw.as_ptr()),
            _ => Err(NixError::ours(
                "a value was used with an evaluator other than its own",
            )),
        }
    }

    /// Creates a string without context. Nix has no strings with NUL bytes.
    #[doc(alias = "nix_init_string")]
    pub fn string(evaluator: &NixEvaluator, text: &str) -> Result<Self, NixError> {
        let c_text = c_string(text)?;
        // SAFETY: evaluator and C string are borrowed until the call returns, and the shim copies
        // the string.
        Self::from_call(evaluator, |context| unsafe {
            sys::nix_ffi_value_string(context, evaluator.as_ptr(), c_text.as_ptr())
        })
    }

    /// Creates a path value from a store path, which pure evaluation may read from now on.
    #[doc(alias = "nix::EvalState::allowPath")]
    #[doc(alias = "nix::Value::mkPath")]
    pub fn store_path(evaluator: &NixEvaluator, path: &StorePath) -> Result<Self, NixError> {
        let c_path = c_string(path.as_str())?;
        // SAFETY: evaluator and C string are borrowed until the call returns, and the shim copies
        // the path.
        Self::from_call(evaluator, |context| unsafe {
            sys::nix_ffi_value_store_path(context, evaluator.as_ptr(), c_path.as_ptr())
        })
    }

    /// Creates a list of these values.
    #[doc(alias = "nix::EvalState::buildList")]
    #[doc(alias = "nix::Value::mkList")]
    pub fn list(evaluator: &NixEvaluator, values: &[&Self]) -> Result<Self, NixError> {
        let mut raw = values
            .iter()
            .map(|value| value.for_call(evaluator))
            .collect::<Result<Vec<_>, _>>()?;
        // SAFETY: everything is borrowed for the call; `raw` has `raw.len()` elements, all values
        // of this evaluator. The list keeps its own references to the values, in memory that the
        // collector scans.
        Self::from_call(evaluator, |context| unsafe {
            sys::nix_ffi_value_list(context, evaluator.as_ptr(), raw.as_mut_ptr(), raw.len())
        })
    }

    /// Forces this value, which must be an attribute set, and returns its attribute `name`, also
    /// forced. Returns `None` if it has no such attribute.
    #[doc(alias = "nix::EvalState::forceAttrs")]
    #[doc(alias = "nix_get_attr_byname")]
    pub fn select(&self, evaluator: &NixEvaluator, name: &str) -> Result<Option<Self>, NixError> {
        let c_name = c_string(name)?;
        let value = self.for_call(evaluator)?;
        // SAFETY: evaluator, value and name are borrowed for the call, and `for_call` checked that
        // they belong together.
        Self::from_call_if_any(evaluator, |context| unsafe {
            sys::nix_ffi_select(context, evaluator.as_ptr(), value, c_name.as_ptr())
        })
    }

    /// Forces this value deeply and converts it to JSON text.
    #[doc(alias = "nix::printValueAsJSON")]
    pub fn force_json(&self, evaluator: &NixEvaluator) -> Result<String, NixError> {
        let mut texts: Vec<String> = Vec::new();
        let user: *mut Vec<String> = &raw mut texts;
        let value = self.for_call(evaluator)?;
        // SAFETY: evaluator and value are borrowed for the call and belong together; `user` is the
        // Vec of `push_text`.
        evaluator.context.call(|context| unsafe {
            sys::nix_ffi_force_json(
                context,
                evaluator.as_ptr(),
                value,
                Some(callback::push_text),
                user.cast(),
            );
        })?;
        texts
            .pop()
            .ok_or_else(|| NixError::ours("libnix returned neither JSON nor an error"))
    }
}

impl Drop for NixValue {
    fn drop(&mut self) {
        // SAFETY: every constructor takes ownership of one reference, which is released only here.
        unsafe { sys::nix_ffi_value_free(self.raw.as_ptr()) };
    }
}

/// Evaluates the function in `text`, and applies it lazily to the arguments. Errors of the
/// application are reported when the result is forced.
///
/// `text` is either one of our expressions or a complete expression from the user, never a mixture
/// of both. Positions in `text` have no file. `name` is a relative path that is used only as the
/// base of relative paths in `text`.
#[doc(alias = "nix::EvalState::parseExprFromString")]
#[doc(alias = "nix::EvalState::eval")]
#[doc(alias = "nix::Value::mkApp")]
pub fn apply(
    evaluator: &NixEvaluator,
    text: &str,
    name: &str,
    arguments: &[&NixValue],
) -> Result<NixValue, NixError> {
    let c_text = c_string(text)?;
    let c_name = c_string(name)?;
    let mut raw = arguments
        .iter()
        .map(|value| value.for_call(evaluator))
        .collect::<Result<Vec<_>, _>>()?;
    // SAFETY: everything is borrowed for the call; `raw` has `raw.len()` elements, which `for_call`
    // checked.
    NixValue::from_call(evaluator, |context| unsafe {
        sys::nix_ffi_apply(
            context,
            evaluator.as_ptr(),
            c_text.as_ptr(),
            c_name.as_ptr(),
            raw.as_mut_ptr(),
            raw.len(),
        )
    })
}

/// Enables the counters, which Nix 2.32 and newer disable by default. Call it before the evaluator
/// is built.
#[doc(alias = "nix::Counter::enabled")]
pub fn enable_counters() {
    // SAFETY: writes a static flag that evaluators read only while they are built.
    unsafe { sys::nix_ffi_counters_enable() }
}

/// Writes the evaluator's counters as JSON to the file that `NIX_SHOW_STATS_PATH` names. libnix
/// offers no other way to read them.
#[doc(alias = "nix::EvalState::printStatistics")]
pub fn print_counters(evaluator: &NixEvaluator) -> Result<(), NixError> {
    // SAFETY: the evaluator is borrowed for the call, which only reads its counters.
    evaluator
        .context
        .call(|context| unsafe { sys::nix_ffi_counters_print(context, evaluator.as_ptr()) })
}
