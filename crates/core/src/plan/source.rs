//! Determines the source of the configuration: the pinned source, a file, or a reference to pin.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Action;
use super::configuration::current_configuration;
use super::file::file;
use crate::error::{Failed, Message as _, SourceError};
use crate::host::Situation;
use crate::options::SourceOptions;
use crate::record::{Configuration, Pin, Source};

/// The entry of `nixosConfigurations` to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// The entry that the user or the pin names.
    Named(String),
    /// The default entry, unless the reference names a different entry after its `#`.
    Usual(String),
}

/// The source of the configuration after the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedSource {
    /// A flake that is already pinned, or a file.
    Known(Source),
    /// A reference that this change must lock and pin.
    Reference {
        reference: String,
        /// The base folder of relative paths in the reference.
        base: PathBuf,
        /// The inputs to replace.
        input_overrides: Vec<(String, String)>,
        /// The entry of `nixosConfigurations`.
        host: Host,
        /// The pin from which the reference is taken, if the change replaces only inputs.
        of: Option<Box<Pin>>,
    },
}

/// Returns the source of the configuration.
pub fn source(
    action: &Action,
    situation: &Situation,
    options: &SourceOptions,
    here: &Path,
) -> Result<PlannedSource> {
    let input_overrides = options.input_overrides.clone();
    let current = current_configuration(situation);
    let reference = |reference: String, input_overrides| -> Result<PlannedSource> {
        Ok(PlannedSource::Reference {
            reference,
            base: here.to_path_buf(),
            input_overrides,
            host: host(situation, options, current.as_ref())?,
            of: None,
        })
    };
    if let Some(flake) = &options.flake {
        return reference(flake.clone(), input_overrides);
    }
    if let Some(file) = file(situation, options, here)? {
        return Ok(PlannedSource::Known(Source::File(file)));
    }
    let pinned = current.as_ref().and_then(|current| current.source.pin());
    if *action == Action::Rebuild {
        let url = url_to_rebuild(situation, pinned)?;
        let kept = pinned.map(|pin| pin.input_overrides.clone());
        let kept = kept.unwrap_or_default();
        let replaced = match input_overrides.is_empty() {
            true => kept,
            false => input_overrides,
        };
        return reference(url, replaced);
    }
    match pinned.cloned() {
        Some(pin) => Ok(pinned_source(pin, options, here)),
        None => reference(url_without_pin(situation)?, input_overrides),
    }
}

/// Returns the entry of `nixosConfigurations` in a source that is not pinned yet.
fn host(
    situation: &Situation,
    options: &SourceOptions,
    current: Option<&Configuration>,
) -> Result<Host> {
    if let Some(host) = &options.host {
        return Ok(Host::Named(host.clone()));
    }
    let baked = situation.baked.as_ref();
    let known = baked
        .map(|baked| baked.host.clone())
        .or_else(|| current.map(|current| current.source.host()));
    known.map_or_else(own_name, Ok).map(Host::Usual)
}

/// Returns the pinned source, with the host and the inputs that the options replace.
fn pinned_source(mut pin: Pin, options: &SourceOptions, here: &Path) -> PlannedSource {
    if options.input_overrides.is_empty() {
        if let Some(host) = &options.host {
            pin.host.clone_from(host);
        }
        return PlannedSource::Known(pin.into());
    }
    PlannedSource::Reference {
        reference: pin.locked.clone(),
        base: here.to_path_buf(),
        input_overrides: options.input_overrides.clone(),
        host: Host::Named(options.host.clone().unwrap_or_else(|| pin.host.clone())),
        of: Some(Box::new(pin)),
    }
}

/// Returns the reference from which `rebuild` fetches the source again.
fn url_to_rebuild(situation: &Situation, pinned: Option<&Pin>) -> Result<String, Failed> {
    let asked = pinned.filter(|pin| !pin.baked).map(|pin| pin.url.clone());
    // Without a pin, use the flake that NixOS's own tools use.
    let usual = situation.usual.clone().filter(|_| pinned.is_none());
    let baked = situation.baked.as_ref();
    let url = baked.and_then(|baked| baked.flake_url.clone());
    let url = url.or(asked).or(usual);
    url.ok_or_else(|| SourceError::NoFlakeUrl.into())
}

/// Returns the reference to pin if there is no pin yet.
fn url_without_pin(situation: &Situation) -> Result<String, Failed> {
    let baked = situation.baked.as_ref();
    let url = baked.and_then(|baked| baked.flake_url.clone());
    let asked =
        situation
            .state
            .configuration
            .as_ref()
            .map(|configuration| match &configuration.source {
                Source::Flake(pin) => Some(pin.url.clone()).filter(|_| !pin.baked),
                Source::File(file) => Some(file.path.clone()),
            });
    url.or(asked.flatten())
        .or_else(|| situation.usual.clone())
        .ok_or_else(|| unknown(situation))
}

/// Returns the source whose modules are to be listed.
pub fn source_to_list(
    situation: &Situation,
    options: &SourceOptions,
    here: &Path,
) -> Result<PlannedSource> {
    source(&Action::Apply, situation, options, here)
}

/// Returns the error for an unknown source.
fn unknown(situation: &Situation) -> Failed {
    match &situation.plain {
        Some(file) => SourceError::UnknownFlake
            .detail(format!("{file} exists, but there is no flake.nix next to it"))
            .hint(format!("use --file {file} to evaluate the file impurely; set services.runtimeModules.file to make this permanent"))
            .hint(format!("to pin the configuration, create a flake.nix next to the file, define its output nixosConfigurations.{} = nixpkgs.lib.nixosSystem {{ modules = [ ./configuration.nix ]; }}, and specify the folder with --flake", own_name().unwrap_or_else(|_| "HOST".into()))),
        None => SourceError::UnknownFlake
            .hint("specify the flake with --flake and its host with --host; the program then pins the flake")
            .hint("or set services.runtimeModules.flake = self in the configuration, then switch to it with nixos-rebuild"),
    }
}

fn own_name() -> Result<String> {
    let name = unix::unistd::gethostname().context("cannot read the host name")?;
    Ok(name.to_string_lossy().into_owned())
}
