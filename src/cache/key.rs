//! Everything that the result of an evaluation depends on, and the key that is made of it.
//!
//! Pure: takes values, returns values, reads nothing. A wrong hit is the worst bug that this program could have, so every
//! struct is taken apart by name here: a field that somebody adds to a request does not compile until it is decided what
//! it means to the key.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::evaluation::{FlakeSource, ModuleRequest, Request};
use crate::libnix::Settings;

/// Raised when what is kept of a result, or how it is read out of the configuration, changes its meaning.
const SCHEMA: u64 = 1;

/// Nix settings that no evaluation can see: how much is shown, and how builds are carried out. A build gives the same
/// output whatever they say, or none; and where evaluation may not build, it fails, which nothing in it can catch: whoever
/// looks a result up passes over one that builds. All others belong to the key, also those that look harmless.
const INVISIBLE: [&str; 10] = [
    "allow-import-from-derivation",
    "cores",
    "fallback",
    "keep-failed",
    "keep-going",
    "log-lines",
    "max-jobs",
    "max-silent-time",
    "show-trace",
    "timeout",
];

/// Everything that the result depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingredients {
    /// The locked reference: the tree by its hash, its subdirectory, and what `self` shows of it.
    pub reference: String,
    /// What `self` shows beside.
    pub extra: Vec<(String, String)>,
    /// Inputs that are replaced: names and locked references.
    pub overrides: Vec<(String, String)>,
    /// The text of the lock as it is used.
    pub lock: String,
    /// Entry of `nixosConfigurations`.
    pub host: String,
    /// Modules in the order of evaluation. Their text is in the tree, which the reference knows by its hash.
    pub modules: Vec<ModuleRequest>,
    /// Modules that are no part of the configuration: how they are called in errors, and where each lies in the store, whose
    /// paths are named by their content. With one of another flake nothing is kept: see `why_not`.
    pub extras: Vec<(String, Option<String>)>,
    /// The variant of the host; none for the host itself.
    pub specialisation: Option<String>,
    /// The store.
    pub store: Option<String>,
    /// Nix settings that were given to us.
    pub options: Vec<(String, String)>,
    /// Every Nix setting as it is in force, evaluation's own ones too: system, experimental features, limits.
    pub settings: Vec<(String, String)>,
    /// The release of Nix: `builtins.nixVersion`, and how it evaluates.
    pub nix: String,
    /// Our own expressions, whole.
    pub expressions: Vec<String>,
    /// Which build of this program it is.
    pub program: String,
}

impl Ingredients {
    /// Of a request; the rest is what is known beside.
    pub fn new(request: &Request, lock: &str, expressions: &[&str]) -> Self {
        let Request {
            settings,
            flake,
            host,
            modules,
            extras,
            specialisation,
            // An entry says which toplevels it has; nothing that it has depends on what else was asked for.
            target: _,
            // Benchmarks evaluate, and keep nothing.
            measure: _,
        } = request;
        let Settings {
            store,
            options,
            // What an error shows. Errors are not kept.
            show_trace: _,
            // Nothing impure is kept: see `why_not_with`.
            impure: _,
            search_path: _,
            // Where evaluation may not build, it fails, which nothing in it can catch. Errors are not kept, and results say
            // whether anything was to be built.
            allow_import_from_derivation: _,
            // What is shown.
            verbosity: _,
        } = settings;
        let FlakeSource {
            // For people.
            url: _,
            reference,
            // The reference is absolute: see `why_not`.
            base_directory: _,
            // Nothing of a file is kept: see `why_not`.
            file: _,
            overrides,
            extra,
        } = flake;
        Self {
            reference: reference.clone(),
            extra: extra.clone(),
            overrides: overrides.clone(),
            lock: lock.to_string(),
            host: host.clone(),
            modules: in_order(modules),
            extras: extras
                .iter()
                .map(|extra| (extra.name.clone(), extra.path.clone()))
                .collect(),
            specialisation: specialisation.clone(),
            store: store.clone(),
            options: visible(options),
            expressions: expressions.iter().map(|text| (*text).into()).collect(),
            ..Self::default()
        }
    }

    /// The key.
    pub fn key(&self) -> Key {
        let Self {
            reference,
            extra,
            overrides,
            lock,
            host,
            modules,
            extras,
            specialisation,
            store,
            options,
            settings,
            nix,
            expressions,
            program,
        } = self;
        let subject = digest(&[
            digest(&[reference, &json(extra), &json(overrides), host]),
            json(modules),
            json(extras),
            json(specialisation),
        ]);
        let parts: BTreeMap<String, String> = [
            ("the source", digest(&[reference, &json(extra)])),
            ("replaced inputs", digest(&[json(overrides)])),
            ("the lock", digest(&[lock])),
            ("the host", digest(&[host])),
            ("the modules", digest(&[json(modules)])),
            ("modules from elsewhere", digest(&[json(extras)])),
            ("the specialisation", digest(&[json(specialisation)])),
            ("the store", digest(&[json(store)])),
            ("Nix settings", digest(&[json(options), json(settings)])),
            ("the release of Nix", digest(&[nix])),
            ("our expressions", digest(&[json(expressions)])),
            (
                "this program",
                digest(&[program.clone(), SCHEMA.to_string()]),
            ),
        ]
        .into_iter()
        .map(|(name, part)| (name.to_string(), part))
        .collect();
        Key {
            digest: digest(&[json(&parts)]),
            subject,
            parts,
        }
    }
}

