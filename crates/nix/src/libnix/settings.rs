//! The Nix settings of a session. Applies them to the process and to evaluators.

use anyhow::{Context as _, Result};
use nix_ffi::EvaluatorBuilder;
use serde::{Deserialize, Serialize};

use super::{NixError, Store};
use crate::error::LibnixError;

/// The settings with which libnix is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// URL of the store; `None` for the default store of this machine.
    pub store: Option<String>,
    /// Nix settings: names and values.
    pub options: Vec<(String, String)>,
    /// Whether errors contain the full trace.
    pub show_trace: bool,
    /// Whether evaluation may access anything outside the flake.
    pub impure: bool,
    /// `NIX_PATH`, for impure evaluation.
    #[serde(default)]
    pub search_path: Option<String>,
    /// Whether evaluation may build.
    pub allow_import_from_derivation: bool,
    /// Maximum verbosity of libnix messages, from 0 (error) to 4 (talkative).
    pub verbosity: u8,
}

impl Settings {
    /// Applies these settings to the process, before a store is opened.
    pub(super) fn apply(&self) -> Result<()> {
        nix_ffi::set_verbosity(self.verbosity);
        set("extra-experimental-features", "nix-command flakes")?;
        set("show-trace", bool_text(self.show_trace))?;
        for (name, value) in &self.options {
            // Ignore unknown names here: only an evaluator knows the evaluation settings. It sets
            // all settings again and refuses unknown names.
            nix_ffi::set_setting(name, value).map_err(|error| wrong_setting(name, &error))?;
        }
        Ok(())
    }

    /// Makes the builder of an evaluator, with these settings.
    pub(super) fn builder(&self, store: &Store) -> Result<EvaluatorBuilder> {
        let builder = EvaluatorBuilder::new(store.nix())?;
        let apply = |name: &str, value: &str| {
            builder
                .set_setting(name, value)
                .with_context(|| format!("cannot set the Nix setting {name}"))
        };
        apply("pure-eval", bool_text(!self.impure))?;
        // libnix reads `NIX_PATH` only in the `nix` commands.
        if let Some(path) = self.search_path.as_ref().filter(|_| self.impure) {
            apply("nix-path", &search_path(path))?;
        }
        if !self.allow_import_from_derivation {
            apply("allow-import-from-derivation", "false")?;
        }
        for (name, value) in &self.options {
            let known = builder
                .set_setting(name, value)
                .map_err(|error| wrong_setting(name, &error))?;
            if !known {
                let setting = name.clone();
                return Err(LibnixError::UnknownSetting { setting }.into());
            }
        }
        Ok(builder)
    }
}

/// Returns the system for which Nix evaluates, such as `x86_64-linux`.
pub fn system() -> Result<String, NixError> {
    Ok(setting("system")?.unwrap_or_default())
}

/// Returns the value of a setting of the process; `None` if there is no such setting.
pub fn setting(name: &str) -> Result<Option<String>, NixError> {
    nix_ffi::get_setting(name)
}

/// Sets a setting of the process.
pub(super) fn set(name: &str, value: &str) -> Result<()> {
    nix_ffi::set_setting(name, value)
        .with_context(|| format!("cannot set the Nix setting {name}"))
        .map(drop)
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn wrong_setting(name: &str, error: &NixError) -> LibnixError {
    LibnixError::WrongSetting {
        setting: name.into(),
        reason: error.message.trim().into(),
    }
}

/// Converts `NIX_PATH`, whose entries are separated by colons, to the format of the setting
/// `nix-path`, whose entries are separated by spaces. The colon of a URL scheme does not separate
/// entries (NixOS/nix, `EvalSettings::parseNixPath`).
fn search_path(path: &str) -> String {
    const SCHEMES: [&str; 8] = [
        "channel", "file", "flake", "git", "http", "https", "s3", "ssh",
    ];
    let mut entries: Vec<String> = Vec::new();
    let mut cut = false;
    for part in path.split(':') {
        match entries.last_mut().filter(|_| cut) {
            Some(entry) => *entry += &format!(":{part}"),
            None => entries.push(part.into()),
        }
        let (_, value) = part.split_once('=').unwrap_or(("", part));
        cut = !cut && SCHEMES.contains(&value);
    }
    entries.retain(|entry| !entry.is_empty());
    entries.join(" ")
}

/// Returns the version of the loaded libnix.
pub fn libnix_version() -> String {
    nix_ffi::versions().running.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_path_is_split_as_in_nix() {
        for (path, setting) in [
            ("nixpkgs=/a:/b", "nixpkgs=/a /b"),
            (
                "nixpkgs=https://x.org/a.tar.gz:/b:",
                "nixpkgs=https://x.org/a.tar.gz /b",
            ),
            (
                "nixpkgs=flake:nixpkgs:x=channel:nixos-24.05",
                "nixpkgs=flake:nixpkgs x=channel:nixos-24.05",
            ),
            ("", ""),
        ] {
            assert_eq!(search_path(path), setting);
        }
    }
}
