//! Locks a flake in the client, and pins it as the source of later evaluations.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::explain::at;
use super::fetching;
use super::misnamed;
use crate::error::{Failed, LibnixError, LockError, Message as _, one_line};
use crate::input_graph::graph_inputs;
use crate::interrupt::interrupted;
use crate::libnix::{Libnix, LockedFlake, NixError, Store, daemon_hint};
use crate::local::{ResolvedReference, resolve};
use crate::plan::{Host, PlannedSource};
use crate::record::{Pin, PinnedInput, Source};
use crate::reference::{directory, in_store, parameter};
use crate::wordings;

/// Attributes of `self` that a `path:` reference cannot contain.
const EXTRA: [&str; 2] = ["dirtyRev", "dirtyShortRev"];

/// Replaced inputs: names and references.
type ReplacedInputs = Vec<(String, String)>;

/// A flake to pin.
#[derive(Clone, Copy, Debug)]
pub struct ToPin<'a> {
    /// The flake reference.
    pub reference: &'a str,
    /// The reference that the user typed, for messages.
    pub shown: &'a str,
    /// The directory that relative paths in the reference are relative to.
    pub base: &'a Path,
    /// Inputs to replace: names and references.
    pub input_overrides: &'a [(String, String)],
    /// Entry of `nixosConfigurations`.
    pub host: &'a Host,
    /// The pin whose tree the reference names, if only inputs are replaced.
    pub of: Option<&'a Pin>,
}

