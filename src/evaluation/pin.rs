//! Locks a flake in the client, to pin what everything is evaluated from.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::explain::at;
use super::fetching;
use super::input_graph::graph_inputs;
use super::local::{Resolved, resolve};
use super::misnamed;
use crate::error::{Failure, one_line};
use crate::libnix::{Libnix, LockedFlake, NixError, Store, daemon_hint};
use crate::percent;
use crate::record::{Pin, PinnedInput};

/// What cannot be said in a `path:` reference, and is seen by the flake as attributes of `self`.
const EXTRA: [&str; 2] = ["dirtyRev", "dirtyShortRev"];

/// What to do in place of evaluating in another machine's store.
pub const REMOTE_BUILDERS: &str = "other machines build for this one as remote builders of its own store (nix.buildMachines in the configuration)";

/// Inputs that are replaced: names and references.
type Overrides = Vec<(String, String)>;

/// Which entry of `nixosConfigurations` is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// The one that was named.
    Named(String),
    /// This one, unless the reference names another behind its `#`.
    Usual(String),
}

/// What is to be pinned.
#[derive(Clone, Copy, Debug)]
pub struct ToPin<'a> {
    /// The flake reference.
    pub reference: &'a str,
    /// How it is called in messages: what the user asked for.
    pub shown: &'a str,
    /// What a relative path in it is relative to.
    pub base: &'a Path,
    /// Inputs to replace: names and references.
    pub overrides: &'a [(String, String)],
    /// Entry of `nixosConfigurations`.
    pub host: &'a Host,
    /// The pin whose tree the reference names, where only inputs are replaced.
    pub of: Option<&'a Pin>,
}

impl ToPin<'_> {
    /// The reference without links that Nix does not follow. That of a pin is a tree in the store.
    fn resolved(&self) -> Resolved {
        match self.of {
            Some(_) => Resolved::of(self.reference),
            None => resolve(self.reference, self.base),
        }
    }
}

/// The replaced inputs, each without links that Nix does not follow.
fn resolved_overrides(what: &ToPin<'_>) -> Vec<(String, Resolved)> {
    what.overrides
        .iter()
        .map(|(name, reference)| (name.clone(), resolve(reference, what.base)))
        .collect()
}

/// Fetches a flake, and pins the very tree that was fetched, as it lies in the store.
pub fn pin(libnix: &Libnix, what: &ToPin<'_>) -> Result<(Pin, LockedFlake)> {
    let (kept, pinned) = kept(what);
    let asked_for = what.resolved();
    let replacing = resolved_overrides(what);
    let overrides: Overrides = pinned
        .into_iter()
        .chain(
            replacing
                .iter()
                .map(|(name, one)| (name.clone(), one.reference.clone())),
        )
        .collect();
    let mut locked = libnix.with_evaluator(|evaluator| {
        let locked = evaluator
            .lock(&asked_for.reference, what.base, &overrides)
            .map_err(|error| unresolved(what, &error))?;
        evaluator
            .read_locked(&locked)
            .context("read the locked flake")
    })?;
    let asked = locked
        .overrides
        .split_off(overrides.len() - replacing.len());
    let host = match what.host {
        Host::Named(name) => name,
        Host::Usual(_) if !locked.fragment.is_empty() => &locked.fragment,
        Host::Usual(name) => name,
    };
    let mut pin = from_locked(&locked, host)?;
    if let Some(remembered) = asked_for.remembered {
        pin.url = remembered;
    }
    let replaced = replacing
        .into_iter()
        .zip(asked)
        .map(|((name, one), asked)| (name, one.remembered.unwrap_or(asked)));
    pin.overrides = kept.into_iter().chain(replaced).collect();
    if let Some(of) = what.of {
        // The tree is the same one still, under the name that it was asked for by.
        pin.url.clone_from(&of.url);
        pin.extra.clone_from(&of.extra);
        pin.rev.clone_from(&of.rev);
    }
    Ok((pin, locked))
}

