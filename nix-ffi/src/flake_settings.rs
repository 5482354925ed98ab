//! The settings of flakes.

use std::ptr::NonNull;

use nix_types::NixError;

use crate::context::Context;
use crate::sys;

/// The flake settings. Evaluators keep references to them, so they are never freed.
#[derive(Clone, Copy)]
pub(crate) struct FlakeSettings(NonNull<sys::nix_ffi_flake_settings>);

impl FlakeSettings {
    /// Loads the settings from `nix.conf` and the environment. Each call allocates new settings.
    pub(crate) fn load(context: &Context) -> Result<Self, NixError> {
        // SAFETY: the context is the only argument; the new settings are leaked on purpose, so the
        // pointer never dangles.
        let raw = context.call(|context| unsafe { sys::nix_ffi_flake_settings_new(context) })?;
        NonNull::new(raw)
            .map(Self)
            .ok_or_else(|| NixError::ours("libnix returned neither flake settings nor an error"))
    }

    pub(crate) fn as_ptr(self) -> *mut sys::nix_ffi_flake_settings {
        self.0.as_ptr()
    }
}
