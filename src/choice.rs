//! Choices on the command line or in the configuration, with their names. All rooms that act on
//! them may use this file.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How long services that count as started at once are watched by default.
pub const SETTLE: Duration = Duration::from_secs(3);

/// A style of progress output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// Bars on a terminal, otherwise plain lines
    #[default]
    Auto,
    /// Progress bars
    Bars,
    /// One line for each step
    Plain,
    /// JSON lines (versioned)
    Events,
    /// Only warnings
    Off,
}

/// A way to become root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Elevate {
    /// The first available of sudo, run0 and doas, if necessary
    #[default]
    Auto,
    /// Sudo
    Sudo,
    /// Run0
    Run0,
    /// Doas
    Doas,
    /// Never become root
    None,
}

/// What to do about units that fail because of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailedUnits {
    /// Activate the previous system again
    #[default]
    Rollback,
    /// Keep the change
    Keep,
}

/// A safety check that can be overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allow {
    /// Activate a system of another host
    WrongHost,
    /// Change what switch inhibitors protect
    Inhibitors,
    /// Skip all of NixOS's own pre-switch checks
    PreSwitchChecks,
    /// Continue without enough free space
    Space,
    /// The pinned source does not give the running system without modules
    BaseDiffers,
}

impl Allow {
    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongHost => "wrong-host",
            Self::Inhibitors => "inhibitors",
            Self::PreSwitchChecks => "pre-switch-checks",
            Self::Space => "space",
            Self::BaseDiffers => "base-differs",
        }
    }
}
