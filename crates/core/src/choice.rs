//! The choices on the command line and in the configuration, with their names. Every part of the
//! program may use this module.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The default settle time, which is the time to watch services that systemd considers started as
/// soon as their process runs.
pub const SETTLE: Duration = Duration::from_secs(3);

/// A style of progress output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressStyle {
    /// Bars on a terminal, otherwise plain lines. With `--json`, the same as [`Self::Off`].
    #[default]
    Auto,
    /// Progress bars.
    Bars,
    /// One line for each step.
    Plain,
    /// Versioned JSON lines.
    Events,
    /// Only warnings, and build logs if requested.
    Off,
}

/// The elevation program for an activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Elevate {
    /// The first available of sudo, run0 and doas, if necessary.
    #[default]
    Auto,
    Sudo,
    Run0,
    Doas,
    /// Never become root.
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

/// The response to units that fail because of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailedUnits {
    /// Activate the previous system again.
    #[default]
    Rollback,
    /// Keep the change.
    Keep,
}

/// When to verify a change that was applied without a new toplevel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// After the change, in the background.
    #[default]
    Background,
    /// Before the change.
    Wait,
}

/// The response to a change that was applied without a new toplevel and turns out to be incomplete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnMismatch {
    /// Activate the whole toplevel.
    #[default]
    Finish,
    /// Return to the last verified state.
    Undo,
}

/// A safety check that can be overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Allow {
    /// Activate a system that was built for another host.
    WrongHost,
    /// Continue even if switch inhibitors would change.
    Inhibitors,
    /// Skip all of NixOS's own pre-switch checks.
    PreSwitchChecks,
    /// Continue without enough free space.
    Space,
    /// Continue even if the pinned source evaluates to a different base.
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

/// A JSON Schema that the program can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaName {
    /// The documents of `--json`.
    Output,
    /// The lines of `--progress events`.
    Event,
    /// The results of benchmarks.
    Bench,
    /// `/etc/runtime-modules/config.json`.
    Config,
}

/// A shell for which the program can generate completions.
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
    /// Show the number of results and their total size.
    Stats,
    /// Remove all results.
    Clear,
}

/// The combinations of modules that `check` evaluates in addition to each module alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckCombinations {
    /// All modules together, except those that fail alone.
    #[default]
    Together,
    /// All modules together and each pair of modules, except those that fail alone.
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
    /// A single JSON document, for `--json`.
    Json,
}

/// A published table of measurements that `bench options` can repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    Jenkins,
    Grafana,
    Gotosocial,
    /// Options, each together with the file that NixOS generates from it.
    Generated,
}