impl<'a> ToPin<'a> {
    /// Returns the flake to pin, or the source if there is nothing to pin.
    pub fn of(source: &'a PlannedSource) -> Result<Self, &'a Source> {
        match source {
            PlannedSource::Known(source) => Err(source),
            PlannedSource::Reference {
                reference,
                base,
                input_overrides,
                host,
                of,
            } => Ok(Self {
                reference,
                shown: of.as_ref().map_or(reference, |of| &of.url),
                base,
                input_overrides,
                host,
                of: of.as_deref(),
            }),
        }
    }

    /// Resolves the links that Nix does not follow. The reference of a pin names a tree in the
    /// store, so it contains no links.
    fn resolved(&self) -> ResolvedReference {
        match self.of {
            Some(_) => ResolvedReference::of(self.reference),
            None => resolve(self.reference, self.base),
        }
    }
}

/// Follows the links in local references of replaced inputs, because Nix does not follow them.
fn resolved_overrides(what: &ToPin<'_>) -> Vec<(String, ResolvedReference)> {
    what.input_overrides
        .iter()
        .map(|(name, reference)| (name.clone(), resolve(reference, what.base)))
        .collect()
}

/// Fetches a flake, and pins the fetched tree in the store.
pub fn pin(libnix: &Libnix, what: &ToPin<'_>) -> Result<(Pin, LockedFlake)> {
    let (kept, pinned) = kept(what);
    let asked_for = what.resolved();
    let replacing = resolved_overrides(what);
    let input_overrides: ReplacedInputs = pinned
        .into_iter()
        .chain(
            replacing
                .iter()
                .map(|(name, one)| (name.clone(), one.reference.clone())),
        )
        .collect();
    let mut locked = libnix.with_evaluator(|evaluator| {
        let locked = evaluator
            .lock(&asked_for.reference, what.base, &input_overrides)
            .map_err(|error| unresolved(what, &error))?;
        evaluator
            .read_locked(&locked)
            .context("cannot read the locked flake")
    })?;
    let asked = locked
        .input_overrides
        .split_off(input_overrides.len() - replacing.len());
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
    pin.input_overrides = kept.into_iter().chain(replaced).collect();
    if let Some(of) = what.of {
        // The tree is unchanged, so it keeps the reference that the user typed.
        pin.url.clone_from(&of.url);
        pin.extra.clone_from(&of.extra);
        pin.rev.clone_from(&of.rev);
    }
    Ok((pin, locked))
}

/// Returns the replaced inputs of a pin that the new replacements leave as they are. The first list
/// has the replacements as the user typed them. The second has references into the store.
fn kept(what: &ToPin<'_>) -> (ReplacedInputs, ReplacedInputs) {
    let stays = |(name, _): &&(String, String)| {
        let below = |other: &str| {
            name.strip_prefix(other)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !what.input_overrides.iter().any(|(other, _)| below(other))
    };
    let Some(of) = what.of else {
        return Default::default();
    };
    let mut replaced = of.replaced();
    // If the store references of the inputs cannot be determined, Nix locks the inputs again. A
    // note reports the inputs that are not in `flake.lock`.
    replaced.extend(graph_inputs(of).unwrap_or_default());
    let staying = |all: &ReplacedInputs| all.iter().filter(stays).cloned().collect();
    (staying(&of.input_overrides), staying(&replaced))
}

/// Explains why a flake cannot be locked.
fn unresolved(what: &ToPin<'_>, error: &NixError) -> Failed {
    let reference = what.shown;
    // The reference of a pin names a tree in the store, so the user did not misname it.
    let is_typed = what.of.is_none();
    if error.interrupted {
        return interrupted();
    }
    if let Some(failed) = misnamed::no_git_tree(reference).filter(|_| is_typed) {
        return failed;
    }
    if let Some(failed) = fetching::failure(&format!("lock the flake {reference}"), error) {
        return failed.hint(match is_typed {
            false => "omit --override-input to use the inputs that the flake locks",
            true => "if `runtime-module status` shows a pinned source, use a command other than `rebuild` and omit --flake: the pinned source needs no network",
        });
    }
    misnamed::failure(reference, what.base, error)
        .filter(|_| is_typed)
        .or_else(|| store_failure(reference, error))
        .unwrap_or_else(|| not_locked(reference, error))
}

/// Makes the failure for any other error.
fn not_locked(reference: &str, error: &NixError) -> Failed {
    let mut lines = error.message.trim().lines();
    let first = lines.next().unwrap_or_default().trim();
    let mut failed = Failed::from(LockError::Failed {
        flake: reference.into(),
        reason: first.into(),
    });
    for line in lines {
        failed = failed.detail(line);
    }
    // An error with a position is in the flake itself.
    if let Some(position) = error.position.as_ref().filter(|at| !at.file.is_empty()) {
        return at(failed, position).hint("correct the flake at this position");
    }
    // A path without a scheme can be in a git tree, and untracked files are not part of such a
    // flake.
    let may_be_git = reference.starts_with("git") || !reference.contains(':');
    if wordings::says(wordings::NOT_IN_GIT, &error.message) && may_be_git {
        failed = failed.hint(
            "track new files with `git add -N FILE`: a flake in a git repository contains only tracked files; for submodules, add ?submodules=1 to the flake reference",
        );
    }
    // Nix takes such a reference for the path of a folder.
    if reference.contains(' ') && reference.contains(':') {
        failed = failed
            .hint("write a space in a URL as %20; a path without a scheme can contain spaces");
    }
    failed.hint("use a flake reference that Nix accepts: a folder with a flake.nix, github:OWNER/REPO, git+https://…, path:…")
}

/// Returns the error if the store, and not the flake, is the cause.
fn store_failure(reference: &str, error: &NixError) -> Option<Failed> {
    // Locking is the first operation that connects to the store.
    let unreachable = LibnixError::StoreUnreachable {
        reason: one_line(&error.message),
    };
    if error.message.contains("connection to remote store")
        || error.message.contains("SSH connection")
    {
        return Some(
            unreachable.hint("check that `ssh HOST nix-daemon --version` works (NIX_SSHOPTS holds options for ssh), or omit --store to use the store of this machine"),
        );
    }
    if error.message.contains("cannot connect to socket") {
        return Some(unreachable.hint(daemon_hint()));
    }
    // The fetched source is in the store of another machine.
    if error.message.trim().ends_with("-source/' does not exist") {
        let flake = reference.into();
        return Some(LockError::StoreElsewhere { flake }.detail(error.message.trim()));
    }
    None
}

fn from_locked(locked: &LockedFlake, host: &str) -> Result<Pin> {
    let attributes: Value =
        serde_json::from_str(&locked.attributes).context("cannot read the locked reference")?;
    let text = |name: &str| {
        attributes
            .get(name)
            .and_then(Value::as_str)
            .map(String::from)
    };
    let source = locked
        .source
        .as_ref()
        .context("cannot read the source of the locked flake")?;
    Ok(Pin {
        url: locked.original_url.clone(),
        // If the lock had to be changed, the tree differs from its revision. Nix does not show a
        // revision in this case either.
        locked: in_store(
            source.as_str(),
            &locked.directory,
            &attributes,
            !locked.lock_changed,
        ),
        source: source.to_string(),
        host: host.into(),
        rev: text("rev").or_else(|| text("dirtyRev")),
        last_modified: attributes.get("lastModified").and_then(Value::as_u64),
        extra: EXTRA
            .iter()
            .filter_map(|name| text(name).map(|value| ((*name).to_string(), value)))
            .collect(),
        input_overrides: Vec::new(),
        inputs: pinned_inputs(locked)?,
        graph: Vec::new(),
        compared: None,
        baked: false,
    })
}

/// Returns the inputs that must be named to be locked in the same way again, because the flake's
/// own lock is not sufficient. They are pinned as store paths, so that the pin stays usable if a
/// folder changes or a server disappears.
pub(super) fn pinned_inputs(locked: &LockedFlake) -> Result<Vec<PinnedInput>> {
    let fetched = locked.inputs.iter().filter(|_| locked.lock_changed);
    fetched
        .map(|input| {
            let attributes = serde_json::from_str(&input.attributes).with_context(|| {
                format!(
                    "cannot read the locked reference of the input {}",
                    input.name
                )
            })?;
            Ok(PinnedInput {
                name: input.name.clone(),
                locked: in_store(input.source.as_str(), &input.directory, &attributes, true),
                source: input.source.to_string(),
            })
        })
        .collect()
}

/// Returns the direct and nested inputs of a lock, except those that follow others: the path of
/// each, such as `a/b`, and a human-readable revision.
pub fn lock_inputs(lock: &str) -> BTreeMap<String, String> {
    let lock: Value = serde_json::from_str(lock).unwrap_or_default();
    let root = lock.get("root").and_then(Value::as_str).unwrap_or("root");
    let mut found = BTreeMap::new();
    below(&lock, root, "", &mut found);
    found
}

/// Maximum depth of nested inputs. A damaged lock can have cycles.
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

/// Returns the human-readable revision of a locked reference into the store.
pub fn revision_of(locked: &str) -> String {
    let revision = parameter(locked, "rev").or_else(|| parameter(locked, "narHash"));
    short_revision(&revision.unwrap_or_default().replace("%2B", "+"))
}

/// Shortens a revision or hash to its first 12 characters.
pub fn short_revision(revision: &str) -> String {
    let hash = revision.strip_prefix("sha256-").unwrap_or(revision);
    hash.chars().take(12).collect()
}

/// Returns the lock in a pinned tree. Fails if the tree no longer exists; returns an empty string
/// if the tree has no lock.
pub fn lock_text(store: &Store, pin: &Pin) -> Result<String> {
    let tree = store.real_path(&pin.source)?;
    tree.metadata()
        .with_context(|| format!("cannot inspect {}", tree.display()))?;
    let file = tree.join(directory(&pin.locked)).join("flake.lock");
    Ok(std::fs::read_to_string(file).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libnix::StorePath;

    #[test]
    fn dirty_tree_is_pinned_with_its_self_attributes() {
        let source = format!("/nix/store/{}-source", "0".repeat(32));
        let locked = LockedFlake {
            original_url: "git+file:///etc/nixos?dir=host".into(),
            source: StorePath::parse(&source).ok(),
            directory: "host".into(),
            attributes: r#"{"type":"git","dirtyRev":"12-dirty","dirtyShortRev":"1-dirty","lastModified":5,"narHash":"sha256-a+b/c="}"#.into(),
            ..LockedFlake::default()
        };
        let pin = from_locked(&locked, "box").expect("a pin");
        assert_eq!(
            pin.locked,
            format!("path:{source}?dir=host&lastModified=5&narHash=sha256-a%2Bb/c%3D")
        );
        assert_eq!(pin.extra.len(), 2);
        assert_eq!(pin.rev.as_deref(), Some("12-dirty"));
    }

    #[test]
    fn inputs_have_names_and_revisions() {
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
    fn revision_of_a_locked_reference_is_found() {
        let locked =
            "path:/nix/store/a?dir=x&narHash=sha256-a%2Bcdefghijklmno&rev=0123456789abcdef";
        assert_eq!(revision_of(locked), "0123456789ab");
        assert_eq!(
            revision_of(locked.split("&rev").next().expect("a part")),
            "a+cdefghijkl"
        );
    }
}
