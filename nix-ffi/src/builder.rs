//! The builder of an evaluator, with the settings of evaluation and of flakes.

use std::mem::forget;

use anyhow::Context as _;
use nix_bindings_expr::eval_state::EvalStateBuilder;
use nix_types::NixError;

use crate::context::{Context, c_string};
use crate::eval::NixEvaluator;
use crate::flake_settings::FlakeSettings;
use crate::store::NixStore;
use crate::{callback, sys};

/// The builder of an evaluator. It contains the settings of evaluation and of flakes.
#[doc(alias = "nix_eval_state_builder")]
pub struct EvaluatorBuilder {
    bindings: EvalStateBuilder,
    flakes: FlakeSettings,
    context: Context,
}

impl EvaluatorBuilder {
    /// Makes a builder with the settings from `nix.conf` and `NIX_CONFIG`.
    #[doc(alias = "nix_eval_state_builder_new")]
    #[doc(alias = "nix_eval_state_builder_load")]
    #[doc(alias = "nix::loadConfFile")]
    pub fn new(store: &NixStore) -> anyhow::Result<Self> {
        // The settings are loaded below. nix-bindings would load them last, and so override the
        // settings that the caller sets.
        let bindings = EvalStateBuilder::new(store.bindings())
            .context("cannot create an evaluator")?
            .load_ambient_settings(false);
        let context = Context::new();
        // SAFETY: the builder is owned by this function and lives for the call; libnix only writes
        // its settings.
        let loaded = context.call(|context| unsafe {
            sys::nix_eval_state_builder_load(context, bindings.raw_ptr().cast())
        });
        loaded.context("cannot load Nix's evaluation settings")?;
        let flakes = FlakeSettings::load(&context).context("cannot load Nix's flake settings")?;
        Ok(Self {
            bindings,
            flakes,
            context,
        })
    }

    /// Sets a Nix setting in the process, in this builder and in its flake settings, if it exists
    /// there. Returns `false` if it exists in none of them.
    #[doc(alias = "nix::GlobalConfig::set")]
    #[doc(alias = "nix::Config::set")]
    pub fn set_setting(&self, name: &str, value: &str) -> Result<bool, NixError> {
        let c_name = c_string(name)?;
        let c_value = c_string(value)?;
        // SAFETY: `self` owns the builder and is borrowed for the call; the flake settings are
        // never freed; the shim copies both C strings.
        self.context.call(|context| unsafe {
            sys::nix_ffi_setting_set(
                context,
                self.bindings.raw_ptr().cast(),
                self.flakes.as_ptr(),
                c_name.as_ptr(),
                c_value.as_ptr(),
            )
        })
    }

    /// Returns the sorted names and values of all settings in effect: those of the process, of the
    /// builder and of flakes.
    #[doc(alias = "nix::GlobalConfig::getSettings")]
    #[doc(alias = "nix::Config::getSettings")]
    pub fn list_settings(&self) -> Result<Vec<(String, String)>, NixError> {
        let mut texts: Vec<String> = Vec::new();
        let user: *mut Vec<String> = &raw mut texts;
        // SAFETY: `self` owns the builder, and the flake settings are never freed; `user` is the
        // Vec of `push_text`, which nothing else uses until the settings are listed.
        self.context.call(|context| unsafe {
            sys::nix_ffi_settings_list(
                context,
                self.bindings.raw_ptr().cast(),
                self.flakes.as_ptr(),
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

    /// Builds the evaluator, with the builtins for flakes such as `builtins.getFlake`. The
    /// evaluator belongs to the current thread, which must be registered with the collector.
    #[doc(alias = "nix_eval_state_build")]
    #[doc(alias = "nix::flake::Settings::configureEvalSettings")]
    #[doc(alias = "nix::flake::initLib")]
    pub fn build(self) -> anyhow::Result<NixEvaluator> {
        // SAFETY: `self` owns the builder; the evaluator keeps a reference to the flake settings,
        // which are never freed.
        let registered = self.context.call(|context| unsafe {
            sys::nix_ffi_flake_settings_register(
                context,
                self.flakes.as_ptr(),
                self.bindings.raw_ptr().cast(),
            );
        });
        registered.context("cannot enable flakes in the evaluator")?;
        let state = self.bindings.build().context("cannot create an evaluator");
        // Up to Nix 2.34 the evaluator keeps a reference to its builder, so the builder must never
        // be dropped.
        forget(self.bindings);
        Ok(NixEvaluator::new(state?, self.flakes))
    }
}
