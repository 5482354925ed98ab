//! `overrides verify`: compares the running system with a whole toplevel that contains all overrides.

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;

use crate::run::Run;
use runtime_module_core::activation::Activated;
use runtime_module_core::error::{Failed, neutral};
use runtime_module_core::error_output::AlreadyPrinted;
use runtime_module_core::options::ChangeOptions;
use runtime_module_core::output::{note, print_result};
use runtime_module_core::pipeline::{Verdict, verify};

/// The document of `overrides verify`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    schema: u64,
    /// The result of the verification.
    result: VerifyOutcome,
    /// The parts of the system that were missing or wrong; absent if there were none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
    /// The toplevel with all overrides, if the running system is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    toplevel: Option<String>,
    /// The result of the activation, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Activated>,
    /// The error of a failed activation.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed>,
}

/// The result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum VerifyOutcome {
    /// The running toplevel contains all overrides, or an external switch has replaced it.
    NothingToVerify,
    /// The running system contains exactly what the whole toplevel contains.
    Same,
    /// The whole toplevel was activated, because it contains more.
    Finished,
    /// The last verified state was activated, because the whole toplevel contains more or could not
    /// be evaluated.
    Undone,
}

pub(super) fn run(run: Run<'_>, options: &ChangeOptions) -> Result<()> {
    let report = VerifyReport::from(verify(run.session, options, run.stages)?);
    if let (Some(activation), false) = (&report.activation, run.session.options.json) {
        note(&activation.warnings);
    }
    print_result(run.session, &report, VerifyReport::human)?;
    match report.error {
        Some(error) if run.session.options.json => {
            Err(anyhow::Error::from(error).context(AlreadyPrinted))
        }
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

impl From<Verdict> for VerifyReport {
    fn from(verdict: Verdict) -> Self {
        let (result, differences, toplevel, activation) = match verdict {
            Verdict::NothingToVerify => (VerifyOutcome::NothingToVerify, Vec::new(), None, None),
            Verdict::Same { toplevel } => (VerifyOutcome::Same, Vec::new(), Some(toplevel), None),
            Verdict::Finished {
                differences,
                activated,
            } => (VerifyOutcome::Finished, differences, None, Some(*activated)),
            Verdict::Undone {
                differences,
                activated,
            } => (VerifyOutcome::Undone, differences, None, Some(*activated)),
        };
        Self {
            schema: 1,
            result,
            differences,
            toplevel,
            error: activation.as_ref().and_then(Activated::error),
            activation,
        }
    }
}

impl VerifyReport {
    fn human(&self) -> String {
        let list: String = self
            .differences
            .iter()
            .map(|one| format!("  {}\n", neutral(one)))
            .collect();
        match self.result {
            VerifyOutcome::NothingToVerify => {
                "nothing to verify: all overrides are part of the running toplevel\n".into()
            }
            VerifyOutcome::Same => {
                "the running system is the same as the whole system with these overrides\n".into()
            }
            VerifyOutcome::Finished if self.error.is_none() => {
                format!("activated the whole system, because the overrides change more:\n{list}")
            }
            VerifyOutcome::Undone if self.error.is_none() => {
                format!(
                    "returned to the last verified state, because of these differences:\n{list}"
                )
            }
            VerifyOutcome::Finished | VerifyOutcome::Undone => list,
        }
    }
}
