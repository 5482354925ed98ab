//! Nix settings of the process.

use std::ptr::null_mut;

use nix_types::NixError;

use crate::context::{PROCESS, c_string};
use crate::{callback, sys};

/// Sets a Nix setting of the process. Returns `false` if the process has no such setting: those of
/// evaluation and of flakes belong to an evaluator
/// ([`EvaluatorBuilder::set_setting`](crate::EvaluatorBuilder::set_setting)).
#[doc(alias = "nix::GlobalConfig::set")]
pub fn set_setting(name: &str, value: &str) -> Result<bool, NixError> {
    let c_name = c_string(name)?;
    let c_value = c_string(value)?;
    // SAFETY: the shim copies both C strings; it allows null for the builder and for the flake
    // settings.
    PROCESS.call(|context| unsafe {
        sys::nix_ffi_setting_set(
            context,
            null_mut(),
            null_mut(),
            c_name.as_ptr(),
            c_value.as_ptr(),
        )
    })
}

/// Makes evaluation compute store paths without writing them. This affects all evaluators of the
/// process that are prepared afterwards.
#[doc(alias = "nix::Settings::readOnlyMode")]
pub fn set_read_only() {
    // SAFETY: writes a flag of the process before any evaluator or other thread reads it.
    unsafe { sys::nix_ffi_read_only() }
}

/// Returns the value of a setting of the process; `None` if there is no such setting.
#[doc(alias = "nix::GlobalConfig::getSettings")]
pub fn get_setting(name: &str) -> Result<Option<String>, NixError> {
    let c_name = c_string(name)?;
    let mut texts: Vec<String> = Vec::new();
    let user: *mut Vec<String> = &raw mut texts;
    // SAFETY: the name lives until the shim has looked it up; `user` is the Vec of `push_text`,
    // which the shim calls at most once.
    PROCESS.call(|context| unsafe {
        sys::nix_ffi_setting_get(
            context,
            c_name.as_ptr(),
            Some(callback::push_text),
            user.cast(),
        );
    })?;
    Ok(texts.pop())
}
