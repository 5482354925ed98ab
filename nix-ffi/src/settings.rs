//! Nix settings of the process, of an evaluator's builder, and of flakes.

use std::ptr::{NonNull, null_mut};

use nix_bindings_expr::eval_state::EvalStateBuilder;
use nix_types::NixError;

use crate::context::{Context, c_string};
use crate::{callback, sys};

/// The flake settings. Evaluators keep references to them, so they are never freed.
#[derive(Clone, Copy)]
pub struct FlakeSettings(NonNull<sys::nix_ffi_flake_settings>);

impl FlakeSettings {
    /// Loads the settings from `nix.conf` and the environment. Each call allocates new settings.
    pub fn load() -> Result<Self, NixError> {
        // SAFETY: the context is live; the result is leaked on purpose, so it never dangles.
        let raw = Context::call(|context| unsafe { sys::nix_ffi_flake_settings_new(context) })?;
        NonNull::new(raw)
            .map(Self)
            .ok_or_else(|| NixError::ours("libnix returned neither flake settings nor an error"))
    }

    /// Adds the builtins for flakes, such as `builtins.getFlake`, to the evaluator that `builder`
    /// will build.
    pub fn register(self, builder: &EvalStateBuilder) -> Result<(), NixError> {
        // SAFETY: context and builder live for the call; the settings outlive the evaluator,
        // because they are never freed.
        Context::call(|context| unsafe {
            sys::nix_ffi_flake_settings_register(context, self.as_ptr(), builder.raw_ptr().cast());
        })
    }

    pub(crate) fn as_ptr(self) -> *mut sys::nix_ffi_flake_settings {
        self.0.as_ptr()
    }
}

/// Loads `nix.conf` and `NIX_CONFIG` into a builder. Later settings override the loaded ones.
/// Disable nix-bindings' own loading with `load_ambient_settings(false)`, because it would come
/// last and override them.
pub fn load_builder(builder: &EvalStateBuilder) -> Result<(), NixError> {
    // SAFETY: context and builder live for the call.
    Context::call(|context| unsafe {
        sys::nix_eval_state_builder_load(context, builder.raw_ptr().cast())
    })
    .map(drop)
}

/// Sets a Nix setting wherever it exists: in the process, in the builder and in the flake settings.
/// Returns `false` if there is no such setting.
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
    // SAFETY: both C strings are live; builder and flake settings are live too, or null, which the
    // shim allows.
    Context::call(|context| unsafe {
        sys::nix_ffi_setting_set(context, builder, flakes, c_name.as_ptr(), c_value.as_ptr())
    })
}

/// Makes evaluation compute store paths without writing them. This affects all evaluators of the
/// process that are prepared afterwards.
pub fn set_read_only() {
    // SAFETY: writes a flag of the process before any evaluator or other thread reads it.
    unsafe { sys::nix_ffi_read_only() }
}

/// Returns the sorted names and values of all settings in effect: those of the process, of the
/// builder and of flakes.
pub fn list_settings(
    builder: &EvalStateBuilder,
    flakes: FlakeSettings,
) -> Result<Vec<(String, String)>, NixError> {
    let mut texts: Vec<String> = Vec::new();
    let user: *mut Vec<String> = &raw mut texts;
    // SAFETY: builder and settings live for the call; `user` is the Vec of `push_text`, and
    // outlives the call.
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

/// Returns the value of a setting of the process; `None` if there is no such setting.
pub fn get_setting(name: &str) -> Result<Option<String>, NixError> {
    let c_name = c_string(name)?;
    let mut texts: Vec<String> = Vec::new();
    let user: *mut Vec<String> = &raw mut texts;
    // SAFETY: the C string lives for the call; `user` is the Vec of `push_text`, and outlives the
    // call.
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
