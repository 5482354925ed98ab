//! The configuration of a system: its source, and everything that a change has added to it.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::{BaseStatus, ComparedBase, InputNode};
use crate::attributes::written;

/// The configuration from which a system was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "RecordedConfiguration", into = "RecordedConfiguration")]
pub struct Configuration {
    pub source: Source,
    /// The chosen specialisation; `None` for the host itself.
    pub specialisation: Option<String>,
    /// The active modules that are not part of the source, in order.
    pub extras: Vec<ExtraModule>,
}

/// The source of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A host of a pinned flake.
    Flake(Box<Pin>),
    /// A system in a file. It is not pinned: each evaluation reads the file's current content.
    File(SystemFile),
}

/// A pinned flake. It stays the same until a command pins a new source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// The flake reference that the user requested, for display only.
    pub url: String,
    /// A locked `path:` reference to the same tree in the store.
    pub locked: String,
    /// The store path of the tree.
    pub source: String,
    /// The name of the entry in `nixosConfigurations`.
    pub host: String,
    /// The commit hash, for display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<String>,
    /// The time of the tree's last change in seconds since 1970, for display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<u64>,
    /// The attributes of the flake's `self` that a `path:` reference cannot express: `dirtyRev` and
    /// `dirtyShortRev`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<(String, String)>,
    // The JSON name was chosen before option overrides existed.
    /// The replaced inputs as the user named them: names and references.
    #[serde(default, rename = "overrides", skip_serializing_if = "Vec::is_empty")]
    pub input_overrides: Vec<(String, String)>,
    /// The inputs that are not in the tree's own lock file: the replaced inputs, or all inputs if
    /// the lock file is missing or outdated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PinnedInput>,
    /// The flake, followed by all inputs with which the running system was built. Empty if the
    /// tree's own lock file names the same inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graph: Vec<InputNode>,
    /// The comparison of a base with the result of this pin; absent before the first
    /// comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<ComparedBase>,
    /// Whether this is the flake that the NixOS module baked in.
    #[serde(default)]
    pub baked: bool,
}

/// A pinned input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinnedInput {
    /// The name of the input as seen from the flake: `a`, or `a/b` for an input of an input.
    pub name: String,
    /// A locked `path:` reference to the tree of the input in the store.
    pub locked: String,
    /// The store path of the tree.
    pub source: String,
}

/// A system that is defined in a file instead of a flake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemFile {
    /// The absolute path of the file.
    pub path: String,
    /// The attribute path of the system in the file; empty if the file itself is the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attribute: Vec<String>,
}

/// A module that is not part of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtraModule {
    /// The module, as the user named it.
    pub name: String,
    /// The store path of the file or folder, or of the flake's tree.
    pub source: String,
    /// The flake that contains the module, with the attribute of the module as its `host`; absent
    /// for a file or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flake: Option<Box<Pin>>,
    /// Whether the module stays enabled until a reset. Otherwise, it is enabled for one change
    /// only.
    #[serde(default)]
    pub keep: bool,
}

impl From<Source> for Configuration {
    /// Makes the configuration of a source without additions.
    fn from(source: Source) -> Self {
        Self {
            source,
            specialisation: None,
            extras: Vec::new(),
        }
    }
}

impl From<Pin> for Source {
    fn from(pin: Pin) -> Self {
        Self::Flake(Box::new(pin))
    }
}

impl From<SystemFile> for Source {
    fn from(file: SystemFile) -> Self {
        Self::File(file)
    }
}

impl Source {
    /// Returns the pinned flake, unless the system is defined in a file.
    pub fn pin(&self) -> Option<&Pin> {
        match self {
            Self::Flake(pin) => Some(pin),
            Self::File(_) => None,
        }
    }

    /// Returns the file that defines the system, if there is one.
    pub fn file(&self) -> Option<&SystemFile> {
        match self {
            Self::Flake(_) => None,
            Self::File(file) => Some(file),
        }
    }

    /// Returns the name of the host, or of the system in a file.
    pub fn host(&self) -> String {
        match self {
            Self::Flake(pin) => pin.host.clone(),
            Self::File(file) => file.name(),
        }
    }
}

impl Configuration {
    /// Returns the specialisation and the extra modules.
    pub fn additions(&self) -> (Option<&str>, &[ExtraModule]) {
        (self.specialisation.as_deref(), &self.extras)
    }

    /// Returns the store paths of all trees that the configuration needs.
    pub fn trees(&self) -> impl Iterator<Item = &str> {
        let own = self.source.pin().into_iter().flat_map(Pin::trees);
        own.chain(self.extras.iter().flat_map(ExtraModule::trees))
    }

    /// Returns the relation between a base and the source. Returns `None` for a file, because a
    /// file is not pinned.
    pub fn base_status(&self, base: Option<&str>) -> Option<BaseStatus> {
        let compared = self.source.pin()?.compared.as_ref();
        Some(match compared.filter(|one| Some(&*one.toplevel) == base) {
            None => BaseStatus::NeverCompared,
            Some(one) if one.evaluated == one.toplevel => BaseStatus::Same,
            Some(_) => BaseStatus::Differs,
        })
    }
}

impl Pin {
    /// Formats the commit as ` at REV`, or returns an empty string if there is no commit hash.
    pub fn at_revision(&self) -> String {
        let revision = self.rev.as_ref();
        revision.map_or_else(String::new, |revision| {
            format!(" at {}", revision.chars().take(12).collect::<String>())
        })
    }

