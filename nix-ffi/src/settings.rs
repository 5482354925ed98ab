//! Nix settings, wherever they live: in the process, in an evaluator's builder, in the flake settings.

use std::ptr::{NonNull, null_mut};

use nix_bindings_expr::eval_state::EvalStateBuilder;

use crate::context::{Context, NixError, c_string};
use crate::{callback, sys};

/// The settings of flakes. Evaluators keep references into them, so they are never freed.
#[derive(Clone, Copy)]
pub struct FlakeSettings(NonNull<sys::nix_ffi_flake_settings>);

impl FlakeSettings {
    /// Reads them from `nix.conf` and the environment. Once in a process.
    pub fn load() -> Result<Self, NixError> {
        // SAFETY: the context is live; the result is never freed, on purpose.
        let raw = Context::call(|context| unsafe { sys::nix_ffi_flake_settings_new(context) })?;
        NonNull::new(raw)
            .map(Self)
            .ok_or_else(|| NixError::ours("no flake settings and no error"))
    }

    /// Gives the evaluator that `builder` will build `builtins.getFlake`.
    pub fn register(self, builder: &EvalStateBuilder) -> Result<(), NixError> {
        // SAFETY: all three live; the settings outlive the evaluator, as they are never freed.
        Context::call(|context| unsafe {
            sys::nix_ffi_flake_settings_register(context, self.as_ptr(), builder.raw_ptr().cast());
        })
    }

    pub(crate) fn as_ptr(self) -> *mut sys::nix_ffi_flake_settings {
        self.0.as_ptr()
    }
}

/// Loads `nix.conf` and `NIX_CONFIG` into a builder. What is set afterwards wins (nix-bindings' own loading comes last,
/// so it must be switched off: `load_ambient_settings(false)`).
pub fn load_builder(builder: &EvalStateBuilder) -> Result<(), NixError> {
    // SAFETY: both live for the call.
    Context::call(|context| unsafe {
        sys::nix_eval_state_builder_load(context, builder.raw_ptr().cast())
    })
    .map(drop)
}

/// Sets a Nix setting wherever it lives. `Ok(false)`: there is no such setting.
pub fn set_setting(
    evaluation: Option<(&EvalStateBuilder, FlakeSettings)>,
    name: &str,
    value: &str,
) -> Result<bool, NixError> {
    let c_name = c_string(name)?;
    let c_value = c_string(value)?;
    let (builder, flakes) = match evaluation {
        Some((builder, flakes)) => (builder.raw_ptr().cast(), flakes.as_ptr()),
        None => (null_mut(), null_mut()),
    };
    // SAFETY: all pointers are live or null, which is allowed for the builder and the flake settings.
    Context::call(|context| unsafe {
        sys::nix_ffi_setting_set(context, builder, flakes, c_name.as_ptr(), c_value.as_ptr())
    })
}

/// Makes evaluation write nothing into the store: what it would write is only computed. For the evaluators that are
/// prepared from now on, in all of this process.
pub fn set_read_only() {
    // SAFETY: writes a flag of the process, before any evaluator or other thread reads it.
    unsafe { sys::nix_ffi_read_only() }
}

/// Every setting as it is in force, of the process and of the evaluators that `builder` makes: names and values, sorted.
pub fn list_settings(
    builder: &EvalStateBuilder,
    flakes: FlakeSettings,
) -> Result<Vec<(String, String)>, NixError> {
    let mut texts: Vec<String> = Vec::new();
    let user: *mut Vec<String> = &raw mut texts;
    // SAFETY: builder and settings live for the call; `user` is the Vec that `push_text` expects, and outlives it.
    Context::call(|context| unsafe {
        sys::nix_ffi_settings_list(
            context,
            builder.raw_ptr().cast(),
            flakes.as_ptr(),
            Some(callback::push_text),
            user.cast(),
        );
    })?;
    let mut texts = texts.into_iter();
    let mut settings = Vec::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        settings.push((name, value));
    }
    settings.sort();
    settings.dedup();
    Ok(settings)
}

/// The value of a setting of the process; `None` where there is no such setting.
pub fn get_setting(name: &str) -> Result<Option<String>, NixError> {
    let c_name = c_string(name)?;
    let mut texts: Vec<String> = Vec::new();
    let user: *mut Vec<String> = &raw mut texts;
    // SAFETY: `user` is the Vec that `push_text` expects, and outlives the call.
    Context::call(|context| unsafe {
        sys::nix_ffi_setting_get(
            context,
            c_name.as_ptr(),
            Some(callback::push_text),
            user.cast(),
        );
    })?;
    Ok(texts.pop())
}
