//! Reads `/etc/runtime-modules/config.json`, which contains the source of the running system, its
//! runtime modules, and settings.
//!
//! The NixOS module writes this file (`nixos/runtime-modules/config.nix`). Tests check both the
//! writer and this reader against the schema `nixos/runtime-modules/config.schema.json`.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Deserializer, de};

use crate::choice::{Elevate, OnFailedUnits, SETTLE};
use crate::duration;
use crate::input_graph::graph_lock;
use crate::locations::Locations;
use crate::percent;
use crate::record::{InputNode, Pin, Source, SystemFile, read_json};
use crate::registry::{Origin, Registered};

/// The content of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baked {
    /// The source of the running system; `None` if the option `flake` is not set.
    pub flake: Option<BakedFlake>,
    /// The reference from which newer versions of the source are fetched.
    pub flake_url: Option<String>,
    /// The file that contains the configuration, if the configuration is not in a flake.
    #[serde(default)]
    pub file: Option<SystemFile>,
    /// The entry of `nixosConfigurations`.
    pub host: String,
    /// All modules, in the order in which they are evaluated.
    pub modules: Vec<BakedModule>,
    /// Whether the requested modules are enabled again after a boot.
    #[serde(default)]
    pub restore_at_boot: bool,
    /// The response to units that fail because of a change.
    #[serde(default)]
    pub on_failed_units: OnFailedUnits,
    /// The time limit for confirming a change; `None` if a change needs no confirmation.
    #[serde(default, deserialize_with = "confirmation")]
    pub confirm: Option<Duration>,
    /// The time to watch services that systemd considers started as soon as their process runs.
    #[serde(default = "default_settle", deserialize_with = "settle_time")]
    pub settle: Duration,
    /// The way to become root.
    #[serde(default)]
    pub elevation: Elevate,
}

/// The source of the running system.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BakedFlake {
    /// The store path of the source tree.
    pub source: String,
    /// The locked `path:` reference to the source tree.
    pub url: String,
    pub rev: Option<String>,
    /// The time of the last change, in seconds since 1970.
    pub last_modified: Option<u64>,
    /// The commit that the tree is based on, if the tree is dirty.
    pub dirty_rev: Option<String>,
    /// The short form of `dirty_rev`.
    pub dirty_short_rev: Option<String>,
    /// The store paths of the trees of all inputs.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// The flake and its inputs, if the inputs differ from those in the flake's lock file.
    #[serde(default)]
    pub input_graph: Option<Vec<InputNode>>,
}

/// A runtime module.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BakedModule {
    pub name: String,
    pub description: Option<String>,
    /// The file of the module, relative to the source tree.
    pub file: Option<String>,
    pub origin: Origin,
    /// The files that declare the module.
    #[serde(default)]
    pub declared: Vec<String>,
    /// Whether `check` skips the module.
    #[serde(default)]
    pub skip_validation: bool,
}

impl Baked {
    /// Reads the file. Returns `None` on a machine without the NixOS module.
    pub(crate) fn read(locations: &Locations) -> Result<Option<Self>> {
        read_json(
            &locations.baked(),
            "switch to a working configuration with nixos-rebuild, which writes this file again",
        )
    }

    /// Returns the baked source.
    pub fn source(&self) -> Option<Source> {
        match &self.flake {
            Some(flake) => Some(Source::Flake(Box::new(self.pin(flake)))),
            None => self.file.clone().map(Source::File),
        }
    }

    fn pin(&self, flake: &BakedFlake) -> Pin {
        let extra = [
            ("dirtyRev", &flake.dirty_rev),
            ("dirtyShortRev", &flake.dirty_short_rev),
        ];
        let mut pin = Pin {
            url: self.flake_url.clone().unwrap_or_else(|| flake.url.clone()),
            locked: flake.url.clone(),
            source: flake.source.clone(),
            host: self.host.clone(),
            rev: flake.rev.clone().or_else(|| flake.dirty_rev.clone()),
            last_modified: flake.last_modified,
            extra: extra
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_string(), value.clone()?)))
                .collect(),
            input_overrides: Vec::new(),
            inputs: Vec::new(),
            graph: flake.input_graph.clone().unwrap_or_default(),
            compared: None,
            baked: true,
        };
        // Without a valid graph, use the inputs of the lock file. If they differ from the real
        // inputs, the comparison of the base detects the difference.
        if graph_lock(&pin).is_err() {
            pin.graph.clear();
        }
        pin
    }

    /// Returns whether the file was baked from the source of this pin, for the same host.
    pub fn is_of(&self, pin: &Pin) -> bool {
        // Nix and this program may escape the same reference in different ways.
        let same = |flake: &BakedFlake| percent::decode(&flake.url) == percent::decode(&pin.locked);
        self.host == pin.host && self.flake.as_ref().is_some_and(same)
    }

    /// Returns the modules, with absolute paths to their files.
    pub fn registry(&self) -> Vec<Registered> {
        let source = self
            .flake
            .as_ref()
            .map(|flake| flake.source.as_str())
            .unwrap_or_default();
        let whole = |file: &String| Path::new(source).join(file).to_string_lossy().into_owned();
        self.modules
            .iter()
            .map(|module| Registered {
                name: module.name.clone(),
                description: module.description.clone(),
                origin: module.origin,
                file: module.file.as_ref().map(whole),
                declared: module.declared.clone(),
                skip_validation: module.skip_validation,
            })
            .collect()
    }
}

/// Reads the option `confirm`.
fn confirmation<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else {
        return Ok(None);
    };
    duration::parse_configured(&text)
        .map(Some)
        .map_err(|why| de::Error::custom(format!("confirm is {text:?}: {why}")))
}

fn default_settle() -> Duration {
    SETTLE
}

/// Reads the option `settle`, which can be `0`.
fn settle_time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    duration::parse_configured(&text)
        .map_err(|why| de::Error::custom(format!("settle is {text:?}: {why}")))
}

#[cfg(test)]
mod tests;