    /// Returns the names of the inputs to replace in the lock file at each evaluation of the pin,
    /// with their references.
    pub fn replaced(&self) -> Vec<(String, String)> {
        let pair = |input: &PinnedInput| (input.name.clone(), input.locked.clone());
        self.inputs.iter().map(pair).collect()
    }

    /// Returns the store paths of the flake's tree and of its inputs.
    pub fn trees(&self) -> impl Iterator<Item = &str> {
        let inputs = self.inputs.iter().map(|input| input.source.as_str());
        let store = self.source.rsplit_once('/').map_or("", |(store, _)| store);
        let graph = self.graph.iter().filter_map(|node| node.source(store));
        std::iter::once(self.source.as_str())
            .chain(inputs)
            .chain(graph)
    }
}

impl SystemFile {
    /// Returns the name of the system: its attribute path, or the name of its file.
    pub fn name(&self) -> String {
        if self.attribute.is_empty() {
            let name = Path::new(&self.path).file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        } else {
            written(&self.attribute)
        }
    }

    /// Describes the system for messages.
    pub fn words(&self) -> String {
        let path = &self.path;
        match self.attribute.as_slice() {
            [] => format!("the file {path}"),
            names => format!("{} of the file {path}", written(names)),
        }
    }
}

impl ExtraModule {
    /// Returns the store paths of the trees that the module needs.
    fn trees(&self) -> impl Iterator<Item = &str> {
        let inputs = self.flake.iter().flat_map(|pin| &pin.inputs);
        let inputs = inputs.map(|input| input.source.as_str());
        std::iter::once(self.source.as_str()).chain(inputs)
    }
}

// Records and `--json` have had this form since before files were supported.
/// The configuration from which a system was built: a pinned flake, or a system in a file. A system
/// in a file has the fields of a pin too, but most of them are empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Configuration")]
struct RecordedConfiguration {
    #[serde(flatten)]
    pin: Pin,
    /// The chosen specialisation; absent for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    specialisation: Option<String>,
    /// The active modules that are not part of the source, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extras: Vec<ExtraModule>,
    /// The system in a file. It is not pinned: each evaluation reads the current content of the
    /// file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<SystemFile>,
}

impl From<RecordedConfiguration> for Configuration {
    fn from(recorded: RecordedConfiguration) -> Self {
        Self {
            source: match recorded.file {
                Some(file) => file.into(),
                None => recorded.pin.into(),
            },
            specialisation: recorded.specialisation,
            extras: recorded.extras,
        }
    }
}

impl From<Configuration> for RecordedConfiguration {
    fn from(configuration: Configuration) -> Self {
        let Configuration {
            source,
            specialisation,
            extras,
        } = configuration;
        let (pin, file) = match source {
            Source::Flake(pin) => (*pin, None),
            Source::File(file) => (
                Pin {
                    url: file.path.clone(),
                    host: file.name(),
                    ..Pin::default()
                },
                Some(file),
            ),
        };
        Self {
            pin,
            specialisation,
            extras,
            file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a configuration from JSON, and checks that it is written as it was read.
    fn recorded(text: &str) -> Configuration {
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let configuration: Configuration =
            serde_json::from_value(value.clone()).expect("a configuration");
        let written = serde_json::to_value(&configuration).expect("JSON");
        assert_eq!(written, value);
        configuration
    }

    #[test]
    fn flake_of_release_without_files_is_read() {
        let old = recorded(
            r#"{"url":"/x","locked":"path:/s","source":"/s","host":"box",
                "overrides":[["a","path:/a"]],"baked":false,"specialisation":"travel"}"#,
        );
        assert_eq!(old.source.file(), None);
        assert_eq!(old.trees().collect::<Vec<_>>(), ["/s"]);
        assert_eq!(old.specialisation.as_deref(), Some("travel"));
        let pin = old.source.pin().expect("a pin");
        assert_eq!(pin.input_overrides, [("a".into(), "path:/a".into())]);
    }

    #[test]
    fn file_is_recorded_with_the_fields_of_a_pin() {
        let file = recorded(
            r#"{"url":"/etc/nixos/default.nix","locked":"","source":"","host":"nodes.\"a.b\"",
                "baked":false,"extras":[{"name":"x.nix","source":"/nix/store/x","keep":true}],
                "file":{"path":"/etc/nixos/default.nix","attribute":["nodes","a.b"]}}"#,
        );
        assert_eq!(file.source.pin(), None);
        assert_eq!(file.source.host(), "nodes.\"a.b\"");
        assert_eq!(file.trees().collect::<Vec<_>>(), ["/nix/store/x"]);
    }

    #[test]
    fn base_is_compared_by_its_toplevel() {
        let compared = |evaluated: &str| Pin {
            compared: Some(ComparedBase {
                toplevel: "/base".into(),
                evaluated: evaluated.into(),
            }),
            ..Pin::default()
        };
        let status =
            |pin: Pin, base| Configuration::from(Source::from(pin)).base_status(Some(base));
        assert_eq!(status(compared("/base"), "/base"), Some(BaseStatus::Same));
        assert_eq!(
            status(compared("/other"), "/base"),
            Some(BaseStatus::Differs)
        );
        let never = Some(BaseStatus::NeverCompared);
        assert_eq!(status(compared("/base"), "/another"), never);
        assert_eq!(status(Pin::default(), "/base"), never);
        let file = Configuration::from(Source::from(SystemFile::default()));
        assert_eq!(file.base_status(Some("/base")), None);
    }
}
