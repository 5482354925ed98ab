//! What can be chosen on the command line or in the configuration, by the names it has there. Below every room that acts on it.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How long services that count as started at once are watched if nobody says otherwise.
pub const SETTLE: Duration = Duration::from_secs(3);

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// Bars on a terminal, else plain lines
    #[default]
    Auto,
    /// Bars
    Bars,
    /// A line for each step
    Plain,
    /// JSON lines, versioned
    Events,
    /// Nothing
    Off,
}

/// How to become root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Elevate {
    /// The first of sudo, run0 and doas that is there, if need be
    #[default]
    Auto,
    /// Sudo
    Sudo,
    /// Run0
    Run0,
    /// Doas
    Doas,
    /// Not at all
    None,
}

/// What is to be done about units that fail because of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailedUnits {
    /// Activate the previous system again
    #[default]
    Rollback,
    /// Leave the change as it is
    Keep,
}

/// What speaks against a switch, and may be passed by who knows better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allow {
    /// The system is another host's
    WrongHost,
    /// What must not change while the machine runs would change
    Inhibitors,
    /// NixOS's own checks before a switch, all of them
    PreSwitchChecks,
    /// There is not enough space
    Space,
}

impl Allow {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongHost => "wrong-host",
            Self::Inhibitors => "inhibitors",
            Self::PreSwitchChecks => "pre-switch-checks",
            Self::Space => "space",
        }
    }
}
