//! Where an evaluation begins: at a flake that is locked, or at a file that is read as it is.
//!
//! Takes the source that a request names; returns its outputs, which look alike from there on. It evaluates no further than
//! to what the file is.

use anyhow::Result;
use serde_json::json;

use super::explain::Problem;
use super::{FlakeSource, Request, in_file};
use crate::libnix::{Beside, Evaluator, Expression, Locked, LockedFlake, Outputs, Subject, Value};
use crate::record::SystemFile;

/// Our own expression.
const FILE: Expression = Expression {
    name: "file.nix",
    text: include_str!("file.nix"),
};

/// A source, opened in an evaluator.
pub enum Opened {
    /// A flake, locked.
    Flake(Box<Locked>),
    /// A file, which nothing holds.
    File(SystemFile),
}

impl Opened {
    /// Opens it.
    pub fn open(evaluator: &Evaluator, source: &FlakeSource) -> Result<Self> {
        Ok(match &source.file {
            Some(file) => Self::File(file.clone()),
            None => Self::Flake(Box::new(lock(evaluator, source)?)),
        })
    }

    /// What was locked; nothing of a file.
    pub fn told(&self, evaluator: &Evaluator) -> Result<LockedFlake> {
        Ok(match self {
            Self::Flake(locked) => evaluator.read_locked(locked)?,
            Self::File(_) => LockedFlake::default(),
        })
    }

    /// The outputs, called anew, and values that come from elsewhere. Of a file: its system, by its name.
    pub fn outputs(
        &self,
        evaluator: &Evaluator,
        request: &Request,
        beside: &[Beside<'_>],
    ) -> Result<Outputs> {
        let file = match self {
            Self::Flake(locked) => return Ok(evaluator.outputs_with(locked, beside)?),
            Self::File(file) => file,
        };
        let value = read(evaluator, file)?;
        if let Some(problem) = value.get::<Option<Problem>>("problem")? {
            return Err(in_file::failed(request, file, &problem).into());
        }
        Ok(evaluator.outputs_of(value.part("outputs")?, beside)?)
    }

    /// A path in the store, there or not.
    pub fn store_path(&self, evaluator: &Evaluator) -> Result<String> {
        match self {
            Self::Flake(_) => Ok(self.told(evaluator)?.source),
            Self::File(file) => read(evaluator, file)?.get("storePath"),
        }
    }
}

fn read<'a>(evaluator: &'a Evaluator, file: &SystemFile) -> Result<Value<'a>> {
    let request = json!({
        "path": file.path,
        "attribute": file.attribute,
        "host": file.name(),
    });
    Ok(evaluator.apply_to(&FILE, Subject::Nothing, &request.to_string())?)
}

/// Locks a flake, with all that it is to show.
pub fn lock(evaluator: &Evaluator, flake: &FlakeSource) -> Result<Locked> {
    let mut locked = match &flake.lock {
        Some(lock) => evaluator.with_lock(&flake.reference, &flake.base_directory, lock)?,
        None => evaluator.lock(&flake.reference, &flake.base_directory, &flake.overrides)?,
    };
    locked.extend(&flake.extra)?;
    Ok(locked)
}
