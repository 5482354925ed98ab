//! Choices on the command line or in the configuration, with their names. Every part of the
//! program that acts on them may use this file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The default time for which to watch services that count as started at once.
pub const SETTLE: Duration = Duration::from_secs(3);

/// A style of progress output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

impl Elevate {
    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Sudo => "sudo",
            Self::Run0 => "run0",
            Self::Doas => "doas",
            Self::None => "none",
        }
    }
}

/// What to do about units that fail because of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailedUnits {
    /// Activate the previous system again
    #[default]
    Rollback,
    /// Keep the change
    Keep,
}

/// A safety check that can be overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Continue although the pinned source evaluates to a different base
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

/// A shell with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Nushell,
}

/// An action on the result cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheAction {
    #[default]
    List,
    /// Counts results and their size.
    Stats,
    /// Removes all results.
    Clear,
}

/// The combinations of modules that `check` evaluates, besides each module alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckCombinations {
    /// All modules together that evaluate alone.
    #[default]
    Together,
    /// The same, and each pair of them.
    Pairs,
}

/// An output format of `check`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckFormat {
    #[default]
    Table,
    Jsonl,
    Junit,
    Github,
    Sarif,
    Markdown,
    /// One document, for `--json`.
    Json,
}

/// A published table that `bench options` can measure again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    Jenkins,
    Grafana,
    Gotosocial,
    /// Options next to the files that NixOS generates from them.
    Generated,
}
