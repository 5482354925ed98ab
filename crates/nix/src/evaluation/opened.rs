//! Opens the source of an evaluation: a locked flake, or a file.
//!
//! Takes the source of a request; returns its outputs, which have the same form for flakes and
//! files. Evaluates a file only as far as needed to recognise its content.

use anyhow::Result;
use serde_json::json;

use super::explain::RequestProblem;
use super::{EvaluationRequest, EvaluationSource, FlakeReference, in_file};
use crate::libnix::{
    Argument, Evaluator, Expression, ExternalValue, Locked, LockedFlake, Outputs, Value,
};
use crate::record::SystemFile;

const FILE: Expression = Expression {
    name: "file.nix",
    text: include_str!("file.nix"),
};

/// An opened source.
pub enum Opened {
    /// A locked flake.
    Flake(Box<Locked>),
    /// A file, which is not pinned.
    File(SystemFile),
}

impl Opened {
    /// Opens a source.
    pub fn open(evaluator: &Evaluator, source: &EvaluationSource) -> Result<Self> {
        Ok(match source {
            EvaluationSource::Flake(flake) => Self::Flake(Box::new(lock(evaluator, flake)?)),
            EvaluationSource::File(file) => Self::File(file.clone()),
        })
    }

    /// Returns the data of the locked flake. For a file, the data is empty.
    pub fn locked(&self, evaluator: &Evaluator) -> Result<LockedFlake> {
        Ok(match self {
            Self::Flake(locked) => evaluator.read_locked(locked)?,
            Self::File(_) => LockedFlake::default(),
        })
    }

    /// Calls the flake's `outputs` function, and adds the external values. For a file, the outputs
    /// contain only its system, under the system's name.
    pub fn outputs(
        &self,
        evaluator: &Evaluator,
        request: &EvaluationRequest,
        external: &[ExternalValue<'_>],
    ) -> Result<Outputs> {
        let file = match self {
            Self::Flake(locked) => return Ok(evaluator.outputs_with(locked, external)?),
            Self::File(file) => file,
        };
        let value = read(evaluator, file)?;
        if let Some(problem) = value.get::<Option<RequestProblem>>("problem")? {
            return Err(in_file::failed(request, file, &problem).into());
        }
        Ok(evaluator.outputs_of(value.part("outputs")?, external)?)
    }
}

fn read<'a>(evaluator: &'a Evaluator, file: &SystemFile) -> Result<Value<'a>> {
    let request = json!({
        "path": file.path,
        "attribute": file.attribute,
        "host": file.name(),
    });
    Ok(evaluator.apply_to(&FILE, Argument::Nothing, &request.to_string())?)
}

/// Locks a flake, with the extra attributes of `self`.
pub fn lock(evaluator: &Evaluator, flake: &FlakeReference) -> Result<Locked> {
    let mut locked = match &flake.lock {
        Some(lock) => evaluator.with_lock(&flake.reference, &flake.base_directory, lock)?,
        None => evaluator.lock(
            &flake.reference,
            &flake.base_directory,
            &flake.input_overrides,
        )?,
    };
    locked.extend(&flake.extra)?;
    Ok(locked)
}
