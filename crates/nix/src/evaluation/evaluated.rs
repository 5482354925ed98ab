//! The answers of the evaluator: its messages during an evaluation, and the result.

use serde::{Deserialize, Serialize};

use super::{DescribedOption, ExpressionValue, Measured};
use crate::error::Failed;
use crate::facts::Facts;
use crate::libnix::{Event, Position};
use crate::option_names::SettableOptions;
use crate::partial::EvaluatedParts;
use crate::record::PinnedInput;
use crate::registry::Registered;
use crate::timings::{Counters, Phase};

/// A message from the evaluator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub(crate) enum EvaluatorMessage {
    /// The store is open. Always the first message.
    StoreOpened,
    /// An event of libnix.
    Libnix { event: Event },
    /// The end of a phase, and its duration.
    Phase { phase: Phase, milliseconds: f64 },
    /// Warnings of the configuration.
    Warnings { warnings: Vec<String> },
    /// The result. The evaluator keeps running, and protects its results, until the client
    /// disconnects.
    Done { evaluated: Box<Evaluated> },
    /// The evaluation failed.
    Failed {
        failed: Failed,
        places: Vec<Position>,
    },
}

/// The result of an evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evaluated {
    /// The extended host's toplevel.
    pub toplevel: Option<Derivation>,
    /// The toplevel of the host itself, if requested.
    pub base: Option<Derivation>,
    /// All modules, if requested.
    pub registry: Vec<Registered>,
    /// Whether the host declares its modules with another project, nixos-runtime-modules, instead
    /// of our NixOS module.
    pub foreign_modules: bool,
    /// The options of the new overrides, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub described: Vec<DescribedOption>,
    /// The options that can be set, if requested. Not cached with the result.
    #[serde(skip_serializing_if = "SettableOptions::is_empty")]
    pub settable: SettableOptions,
    /// The values of the user's expressions, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<ExpressionValue>,
    /// The requested units and etc entries. Not cached with the result.
    #[serde(skip_serializing_if = "EvaluatedParts::is_empty")]
    pub parts: EvaluatedParts,
    /// Warnings of the configuration.
    pub warnings: Vec<String>,
    /// Facts for activation.
    pub facts: Facts,
    /// Inputs that the flake's own lock does not contain, as they were locked.
    pub inputs: Vec<PinnedInput>,
    /// Store path of the evaluated flake.
    pub source: String,
    /// The lock that was used, as JSON. Not cached with the result, because it is part of the cache
    /// key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lock: String,
    /// Whether the lock differs from the flake's `flake.lock`.
    pub lock_changed: bool,
    /// Whether evaluation needed the output of a derivation (import from derivation), built or not.
    pub imports_derivations: bool,
    /// Counters of the evaluator.
    pub counters: Counters,
    /// The measurement of a benchmark.
    pub measured: Measured,
}

/// Store paths of a derivation and of its output `out`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derivation {
    /// The `.drv` file.
    pub drv: String,
    /// The output, which need not exist.
    pub out: String,
}