/// What a result is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Over all ingredients.
    pub digest: String,
    /// Over what can be known without opening libnix: what is evaluated, but not how.
    pub subject: String,
    /// A digest of each ingredient, to say which one has changed.
    pub parts: BTreeMap<String, String>,
}

impl Key {
    /// The ingredients that are other ones here.
    pub fn differences(&self, parts: &BTreeMap<String, String>) -> Vec<&str> {
        self.parts
            .iter()
            .filter(|(name, part)| parts.get(*name) != Some(part))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// Why nothing that is evaluated with these settings in force can be looked up or kept, if so: whoever set them, on the
/// command line, in `nix.conf` or in the environment.
pub fn why_not_with(settings: &[(String, String)]) -> Option<String> {
    // One that is not there says nothing.
    let is = |name: &str, value: &str| {
        let mut settings = settings.iter();
        settings.any(|(known, set)| known == name && set == value)
    };
    if !is("pure-eval", "true") {
        return Some("evaluation is impure".into());
    }
    if !is("allow-unsafe-native-code-during-evaluation", "false") {
        return Some("evaluation may run native code".into());
    }
    None
}

/// Why the result of a request can neither be looked up nor kept, if so; see also [`why_not_with`].
pub fn why_not(request: &Request) -> Option<String> {
    if request.flake.file.is_some() {
        return Some("the source is a file, which may be another one next time".into());
    }
    if request.extras.iter().any(|extra| extra.path.is_none()) {
        return Some("a module is of another flake".into());
    }
    if !request.flake.reference.starts_with("path:/") {
        return Some("the source is not a tree in the store".into());
    }
    if !query(&request.flake.reference).any(|(name, value)| name == "narHash" && !value.is_empty())
    {
        return Some("the source is not locked".into());
    }
    None
}

/// Whether a result that was evaluated with this lock may be kept: an input without a hash may be another one next time,
/// and so may a lock that was made up on the way from what the network or a registry said.
pub fn may_be_kept(
    lock: &str,
    lock_changed: bool,
    overrides: &[(String, String)],
) -> Result<(), String> {
    if lock_changed && overrides.is_empty() {
        return Err("flake.lock does not hold: inputs were locked on the way".into());
    }
    let Ok(lock) = serde_json::from_str::<Value>(lock) else {
        return Err("the lock cannot be read".into());
    };
    let root = lock.get("root").and_then(Value::as_str).unwrap_or("root");
    let nodes = lock.get("nodes").and_then(Value::as_object);
    for (name, node) in nodes.into_iter().flatten() {
        if name != root && !is_locked(node) {
            return Err(format!("the input {name} is not locked"));
        }
    }
    Ok(())
}

/// Whether a node of a lock says what its content is.
fn is_locked(node: &Value) -> bool {
    let text = |name: &str| {
        let text = node
            .pointer(&format!("/locked/{name}"))
            .and_then(Value::as_str);
        text.unwrap_or_default()
    };
    let in_its_parent =
        text("type") == "path" && node.get("parent").is_some() && !text("path").starts_with('/');
    let by_revision = matches!(text("type"), "git" | "hg") && text("rev").len() >= 40;
    !text("narHash").is_empty() || by_revision || in_its_parent
}

/// The parameters of a reference, unescaped where it matters here: nothing that is looked for has escapes.
fn query(reference: &str) -> impl Iterator<Item = (&str, &str)> {
    let (_, query) = reference.split_once('?').unwrap_or_default();
    query.split('&').filter_map(|one| one.split_once('='))
}

/// The modules as evaluation orders them. Modules that are still to be looked up come in the host's own order, whatever
/// the request's (`lookUp` in `system.nix`), so for them one order stands for all.
fn in_order(modules: &[ModuleRequest]) -> Vec<ModuleRequest> {
    let mut modules = modules.to_vec();
    if modules.iter().any(|module| {
        module.file.is_none() && module.origin != Some(crate::registry::Origin::Output)
    }) {
        modules.sort_by(|a, b| a.name.cmp(&b.name));
    }
    modules
}

/// The settings that evaluation may see.
pub fn visible(settings: &[(String, String)]) -> Vec<(String, String)> {
    settings
        .iter()
        .filter(|(name, _)| !INVISIBLE.contains(&name.as_str()))
        .cloned()
        .collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps with text keys, lists and texts are JSON")
}

/// Over texts and where each ends.
fn digest(texts: &[impl AsRef<str>]) -> String {
    let mut sum = Sha256::new();
    for text in texts {
        let text = text.as_ref();
        sum.update((text.len() as u64).to_le_bytes());
        sum.update(text);
    }
    sum.finalize()
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
