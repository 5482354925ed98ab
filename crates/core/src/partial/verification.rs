//! The result of verifying overrides that were applied without a new toplevel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verification of the runtime files in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The generation of overrides that was verified, or that must be verified.
    pub generation: u64,
    /// The result so far.
    pub result: VerificationResult,
    /// The number of the last state in the history that needed no verification, or was verified.
    /// The option `onMismatch = "undo"` returns to this state.
    pub verified_state: u64,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum VerificationResult {
    /// The verification has not ended.
    Waiting,
    /// The whole toplevel contains exactly what was applied.
    Same {
        /// The toplevel with the overrides.
        toplevel: String,
    },
    /// The verification could not finish.
    Failed {
        /// A human-readable reason.
        reason: String,
    },
}

impl VerificationResult {
    /// Describes the result for `status`.
    pub fn words(&self) -> String {
        match self {
            Self::Waiting => "not verified yet".into(),
            Self::Same { .. } => "verified".into(),
            Self::Failed { reason } => format!(
                "not verified: {reason}; run `runtime-module overrides verify` to try again"
            ),
        }
    }
}
