//! Evaluators and their values. An evaluator is bound to the thread that opened it.

use std::path::Path;

use anyhow::{Context as _, Result};
use nix_bindings_expr::eval_state::{ThreadRegistrationGuard, gc_register_my_thread};
use nix_ffi::{LockRequest, NixEvaluator, NixValue};

use super::{Locked, LockedFlake, NixError, Settings, Store, StorePath};

/// An evaluator, bound to the thread that opened it.
pub struct Evaluator {
    nix: NixEvaluator,
    /// Must be dropped last: the thread must stay registered with the collector as long as the
    /// evaluator exists.
    _thread: ThreadRegistrationGuard,
}

impl Evaluator {
    pub(super) fn open(store: &Store, settings: &Settings) -> Result<Self> {
        let thread = gc_register_my_thread()
            .context("cannot register the evaluation thread with the garbage collector")?;
        let builder = settings.builder(store)?;
        nix_ffi::enable_counters();
        Ok(Self {
            nix: builder.build()?,
            _thread: thread,
        })
    }

    /// Fetches a flake and locks its inputs in memory.
    pub fn lock(
        &self,
        reference: &str,
        base: &Path,
        input_overrides: &[(String, String)],
    ) -> Result<Locked, NixError> {
        let request = LockRequest {
            reference,
            base_directory: base,
            input_overrides,
            lock: None,
            allow_unlocked: true,
            use_registries: true,
        };
        Locked::lock(&self.nix, &request)
    }

    /// Fetches a flake and uses `lock` instead of its own lock file.
    pub fn with_lock(&self, reference: &str, base: &Path, lock: &str) -> Result<Locked, NixError> {
        let request = LockRequest {
            reference,
            base_directory: base,
            input_overrides: &[],
            lock: Some(lock),
            allow_unlocked: true,
            use_registries: true,
        };
        Locked::lock(&self.nix, &request)
    }

    /// Describes a locked flake.
    pub fn read_locked(&self, locked: &Locked) -> Result<LockedFlake, NixError> {
        locked.read(&self.nix)
    }

    /// Returns the flake's outputs and source, with external values. Parts of the result that were
    /// forced once are not evaluated again.
    pub fn outputs_with(
        &self,
        locked: &Locked,
        external: &[ExternalValue<'_>],
    ) -> Result<Outputs, NixError> {
        Ok(Outputs {
            outputs: locked.outputs(&self.nix)?,
            source: locked.source(&self.nix)?,
            external: self.list(external)?,
        })
    }

    /// Makes outputs from a value that is not a flake, with external values.
    pub fn outputs_of(
        &self,
        part: Value<'_>,
        external: &[ExternalValue<'_>],
    ) -> Result<Outputs, NixError> {
        Ok(Outputs {
            outputs: part.value,
            // Without a flake, there is no source tree to look up files in.
            source: NixValue::string(&self.nix, "")?,
            external: self.list(external)?,
        })
    }

    fn list(&self, external: &[ExternalValue<'_>]) -> Result<NixValue, NixError> {
        let values = external.iter().map(|one| match one {
            ExternalValue::Path(path) => NixValue::store_path(&self.nix, &StorePath::parse(path)?),
            ExternalValue::Flake(other) => other.outputs(&self.nix),
            ExternalValue::Function(text) => nix_ffi::apply(&self.nix, text, "expression.nix", &[]),
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let values: Vec<&NixValue> = values.iter().collect();
        NixValue::list(&self.nix, &values)
    }

    /// Applies one of our functions to a flake's outputs, its source, the external values and
    /// a request in JSON. Forces nothing.
    pub fn apply(
        &self,
        function: &Expression,
        flake: &Outputs,
        request: &str,
    ) -> Result<Value<'_>, NixError> {
        let text = NixValue::string(&self.nix, request)?;
        let value = nix_ffi::apply(
            &self.nix,
            function.text,
            function.name,
            &[&flake.outputs, &flake.source, &flake.external, &text],
        )?;
        Ok(Value {
            value,
            evaluator: self,
        })
    }

    /// Checks that a Nix function can be parsed.
    pub fn parse(&self, function: &str) -> Result<(), NixError> {
        self.list(&[ExternalValue::Function(function)]).map(drop)
    }

    /// Applies one of our functions to a subject and a request in JSON. Forces nothing.
    pub fn apply_to(
        &self,
        function: &Expression,
        subject: Argument<'_>,
        request: &str,
    ) -> Result<Value<'_>, NixError> {
        let nothing = NixValue::string(&self.nix, "")?;
        let (outputs, part) = match &subject {
            Argument::Outputs(flake) => (&flake.outputs, &nothing),
            Argument::Part(part) => (&nothing, &part.value),
            Argument::Nothing => (&nothing, &nothing),
        };
        let text = NixValue::string(&self.nix, request)?;
        let value = nix_ffi::apply(
            &self.nix,
            function.text,
            function.name,
            &[outputs, part, &text],
        )?;
        Ok(Value {
            value,
            evaluator: self,
        })
    }

    /// Prints the counters to the file that `NIX_SHOW_STATS_PATH` names.
    pub fn print_counters(&self) -> Result<(), NixError> {
        nix_ffi::print_counters(&self.nix)
    }
}

/// A Nix function whose text is embedded in the program.
pub struct Expression {
    /// The file name for libnix, which resolves relative paths in the text from it.
    pub name: &'static str,
    /// Nix source text.
    pub text: &'static str,
}

/// The argument of one of our functions.
pub enum Argument<'a> {
    /// The outputs of a flake.
    Outputs(&'a Outputs),
    /// A part of another function's result.
    Part(Value<'a>),
    /// No argument.
    Nothing,
}

/// The outputs and source of a flake or file, and external values.
pub struct Outputs {
    outputs: NixValue,
    source: NixValue,
    /// List of external values: store paths, outputs of other flakes, and functions.
    external: NixValue,
}

/// A value that does not come from the flake.
pub enum ExternalValue<'a> {
    /// A path in the store.
    Path(&'a str),
    /// The outputs of another flake.
    Flake(&'a Locked),
    /// A Nix function. It is parsed separately, and its syntax errors are reported immediately.
    Function(&'a str),
}

/// A Nix value, with the evaluator that made it.
pub struct Value<'a> {
    value: NixValue,
    evaluator: &'a Evaluator,
}

impl<'a> Value<'a> {
    /// Returns the attribute `name`, forced to weak head normal form.
    pub fn part(&self, name: &str) -> Result<Value<'a>> {
        let value = self.value.select(&self.evaluator.nix, name)?;
        Ok(Value {
            value: value.with_context(|| format!("our own expression has no attribute {name}"))?,
            evaluator: self.evaluator,
        })
    }

    /// Forces the value deeply by converting it to JSON, and discards the JSON.
    pub fn force(&self) -> Result<(), NixError> {
        self.value.force_json(&self.evaluator.nix).map(drop)
    }

    /// Forces the attribute `name` deeply, and deserialises its JSON.
    pub fn get<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.part(name)?.value;
        let json = value.force_json(&self.evaluator.nix)?;
        serde_json::from_str(&json)
            .with_context(|| format!("cannot read the attribute {name} of our own expression"))
    }
}
