//! Reads `/etc/runtime-modules/config.json`, which contains the source of the running system, its
//! runtime modules, and settings.
//!
//! The NixOS module writes this file (`nixos/runtime-modules/config.nix`). Tests check both the
//! writer and this reader against the schema `nixos/runtime-modules/config.schema.json`.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Deserializer, de};

use crate::choice::{Elevate, OnFailedUnits, OnMismatch, SETTLE};
use crate::duration;
use crate::input_graph::graph_lock;
use crate::locations::Locations;
use crate::percent;
use crate::record::{InputNode, Pin, Source, SystemFile, read_json};
use crate::registry::{Origin, Registered};

/// The content of the file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baked {
    /// The source that the running system was built from; null if the option `flake` is not set.
    pub flake: Option<BakedFlake>,
    /// The flake reference from which `rebuild` fetches the newest source.
    pub flake_url: Option<String>,
    /// The file that contains the configuration; null if the configuration is in a flake.
    #[serde(default)]
    pub file: Option<SystemFile>,
    /// The name of this configuration among the flake's nixosConfigurations.
    pub host: String,
    /// The declared modules, in the order in which they apply.
    pub modules: Vec<BakedModule>,
    /// Whether the requested modules are enabled again after a boot.
    #[serde(default)]
    pub restore_at_boot: bool,
    /// The response to units that fail because of a change.
    #[serde(default)]
    pub on_failed_units: OnFailedUnits,
    /// The time that a change waits for its confirmation, such as `60s` or `1h30m`; null or `0` if
    /// changes need no confirmation.
    #[serde(default, deserialize_with = "confirmation")]
    #[schemars(with = "Option<String>", regex(pattern = duration::SYNTAX))]
    pub confirm: Option<Duration>,
    /// The time, such as `3s`, during which a change watches services that systemd considers
    /// started as soon as their process runs; `0` disables the watch.
    #[serde(default = "default_settle", deserialize_with = "settle_time")]
    #[schemars(with = "String", regex(pattern = duration::SYNTAX), extend("default" = "3s"))]
    pub settle: Duration,
    /// The response to an override that was applied without a new toplevel and turns out to be
    /// incomplete.
    #[serde(default)]
    pub on_mismatch: OnMismatch,
    /// The elevation program for an activation.
    #[serde(default)]
    pub elevation: Elevate,
}

/// The source of the running system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = UnreadFields::add)]
pub struct BakedFlake {
    /// The store path of the source tree.
    pub source: String,
    /// The locked `path:` reference to the source tree.
    pub url: String,
    /// The commit hash of a clean tree.
    pub rev: Option<String>,
    /// The time of the last change, in seconds since 1970.
    pub last_modified: Option<u64>,
    /// The hash of the commit that a dirty tree is based on.
    pub dirty_rev: Option<String>,
    /// The short form of `dirtyRev`.
    pub dirty_short_rev: Option<String>,
    /// The store paths of all input sources. They stay in the store as long as the system does.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// The flake, followed by the inputs that the system was built with; null if flake.lock names
    /// the same inputs.
    #[serde(default)]
    pub input_graph: Option<Vec<InputNode>>,
}

/// Fields of a source that this program does not read.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct UnreadFields {
    /// The folder of flake.nix in the tree; empty if it is the root of the tree.
    dir: String,
    /// The NAR hash of the tree.
    nar_hash: Option<String>,
    /// The number of commits up to the revision.
    rev_count: Option<u64>,
    /// The content of flake.lock.
    lock: Option<serde_json::Map<String, serde_json::Value>>,
}

impl UnreadFields {
    /// Adds these fields to the schema of a source, each with a comment.
    fn add(source: &mut Schema) {
        let unread = schema_for!(Self);
        let fields = unread.get("properties").and_then(|all| all.as_object());
        let known = source
            .get_mut("properties")
            .and_then(|all| all.as_object_mut());
        if let (Some(fields), Some(known)) = (fields, known) {
            for (name, field) in fields {
                let mut field = field.clone();
                field["$comment"] = "runtime-module does not read this field.".into();
                known.insert(name.clone(), field);
            }
        }
    }
}

/// A runtime module.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BakedModule {
    /// The module's name.
    pub name: String,
    /// The description; if it is null, the first line of the comment at the beginning of the
    /// module's file is shown.
    pub description: Option<String>,
    /// The module's file, relative to the source; null if it is not a single file of the source.
    pub file: Option<String>,
    /// Whether the module is declared in the host's option `services.runtimeModules.modules` or in
    /// the flake's output `runtimeModules`.
    pub origin: Origin,
    /// The files that declare the module; those in the source are relative to it.
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
            Some(flake) => Some(self.pin(flake).into()),
            None => self.file.clone().map(Source::from),
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
        // Nix and this program may percent-encode the same reference differently.
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
    duration::parse(&text)
        .map(Some)
        .map_err(|why| de::Error::custom(format!("confirm is {text:?}: {why}")))
}

fn default_settle() -> Duration {
    SETTLE
}

/// Reads the option `settle`.
fn settle_time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    duration::parse(&text).map_err(|why| de::Error::custom(format!("settle is {text:?}: {why}")))
}

#[cfg(test)]
mod tests;