/// Of a pin whose inputs are replaced anew: the replacements that stay, as they were asked for, and the inputs that stay as
/// they lie in the store.
fn kept(what: &ToPin<'_>) -> (Overrides, Overrides) {
    let stays = |(name, _): &&(String, String)| {
        let below = |other: &str| {
            name.strip_prefix(other)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !what.overrides.iter().any(|(other, _)| below(other))
    };
    let Some(of) = what.of else {
        return Default::default();
    };
    let mut replaced = of.replaced();
    // What cannot be named was compared with the base when it was pinned, and is announced if it changes.
    replaced.extend(graph_inputs(of).unwrap_or_default());
    let staying = |all: &Overrides| all.iter().filter(stays).cloned().collect();
    (staying(&of.overrides), staying(&replaced))
}

fn unresolved(what: &ToPin<'_>, error: &NixError) -> anyhow::Error {
    let reference = what.shown;
    if error.interrupted {
        return Failure::Interrupted
            .error("interrupted; nothing was changed")
            .into();
    }
    if let Some(failed) = fetching::failure(&format!("lock the flake {reference}"), error) {
        return failed
            .hint(
                "if a source is pinned (`runtime-module status` shows it), `enable` without --flake needs no network",
            )
            .into();
    }
    if let Some(failed) =
        misnamed::failure(reference, what.base, error).filter(|_| what.of.is_none())
    {
        return failed.into();
    }
    // The store is asked for the first time: it is not the flake that is wrong.
    if error.message.contains("connection to remote store")
        || error.message.contains("SSH connection")
    {
        let said = one_line(&error.message);
        return Failure::Refused
            .error(format!("open the store: {said}"))
            .hint("does `ssh HOST nix-daemon --version` work by itself (NIX_SSHOPTS holds options for ssh)? without --store it is this machine's own")
            .into();
    }
    if error.message.contains("cannot connect to socket") {
        return Failure::Refused
            .error(format!("open the store: {}", one_line(&error.message)))
            .hint(daemon_hint())
            .into();
    }
    // What was fetched is in the store, and the store is not here.
    if error.message.trim().ends_with("-source/' does not exist") {
        return Failure::Refused
            .error(format!("lock the flake {reference}: the store is on another machine, so its sources cannot be evaluated here"))
            .detail(error.message.trim())
            .hint(REMOTE_BUILDERS)
            .into();
    }
    let mut lines = error.message.trim().lines();
    let first = lines.next().unwrap_or_default().trim();
    let mut failed = Failure::Evaluation.error(format!("lock the flake {reference}: {first}"));
    for line in lines {
        failed = failed.detail(line);
    }
    // What has a place was found: it is the flake itself that is wrong.
    if let Some(position) = error.position.as_ref().filter(|at| !at.file.is_empty()) {
        return at(failed, position)
            .hint("correct it there: the flake cannot be read as it is")
            .into();
    }
    // Everything without a scheme may lie in a git tree, and what git does not know is no part of that.
    let may_be_git = reference.starts_with("git") || !reference.contains(':');
    if error.message.contains("does not exist") && may_be_git {
        failed = failed.hint(
            "of a git tree only what git knows is part of the flake: git add -N FILE; and its submodules only with ?submodules=1",
        );
    }
    // Nix takes it for a path, and looks for a folder of that name.
    if reference.contains(' ') && reference.contains(':') {
        failed = failed.hint("in a reference that is a URL a space is written %20; a path without a scheme may have one as it is");
    }
    failed
        .hint("a flake reference is what Nix accepts: a folder with a flake.nix, github:OWNER/REPO, git+https://…, path:…")
        .into()
}

fn from_locked(locked: &LockedFlake, host: &str) -> Result<Pin> {
    let attributes: Value =
        serde_json::from_str(&locked.attributes).context("read the locked reference")?;
    let text = |name: &str| {
        attributes
            .get(name)
            .and_then(Value::as_str)
            .map(String::from)
    };
    Ok(Pin {
        url: locked.original_url.clone(),
        // A lock that had to be changed makes the tree another one than its revision says; Nix then shows no revision either.
        locked: in_store(
            &locked.source,
            &locked.directory,
            &attributes,
            !locked.lock_changed,
        ),
        source: locked.source.clone(),
        host: host.into(),
        rev: text("rev").or_else(|| text("dirtyRev")),
        last_modified: attributes.get("lastModified").and_then(Value::as_u64),
        extra: EXTRA
            .iter()
            .filter_map(|name| text(name).map(|value| ((*name).to_string(), value)))
            .collect(),
        overrides: Vec::new(),
        inputs: pinned_inputs(locked)?,
        graph: Vec::new(),
        compared: None,
        baked: false,
        specialisation: None,
        extras: Vec::new(),
        file: None,
    })
}

/// A tree in the store as a reference that is locked. `attributes` are those of the reference that it was fetched by.
fn in_store(source: &str, directory: &str, attributes: &Value, with_revision: bool) -> String {
    let text = |name: &str| match attributes.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let directory = Some(directory.to_string()).filter(|directory| !directory.is_empty());
    let revision = |name| text(name).filter(|_| with_revision);
    let query: Vec<String> = [
        ("dir", directory),
        ("lastModified", text("lastModified")),
        ("narHash", text("narHash")),
        ("rev", revision("rev")),
        ("revCount", revision("revCount")),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}={}", percent::encode(&value?))))
    .collect();
    format!("path:{}?{}", percent::encode(source), query.join("&"))
}

/// The same of an input whose place in the store is known.
pub(super) fn in_store_at(source: &str, directory: &str, attributes: &Value) -> String {
    in_store(source, directory, attributes, true)
}

/// Inputs that must be named to be locked the same way again: those that were fetched because the flake's own lock does not
/// hold. They are pinned as they lie in the store, so that a folder may change, and a server may be gone.
pub(super) fn pinned_inputs(locked: &LockedFlake) -> Result<Vec<PinnedInput>> {
    let fetched = locked.inputs.iter().filter(|_| locked.lock_changed);
    fetched
        .map(|input| {
            let attributes = serde_json::from_str(&input.attributes).with_context(|| {
                format!("read the locked reference of the input {}", input.name)
            })?;
            Ok(PinnedInput {
                name: input.name.clone(),
                locked: in_store(&input.source, &input.directory, &attributes, true),
                source: input.source.clone(),
            })
        })
        .collect()
}

/// The inputs of a lock at any depth, those left away that follow others: how each is named from the flake, and what it is
/// locked to, for people.
pub fn lock_inputs(lock: &str) -> BTreeMap<String, String> {
    let lock: Value = serde_json::from_str(lock).unwrap_or_default();
    let root = lock.get("root").and_then(Value::as_str).unwrap_or("root");
    let mut found = BTreeMap::new();
    below(&lock, root, "", &mut found);
    found
}

/// How deep inputs of inputs are looked at: a damaged lock may go in circles.
const DEPTH: usize = 8;

fn below(lock: &Value, node: &str, prefix: &str, found: &mut BTreeMap<String, String>) {
    let inputs = lock
        .pointer(&format!("/nodes/{node}/inputs"))
        .and_then(Value::as_object);
    for (name, edge) in inputs.into_iter().flatten() {
        let Some(child) = edge.as_str() else { continue };
        let name = format!("{prefix}{name}");
        if let Some(locked) = lock.pointer(&format!("/nodes/{child}/locked")) {
            let field = |field: &str| locked.get(field).and_then(Value::as_str);
            if let Some(revision) = field("rev").or_else(|| field("narHash")) {
                found.insert(name.clone(), short_revision(revision));
            }
        }
        if name.matches('/').count() < DEPTH {
            below(lock, child, &format!("{name}/"), found);
        }
    }
}

/// What a locked reference into the store was locked to, for people.
pub fn revision_of(locked: &str) -> String {
    let revision = parameter(locked, "rev").or_else(|| parameter(locked, "narHash"));
    short_revision(&revision.unwrap_or_default().replace("%2B", "+"))
}

/// A parameter of a reference, as it stands there.
fn parameter<'a>(reference: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = reference.split_once('?')?;
    let mut all = query.split('&').filter_map(|one| one.split_once('='));
    all.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// As much of a revision or hash as tells it apart from others.
pub fn short_revision(revision: &str) -> String {
    let hash = revision.strip_prefix("sha256-").unwrap_or(revision);
    hash.chars().take(12).collect()
}

/// The text of the lock in a pinned tree; an error where the tree is gone, and nothing where it has no lock.
pub fn lock_text(store: &Store, pin: &Pin) -> Result<String> {
    let tree = store.real_path(&pin.source)?;
    tree.metadata()
        .with_context(|| format!("look at {}", tree.display()))?;
    let file = tree.join(directory(&pin.locked)).join("flake.lock");
    Ok(std::fs::read_to_string(file).unwrap_or_default())
}

/// The folder of `flake.nix`, as the reference says it. Escapes in it are not undone: then no lock is found, and the
/// reference itself, which is in the cache's key too, has to do.
pub fn directory(reference: &str) -> &str {
    parameter(reference, "dir").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dirty_tree_is_pinned_with_all_that_self_shows() {
        let locked = LockedFlake {
            original_url: "git+file:///etc/nixos?dir=host".into(),
            source: "/nix/store/aaaa-source".into(),
            directory: "host".into(),
            attributes: r#"{"type":"git","dirtyRev":"12-dirty","dirtyShortRev":"1-dirty","lastModified":5,"narHash":"sha256-a+b/c="}"#.into(),
            ..LockedFlake::default()
        };
        let pin = from_locked(&locked, "box").expect("a pin");
        assert_eq!(
            pin.locked,
            "path:/nix/store/aaaa-source?dir=host&lastModified=5&narHash=sha256-a%2Bb/c%3D"
        );
        assert_eq!(pin.extra.len(), 2);
        assert_eq!(pin.rev.as_deref(), Some("12-dirty"));
    }

    #[test]
    fn inputs_are_told_by_name_and_revision() {
        let lock = r#"{"root":"root","nodes":{
            "root":{"inputs":{"nixpkgs":"n","other":"o","same":["nixpkgs"]}},
            "n":{"locked":{"rev":"0123456789abcdef"}},
            "o":{"locked":{"narHash":"sha256-abcdefghijklmnop="},"inputs":{"deep":"n","circle":"o"}}}}"#;
        let found = lock_inputs(lock);
        let one = |name: &str| found.get(name).map(String::as_str);
        assert_eq!(one("nixpkgs"), Some("0123456789ab"));
        assert_eq!(one("other"), Some("abcdefghijkl"));
        assert_eq!(one("other/deep"), Some("0123456789ab"));
        assert_eq!(one("same"), None);
    }

    #[test]
    fn a_locked_reference_tells_its_revision() {
        let locked =
            "path:/nix/store/a?dir=x&narHash=sha256-a%2Bcdefghijklmno&rev=0123456789abcdef";
        assert_eq!(revision_of(locked), "0123456789ab");
        assert_eq!(
            revision_of(locked.split("&rev").next().expect("a part")),
            "a+cdefghijkl"
        );
    }
}
