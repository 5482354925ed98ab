//! Explains why evaluation did not find a file.
//!
//! Takes the request and libnix's message; returns a hint. Reads the file system, but runs no
//! program.

use std::path::{Path, PathBuf};

use super::trees::Trees;
use super::{EvaluationRequest, FlakeReference};
use crate::local::{LocalReference, as_git, git_tree};
use crate::percent::decode;
use crate::quoting::for_shell;

/// Returns a hint if the error says that a file is missing, or that evaluation may not access it.
pub(super) fn hint(request: &EvaluationRequest, message: &str) -> Option<String> {
    let missing = message.starts_with("path '") && message.contains("does not exist");
    let missing = missing || message.contains("No such file");
    let alone = request.extras.iter().any(|extra| extra.path.is_some());
    if alone && (missing || message.contains("is forbidden in pure evaluation")) {
        return Some("if the file imports other files, specify its folder, which needs a default.nix; --module copies only the specified path".into());
    }
    missing.then_some(())?;
    let Some(flake) = request.source.flake() else {
        return Some("check the spelling of the path".into());
    };
    let named = quoted_path(message);
    let trees = Trees::of(request);
    if let Some((name, file)) = named.as_deref().and_then(|file| trees.input(file)) {
        return Some(format!(
            "the input {name} has no {}: correct the path, or, if a newer {name} has it, run `nix flake update {name}` in the flake's folder",
            file.display()
        ));
    }
    let file = named.as_deref().and_then(|file| trees.inside(file));
    if let (Some(file), Some(own)) = (file, trees.own()) {
        if let Some(module) = submodule(own, file) {
            return Some(in_submodule(&flake.url, &request.host, &module));
        }
        if let Some(known) = in_work_tree(&flake.url, file) {
            return Some(known);
        }
    }
    Some(match is_git(flake) {
        true => "check the spelling of the path; if the file exists but git does not track it, run `git add -N FILE` in the flake's folder".into(),
        false => "check the spelling of the path, and that the file is inside the flake's folder".into(),
    })
}

/// Returns the path that a message quotes.
fn quoted_path(message: &str) -> Option<PathBuf> {
    let at = message.find("'/")?;
    let rest = &message[at + 1..];
    Some(PathBuf::from(&rest[..rest.find('\'')?]))
}

/// Returns the git submodule that should contain a file, if the tree was fetched without that
/// submodule.
fn submodule(tree: &Path, file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(tree.join(".gitmodules")).ok()?;
    let folders = text.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "path").then(|| value.trim().to_string())
    });
    let mut found = folders.filter(|folder| file.starts_with(folder));
    found.find(|folder| {
        let mut entries = std::fs::read_dir(tree.join(folder)).into_iter().flatten();
        entries.next().is_none()
    })
}

fn in_submodule(url: &str, host: &str, module: &str) -> String {
    let with = |url: &str| {
        let sign = if url.contains('?') { '&' } else { '?' };
        for_shell(&format!("{url}{sign}submodules=1#{host}"))
    };
    let url = as_git(url).unwrap_or_else(|| url.into());
    let reference = match url.starts_with("git") {
        true => with(&url),
        false => "'git+…?submodules=1'".into(),
    };
    format!(
        "{module} is a git submodule, and flakes are fetched without submodules: use --flake {reference}"
    )
}

/// Looks in the flake's work tree to explain why the fetched tree lacks a file.
fn in_work_tree(url: &str, file: &Path) -> Option<String> {
    let plain = url
        .strip_prefix("git+file://")
        .and_then(|url| url.split('?').next());
    let top = match plain {
        Some(path) => PathBuf::from(decode(path)),
        None => {
            let local = LocalReference::parse(url, Path::new("/"))?;
            git_tree(&local.path)?.to_path_buf()
        }
    };
    if !top.join(file).exists() {
        return top.exists().then(|| {
            format!(
                "there is no {} in {}: check the spelling of the path",
                file.display(),
                top.display()
            )
        });
    }
    Some(format!(
        "the file exists, but git does not track it yet: run `git -C {} add -N {}`",
        for_shell(&top.to_string_lossy()),
        for_shell(&file.to_string_lossy())
    ))
}

/// Returns whether the flake is in a git tree, according to its reference and its pin.
fn is_git(flake: &FlakeReference) -> bool {
    flake.url.starts_with("git")
        || flake.reference.contains("&rev=")
        || !flake.extra.is_empty()
        || as_git(&flake.url).is_some()
}
