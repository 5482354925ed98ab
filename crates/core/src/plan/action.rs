//! The action that the user requests.

use super::EarlierState;
use crate::overrides::Edit;

/// The description of the requests of a verification.
pub const VERIFY_PURPOSE: &str = "verify overrides";

/// The action that the user requests.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Enable these modules, in addition to those that are already enabled.
    Enable(Vec<String>),
    /// Disable these modules.
    Disable(Vec<String>),
    /// Disable all modules, but keep option overrides.
    Reset,
    /// Disable all modules, and remove all option overrides.
    ResetAll,
    /// Activate the requested modules from the current pinned source.
    Apply,
    /// Activate the requested modules from the newest source.
    Rebuild,
    /// Return to an earlier state of this boot.
    Rollback(Box<EarlierState>),
    /// Change option overrides.
    Override(Edit),
    /// Make the whole toplevel with the overrides in force.
    Verify,
}

impl Action {
    /// Returns whether the action usually evaluates the configuration. The other actions usually
    /// return to a known system, but a reset that keeps option overrides evaluates too.
    pub fn evaluates(&self) -> bool {
        !matches!(self, Self::Reset | Self::ResetAll | Self::Rollback(_))
    }

    /// Returns whether the action disables all modules.
    pub fn is_reset(&self) -> bool {
        matches!(self, Self::Reset | Self::ResetAll)
    }

    /// Returns the description of the request that the lock, the log and messages contain.
    pub fn words(&self) -> String {
        match self {
            Self::Enable(names) => format!("enable {}", names.join(", ")),
            Self::Disable(names) => format!("disable {}", names.join(", ")),
            Self::Reset => "reset".into(),
            Self::ResetAll => "reset --all".into(),
            Self::Apply => "apply".into(),
            Self::Rebuild => "rebuild".into(),
            Self::Rollback(state) => format!("rollback to state {}", state.number),
            Self::Override(edit) => edit.words(),
            Self::Verify => VERIFY_PURPOSE.into(),
        }
    }
}
