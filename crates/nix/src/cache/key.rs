//! The key of a result: everything that the result of an evaluation depends on.
//!
//! The functions here are pure: they read no files and no settings. A wrong hit would be the worst
//! bug of this program, so each struct is destructured here with all its fields. If a request gets
//! a new field, this file does not compile until someone decides what the field means for the key.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::evaluation::{EvaluationRequest, EvaluationSource, FlakeReference};
use crate::libnix::Settings;
use crate::registry::ModuleRequest;

/// Increment this when the stored fields of a result, or the way they are evaluated, change.
const SCHEMA: u64 = 1;

/// Nix settings that cannot change the result of an evaluation. They affect only messages and the
/// way builds run: whatever their values, a build gives the same output or fails. If an evaluation
/// needs a build that `allow-import-from-derivation` forbids, it fails, and no expression can catch
/// the error. A lookup skips results that needed such a build. All other settings belong to the
/// key, even if they look harmless.
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

/// Everything on which a result depends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyComponents {
    /// The locked reference: the hash of the tree, the subdirectory, and attributes of `self`.
    pub reference: String,
    /// Further attributes of `self`.
    pub extra: Vec<(String, String)>,
    /// Replaced inputs: names and locked references.
    pub input_overrides: Vec<(String, String)>,
    /// The text of the lock that is in use.
    pub lock: String,
    /// Name in `nixosConfigurations`.
    pub host: String,
    /// Modules in the order of evaluation. Their text is in the tree, whose hash is in the
    /// reference.
    pub modules: Vec<ModuleRequest>,
    /// Modules that are not part of the configuration: the name used in errors, and the store path,
    /// which depends on the content. Results with a module of another flake are not kept: see
    /// `why_not`.
    pub extras: Vec<(String, Option<String>)>,
    /// Specialisation of the host, if one is used.
    pub specialisation: Option<String>,
    pub store: Option<String>,
    /// Nix settings from the command line.
    pub options: Vec<(String, String)>,
    /// The option overrides, and the definitions whose options are described, as JSON.
    pub option_overrides: String,
    /// The values of all Nix settings, including those of evaluation: system, experimental
    /// features, limits.
    pub settings: Vec<(String, String)>,
    /// Version of Nix, which is `builtins.nixVersion` and affects evaluation.
    pub nix: String,
    /// The full text of our own expressions.
    pub expressions: Vec<String>,
    /// Identity of this build of the program.
    pub program: String,
}

impl KeyComponents {
    /// Collects the components that a request contains. The caller sets the others.
    pub fn new(request: &EvaluationRequest, lock: &str, expressions: &[&str]) -> Self {
        let EvaluationRequest {
            settings,
            source,
            host,
            modules,
            extras,
            specialisation,
            overrides: option_overrides,
            describe,
            // The values of single units and entries are not kept.
            parts: _,
            // The list of options is not kept.
            list_options: _,
            // The values of expressions are not kept.
            expressions: _,
            // The target selects which toplevels an entry has. It does not change any of them.
            target: _,
            // The results of benchmarks are not kept.
            measure: _,
        } = request;
        let mut inputs = Self {
            host: host.clone(),
            modules: in_order(modules),
            extras: extras
                .iter()
                .map(|extra| (extra.name.clone(), extra.path.clone()))
                .collect(),
            specialisation: specialisation.clone(),
            option_overrides: json(&(option_overrides, describe)),
            expressions: expressions.iter().map(|text| (*text).into()).collect(),
            ..Self::default()
        };
        inputs.add_settings(settings);
        if let EvaluationSource::Flake(flake) = source {
            inputs.add_source(flake, lock);
        }
        inputs
    }

    /// Adds the settings of a request.
    fn add_settings(&mut self, settings: &Settings) {
        let Settings {
            store,
            options,
            // Affects only the text of errors, and errors are not kept.
            show_trace: _,
            // Impure results are not kept: see `why_not_with`.
            impure: _,
            search_path: _,
            // Evaluation fails if it needs a build that is not allowed, and no expression can catch
            // the error. Errors are not kept, and a result records whether it needed a build.
            allow_import_from_derivation: _,
            // Affects only the output.
            verbosity: _,
        } = settings;
        self.store.clone_from(store);
        self.options = visible(options);
    }

    /// Adds the source of a request. `lock` is the lock that is in use if the request has none.
    fn add_source(&mut self, flake: &FlakeReference, lock: &str) {
        let FlakeReference {
            // Only shown to the user.
            url: _,
            reference,
            // The reference is absolute: see `why_not`.
            base_directory: _,
            input_overrides,
            lock: own_lock,
            extra,
        } = flake;
        self.reference.clone_from(reference);
        self.extra.clone_from(extra);
        self.input_overrides.clone_from(input_overrides);
        self.lock = own_lock.clone().unwrap_or_else(|| lock.to_string());
    }

