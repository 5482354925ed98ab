//! A request to the evaluator: the source, the modules and overrides, and the value to evaluate.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Measure, ValueExpression};
use crate::attributes::written;
use crate::error::EvaluationAction;
use crate::input_graph::graph_lock;
use crate::libnix::Settings;
use crate::overrides::Definition;
use crate::partial::Parts;
use crate::record::{ExtraModule, Pin, Source, SystemFile};
use crate::registry::ModuleRequest;

/// A request to the evaluator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationRequest {
    /// Settings to open libnix with.
    pub settings: Settings,
    pub source: EvaluationSource,
    /// Entry of `nixosConfigurations`.
    pub host: String,
    /// Modules to extend the host with, in the order of evaluation if that is known.
    pub modules: Vec<ModuleRequest>,
    /// Modules that are not part of the configuration. They follow all others, in this order.
    #[serde(default)]
    pub extras: Vec<ExtraRequest>,
    /// The specialisation to evaluate; `None` for the host itself.
    #[serde(default)]
    pub specialisation: Option<String>,
    /// The option overrides. They follow all modules, in this order.
    #[serde(default)]
    pub overrides: Vec<Definition>,
    /// The units and etc entries to evaluate, for [`Target::Parts`].
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub parts: Parts,
    /// New overrides, whose options are described and whose values are checked.
    #[serde(default)]
    pub describe: Vec<Definition>,
    /// Whether to list the options that can be set, after the evaluation.
    #[serde(default)]
    pub list_options: bool,
    /// Expressions of the user, for [`Target::Expressions`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<ValueExpression>,
    /// The value to evaluate.
    pub target: Target,
    /// The measurement of a benchmark; `None` if nothing is measured.
    #[serde(default)]
    pub measure: Option<Measure>,
}

impl EvaluationRequest {
    /// Makes a request for the host alone: without modules, overrides, expressions and a
    /// measurement.
    pub fn of(settings: Settings, source: EvaluationSource, host: &str, target: Target) -> Self {
        Self {
            settings: source.settings(settings),
            source,
            host: host.into(),
            modules: Vec::new(),
            extras: Vec::new(),
            specialisation: None,
            overrides: Vec::new(),
            parts: Parts::default(),
            describe: Vec::new(),
            list_options: false,
            expressions: Vec::new(),
            target,
            measure: None,
        }
    }
}

/// The source to evaluate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvaluationSource {
    Flake(FlakeReference),
    File(SystemFile),
}

/// A reference to a flake, with everything that libnix needs to lock it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlakeReference {
    /// The requested reference, for messages.
    pub url: String,
    /// The reference for libnix.
    pub reference: String,
    /// The directory that relative paths in the reference are relative to.
    #[serde(serialize_with = "as_text")]
    pub base_directory: PathBuf,
    /// Replaced inputs: name and reference.
    pub input_overrides: Vec<(String, String)>,
    /// Text of the lock to use instead of the flake's own; `None` for the flake's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Additional attributes of `self`; see [`crate::record::Pin::extra`].
    pub extra: Vec<(String, String)>,
}

impl EvaluationSource {
    /// Makes the source of an evaluation. `here` is the current directory.
    pub fn of(source: &Source, here: &Path) -> Self {
        match source {
            Source::Flake(pin) => Self::Flake(FlakeReference::of(pin, here)),
            Source::File(file) => Self::File(file.clone()),
        }
    }

    /// Returns the flake, unless the source is a file.
    pub fn flake(&self) -> Option<&FlakeReference> {
        match self {
            Self::Flake(flake) => Some(flake),
            Self::File(_) => None,
        }
    }

    /// Returns the settings to evaluate this source with. The evaluation of a file is impure.
    pub fn settings(&self, settings: Settings) -> Settings {
        Settings {
            impure: settings.impure || self.flake().is_none(),
            ..settings
        }
    }
}

impl FlakeReference {
    /// Makes the reference of a pin. `here` is the current directory.
    pub fn of(pin: &Pin, here: &Path) -> Self {
        Self {
            url: pin.url.clone(),
            reference: pin.locked.clone(),
            base_directory: here.into(),
            input_overrides: pin.replaced(),
            // This cannot fail: a damaged graph was dropped when the pin was read.
            lock: graph_lock(pin).unwrap_or_default(),
            extra: pin.extra.clone(),
        }
    }
}

/// Serialises the base directory as text, which loses bytes that are not UTF-8. A pinned source has
/// an absolute path, so it does not need the base directory.
fn as_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// A module that is not part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraRequest {
    /// The reference as the user typed it.
    pub name: String,
    /// Store path of the file or folder; `None` for a module of another flake.
    pub path: Option<String>,
    /// The other flake.
    pub flake: Option<FlakeReference>,
    /// The output of that flake.
    pub attribute: Option<String>,
}

impl ExtraRequest {
    /// Makes the request for a pinned module. `here` is the current directory.
    pub fn of(extra: &ExtraModule, here: &Path) -> Self {
        let flake = extra.flake.as_deref();
        Self {
            name: extra.name.clone(),
            path: flake.is_none().then(|| extra.source.clone()),
            flake: flake.map(|pin| FlakeReference::of(pin, here)),
            attribute: flake.map(|pin| pin.host.clone()),
        }
    }
}

/// The value to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Names and descriptions of all modules.
    Registry,
    /// The extended host's toplevel.
    Toplevel,
    /// The extended host's toplevel, and the toplevel of the host itself.
    ToplevelAndBase,
    /// The units and etc entries in [`EvaluationRequest::parts`].
    Parts,
    /// A single value: [`Measure::forced`].
    Value,
    /// The values of [`EvaluationRequest::expressions`].
    Expressions,
    /// Only the store path of the locked flake.
    Source,
}

/// Returns the action that an error message about the request names.
pub(super) fn action(request: &EvaluationRequest) -> EvaluationAction {
    let modules = request.modules.iter().map(|module| module.name.as_str());
    let extras = request.extras.iter().map(|extra| extra.name.as_str());
    let names: Vec<&str> = modules.chain(extras).collect();
    let system = match &request.source {
        EvaluationSource::File(file) => file.words(),
        EvaluationSource::Flake(_) => format!("host '{}'", request.host),
    };
    let measure = request.measure.as_ref();
    if request.host.is_empty() && request.source.flake().is_some() {
        EvaluationAction::ListHosts
    } else if let Some(forced) = measure.and_then(|measure| measure.forced.as_ref()) {
        EvaluationAction::Measure(forced.name(&request.host))
    } else if let [expression] = request.expressions.as_slice() {
        EvaluationAction::Express(written(&expression.path))
    } else if request.target == Target::Registry {
        EvaluationAction::ListModules(system)
    } else if names.is_empty() {
        EvaluationAction::Evaluate(system)
    } else {
        EvaluationAction::Evaluate(format!("{system} with {}", names.join(", ")))
    }
}
