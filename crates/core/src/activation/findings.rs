//! The results of the checks before a switch: warnings and objections. The user can override some
//! objections with `--allow`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::choice::Allow;
use crate::error::Failed;

/// An objection to a switch.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Objection {
    /// The value of `--allow` that overrides the objection; null if the objection cannot be
    /// overridden.
    pub allow: Option<Allow>,
    /// The error that is reported unless the objection is overridden.
    pub refusal: Failed,
}

/// The result of the checks before a switch.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Objections to the switch.
    pub objections: Vec<Objection>,
    /// Warnings about changes that take effect only after a reboot.
    pub warnings: Vec<String>,
}

impl Findings {
    /// Returns a warning for each objection that the user overrides. Fails with the first objection
    /// that the user does not override.
    pub fn pass(&self, allowed: &[Allow]) -> Result<Vec<String>, Failed> {
        let mut passed = Vec::new();
        for Objection { allow, refusal } in &self.objections {
            match allow {
                Some(name) if allowed.contains(name) => {
                    passed.push(format!(
                        "overridden by --allow {}: {}",
                        name.name(),
                        refusal.message
                    ));
                }
                Some(name) => {
                    return Err(refusal.clone().hint(format!(
                        "use --allow {} to override this check",
                        name.name()
                    )));
                }
                None => return Err(refusal.clone()),
            }
        }
        Ok(passed)
    }

    /// Inserts an objection that cannot be overridden before all other objections.
    pub fn refuse(&mut self, refusal: Failed) {
        let objection = Objection {
            allow: None,
            refusal,
        };
        self.objections.insert(0, objection);
    }

    /// Adds an objection, with the `--allow` value that overrides it.
    pub fn object(&mut self, allow: Option<Allow>, refusal: impl Into<Failed>) {
        let refusal = refusal.into();
        self.objections.push(Objection { allow, refusal });
    }
}