    /// Computes the key.
    pub fn key(&self) -> Key {
        let Self {
            reference,
            extra,
            input_overrides,
            lock,
            host,
            modules,
            extras,
            specialisation,
            option_overrides,
            store,
            options,
            settings,
            nix,
            expressions,
            program,
        } = self;
        let subject = digest(&[
            digest(&[reference, &json(extra), &json(input_overrides), host]),
            json(modules),
            json(extras),
            json(specialisation),
            option_overrides.clone(),
        ]);
        let parts: BTreeMap<String, String> = [
            ("the source", digest(&[reference, &json(extra)])),
            ("replaced inputs", digest(&[json(input_overrides)])),
            ("the lock", digest(&[lock])),
            ("the host", digest(&[host])),
            ("the modules", digest(&[json(modules)])),
            ("the extra modules", digest(&[json(extras)])),
            ("the specialisation", digest(&[json(specialisation)])),
            ("the option overrides", digest(&[option_overrides])),
            ("the store", digest(&[json(store)])),
            ("Nix settings", digest(&[json(options), json(settings)])),
            ("the version of Nix", digest(&[nix])),
            ("the built-in Nix expressions", digest(&[json(expressions)])),
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

/// The key of a cached result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Digest of all components.
    pub digest: String,
    /// Digest of the components that are known without libnix: the source, the replaced inputs,
    /// the host, the modules, the extra modules, the specialisation and the option overrides.
    pub subject: String,
    /// A digest of each component, to report which one has changed.
    pub parts: BTreeMap<String, String>,
}

impl Key {
    /// Returns the names of the components that differ.
    pub fn differences(&self, parts: &BTreeMap<String, String>) -> Vec<&str> {
        self.parts
            .iter()
            .filter(|(name, part)| parts.get(*name) != Some(part))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// Returns why results of an evaluation with these settings cannot be cached, if there is a reason.
/// Settings from the command line, `nix.conf` and the environment count equally.
pub fn why_not_with(settings: &[(String, String)]) -> Option<String> {
    // A missing setting does not count as safe, because its value is unknown.
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

/// Returns why the result of a request cannot be cached, if there is a reason. See also
/// [`why_not_with`].
pub fn why_not(request: &EvaluationRequest) -> Option<String> {
    let Some(flake) = request.source.flake() else {
        return Some("the source is a file, which may change".into());
    };
    if request.extras.iter().any(|extra| extra.path.is_none()) {
        return Some("a module comes from another flake".into());
    }
    if !flake.reference.starts_with("path:/") {
        return Some("the source is not a tree in the store".into());
    }
    if !query(&flake.reference).any(|(name, value)| name == "narHash" && !value.is_empty()) {
        return Some("the source is not locked".into());
    }
    None
}

/// Checks whether a result that was evaluated with this lock may be cached. The error is the reason
/// why not. An input without a hash may be different next time. A lock may also be different next
/// time if it was changed during evaluation with data from the network or a registry.
pub fn may_be_kept(
    lock: &str,
    lock_changed: bool,
    input_overrides: &[(String, String)],
) -> Result<(), String> {
    if lock_changed && input_overrides.is_empty() {
        return Err("flake.lock is not up to date: inputs were locked during evaluation".into());
    }
    let Ok(lock) = serde_json::from_str::<Value>(lock) else {
        return Err("cannot parse the lock".into());
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

/// Returns whether a node of a lock identifies its content.
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

/// Returns the parameters of a reference. Does not unescape the values, because the caller only
/// checks that they are not empty.
fn query(reference: &str) -> impl Iterator<Item = (&str, &str)> {
    let (_, query) = reference.split_once('?').unwrap_or_default();
    query.split('&').filter_map(|one| one.split_once('='))
}

/// Returns the modules in the order of evaluation. If modules must be looked up, evaluation uses
/// the order of the host and ignores the order of the request (`lookUp` in `system.nix`). Such a
/// request gets one canonical order.
fn in_order(modules: &[ModuleRequest]) -> Vec<ModuleRequest> {
    let mut modules = modules.to_vec();
    if modules.iter().any(|module| {
        module.file.is_none() && module.origin != Some(crate::registry::Origin::Output)
    }) {
        modules.sort_by(|a, b| a.name.cmp(&b.name));
    }
    modules
}

/// Returns the settings that can change the result of an evaluation.
pub fn visible(settings: &[(String, String)]) -> Vec<(String, String)> {
    settings
        .iter()
        .filter(|(name, _)| !INVISIBLE.contains(&name.as_str()))
        .cloned()
        .collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .expect("maps with string keys, lists and strings can be serialized as JSON")
}

/// Computes a digest over texts and their lengths.
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
