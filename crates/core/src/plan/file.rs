//! Finds the system that is defined in a file instead of a flake. The file is named on the command
//! line, remembered from an earlier change, or baked in.
//!
//! Takes the command line and the situation, and returns the file. Checks whether files exist, but
//! does not evaluate them.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

use super::current_configuration;
use crate::attributes::parse;
use crate::error::{Failed, SourceError};
use crate::host::Situation;
use crate::options::{Options, SourceOptions};
use crate::record::{Source, SystemFile};

/// The files to look for in a folder, in this order.
const USUAL: [&str; 2] = ["default.nix", "configuration.nix"];

/// The options that apply only to flakes.
const OF_FLAKES: [&str; 4] = [
    "--flake",
    "--host",
    "--override-input",
    "--accept-flake-config",
];

/// Refuses empty names and conflicting options.
pub fn agree(options: &Options) -> Result<(), Failed> {
    let source = &options.source;
    for (option, empty) in [
        ("--flake", source.flake.as_deref() == Some("")),
        ("--host", source.host.as_deref() == Some("")),
    ] {
        if empty {
            let option = option.to_string();
            return Err(SourceError::EmptyName { option }.into());
        }
    }
    let Some(file) = &source.file else {
        return match &source.attribute {
            Some(attribute) => Err(SourceError::AttributeWithoutFile {
                attribute: attribute.clone(),
            }
            .into()),
            None => Ok(()),
        };
    };
    let given = [
        source.flake.is_some(),
        source.host.is_some(),
        !source.input_overrides.is_empty(),
        options.accept_flake_config,
    ];
    let shown = file.display().to_string();
    match OF_FLAKES.iter().zip(given).find(|(_, given)| *given) {
        Some((&"--host", _)) => Err(SourceError::HostOfFile { file: shown }.into()),
        Some((option, _)) => Err(SourceError::FlakeOptionWithFile {
            file: shown,
            option: option.to_string(),
        }
        .into()),
        None => Ok(()),
    }
}

/// Returns the file that defines the system, unless the system is a host of a flake.
pub(super) fn file(
    situation: &Situation,
    options: &SourceOptions,
    here: &Path,
) -> Result<Option<SystemFile>> {
    if let Some(path) = &options.file {
        return named(path, options.attribute.as_deref(), here).map(Some);
    }
    let Some(file) = remembered(situation, options) else {
        return Ok(None);
    };
    let given = [options.host.is_some(), !options.input_overrides.is_empty()];
    if let Some((option, _)) = OF_FLAKES[1..].iter().zip(given).find(|(_, given)| *given) {
        return Err(SourceError::FlakeOptionForRememberedFile {
            option: option.to_string(),
            file: file.words(),
        }
        .into());
    }
    if !Path::new(&file.path).exists() {
        return Err(SourceError::RememberedFileGone { file: file.path }.into());
    }
    Ok(Some(file))
}

/// Returns whether the system is defined in a file.
pub fn is_file(situation: &Situation, options: &SourceOptions) -> bool {
    options.file.is_some() || remembered(situation, options).is_some()
}

/// Returns whether the source is not the baked one: the options name a flake, a host or a file, or
/// the remembered file differs from the baked file. If so, the baked list of modules does not
/// apply.
pub fn is_elsewhere(situation: &Situation, options: &SourceOptions) -> bool {
    options.flake.is_some() || options.host.is_some() || is_another_file(situation, options)
}

/// Returns whether the source is a file other than the baked one: the options name a file, or the
/// remembered file differs from the baked file. If so, the baked list of modules does not apply.
pub fn is_another_file(situation: &Situation, options: &SourceOptions) -> bool {
    let baked = situation
        .baked
        .as_ref()
        .and_then(|baked| baked.file.clone());
    options.file.is_some() || remembered(situation, options).is_some_and(|file| Some(file) != baked)
}

/// Returns the file of the last change, or else the baked file. Returns `None` if the command line
/// or the configuration names a flake.
fn remembered(situation: &Situation, options: &SourceOptions) -> Option<SystemFile> {
    if options.flake.is_some() {
        return None;
    }
    let url = situation
        .baked
        .as_ref()
        .and_then(|baked| baked.flake_url.as_ref());
    let configuration = match current_configuration(situation) {
        Some(current) => Some(current),
        None if url.is_some() => None,
        // An external switch does not change which file contains the configuration.
        None => situation.state.configuration.clone(),
    };
    match configuration?.source {
        Source::File(file) => Some(file),
        Source::Flake(_) => None,
    }
}

/// Returns the file that `--file` names.
fn named(path: &Path, attribute: Option<&str>, here: &Path) -> Result<SystemFile> {
    let shown = path.display().to_string();
    let whole = absolute(&here.join(path))?;
    if let Some(folder) = flake_folder(&whole) {
        return Err(SourceError::FileIsFlake {
            file: shown,
            folder: folder.display().to_string(),
        }
        .into());
    }
    let file = if whole.is_dir() {
        let mut files = USUAL.iter().map(|name| whole.join(name));
        let found = files.find(|file| file.exists());
        found.ok_or_else(|| SourceError::NoFileInFolder {
            folder: shown.clone(),
        })?
    } else if whole.exists() {
        whole
    } else {
        return Err(SourceError::NoSuchFile { file: shown }.into());
    };
    let path = file
        .to_str()
        .ok_or(SourceError::FileNotUtf8 { file: shown })?;
    Ok(SystemFile {
        path: path.into(),
        attribute: parse(attribute.unwrap_or_default())?,
    })
}

/// Returns the folder of a flake if the path is a file `flake.nix`, or a folder that contains only
/// a flake.
fn flake_folder(path: &Path) -> Option<&Path> {
    if path.is_dir() {
        let plain = USUAL.iter().any(|name| path.join(name).exists());
        return (!plain && path.join("flake.nix").exists()).then_some(path);
    }
    let named = path.ends_with("flake.nix") && path.exists();
    named.then(|| path.parent())?
}

/// Makes a path absolute. Resolves links only if the path contains `..`, because the meaning of
/// `..` depends on them.
fn absolute(path: &Path) -> Result<PathBuf> {
    if path.components().any(|part| part == Component::ParentDir) && path.exists() {
        return path
            .canonicalize()
            .with_context(|| format!("cannot resolve the path {}", path.display()));
    }
    std::path::absolute(path).with_context(|| format!("cannot resolve the path {}", path.display()))
}
