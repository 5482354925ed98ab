//! `--changed-since`: checks whether anything that affects evaluation has changed since a commit of
//! the flake's git repository.
//!
//! Takes the pinned flake and a commit. Returns what has changed, or why that is unknown. Compares
//! the tree and the locked inputs under the settings of this run, and evaluates nothing.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::builder;
use crate::cache::{KeyComponents, may_be_kept, why_not, why_not_with};
use crate::error::CheckError;
use crate::evaluation::{EvaluationRequest, FlakeReference, SYSTEM_TEXT, ToPin, pin};
use crate::libnix::{Event, Libnix, LockedFlake};
use crate::local::as_git;
use crate::percent;
use crate::plan::Host;
use crate::record::{Pin, Source};
use crate::session::NixSession;

/// Parameters of a flake reference that select a branch or commit, or describe its tree.
const WHICH: [&str; 7] = [
    "dirtyRev",
    "dirtyShortRev",
    "lastModified",
    "narHash",
    "ref",
    "rev",
    "revCount",
];

/// Returns why everything must be checked, or `None` if nothing has changed. Without an evaluation
/// it is unknown which modules a change affects, because any module may read any file.
pub fn reason(session: &NixSession, now: &Source, revision: &str) -> Result<Option<String>> {
    let unknown = |why: String| {
        format!("cannot tell what has changed since {revision}: {why}; checking everything")
    };
    let now = match now {
        Source::Flake(pin) => pin,
        Source::File(_) => {
            return Ok(Some(unknown(
                "the source is a file, which may change".into(),
            )));
        }
    };
    let now = &Pin {
        url: as_git(&now.url).unwrap_or_else(|| now.url.clone()),
        ..Pin::clone(now)
    };
    if !now.url.starts_with("git") {
        let (revision, flake) = (revision.into(), now.url.clone());
        return Err(CheckError::NotGit { revision, flake }.into());
    }
    if !may_be_a_name(revision) {
        let revision = revision.into();
        return Err(CheckError::NotARevision { revision }.into());
    }
    Ok(match differences(session, now, revision)? {
        Ok(differences) if differences.is_empty() => None,
        Ok(differences) => Some(format!(
            "changed since {revision}: {}; this may affect every module",
            differences.join(", ")
        )),
        Err(why) => Some(unknown(why)),
    })
}

/// Returns the request for the host of a pin, without modules.
fn request(session: &NixSession, pin: &Pin) -> EvaluationRequest {
    let source = Source::from(pin.clone());
    builder::request(session, &source, &pin.host, &[])
}

/// Returns the parts of the cache key that differ at the commit, or why they are unknown.
fn differences(
    session: &NixSession,
    now: &Pin,
    revision: &str,
) -> Result<Result<Vec<String>, String>> {
    let libnix = session.open_libnix(|_: Event| {})?;
    let settings = libnix.settings_in_force(&request(session, now).settings)?;
    if let Some(why) = why_not_with(&settings) {
        return Ok(Err(why));
    }
    let lock_now = match lock(session, &libnix, now)? {
        Ok(lock) => lock,
        Err(why) => return Ok(Err(why)),
    };
    let what = ToPin {
        reference: &at(&now.url, revision),
        shown: &format!("{} at {revision}", now.url),
        base: &session.here,
        input_overrides: &[],
        host: &Host::Named(now.host.clone()),
        of: None,
    };
    let (before, locked) = pin(&libnix, &what)?;
    if let Err(why) = may_be_kept(&locked.lock, locked.lock_changed, &[]) {
        return Ok(Err(format!("{why}, at {revision}")));
    }
    if !is_at(&locked, revision)? {
        return Ok(Err("Nix found a different commit".into()));
    }
    let asked = [(now, &lock_now), (&before, &locked.lock)];
    let mut keys = Vec::new();
    for (pin, lock) in asked {
        let request = request(session, pin);
        if let Some(why) = why_not(&request) {
            return Ok(Err(why));
        }
        keys.push(KeyComponents::new(&request, lock, &[SYSTEM_TEXT]).key());
    }
    let other = keys[0].differences(&keys[1].parts);
    Ok(Ok(other.into_iter().map(String::from).collect()))
}

/// Returns the lock that evaluation uses for a pin, or the reason why no lock identifies all
/// inputs.
fn lock(session: &NixSession, libnix: &Libnix, pin: &Pin) -> Result<Result<String, String>> {
    if !pin.input_overrides.is_empty() {
        return Ok(Err("inputs are replaced".into()));
    }
    if !pin.inputs.is_empty() {
        return Ok(may_be_kept("", true, &[]).map(|()| String::new()));
    }
    let flake = FlakeReference::of(pin, &session.here);
    if let Some(lock) = flake.lock {
        return Ok(Ok(lock));
    }
    let locked = libnix.with_evaluator(|evaluator| {
        let locked = evaluator.lock(&flake.reference, &flake.base_directory, &[])?;
        Ok(evaluator.read_locked(&locked)?)
    })?;
    Ok(may_be_kept(&locked.lock, locked.lock_changed, &[]).map(|()| locked.lock))
}

/// Returns a reference to the same flake at another commit or branch.
fn at(url: &str, revision: &str) -> String {
    let (tree, query) = url.split_once('?').unwrap_or((url, ""));
    let (tree, of_forge) = match tree.split_once(':') {
        // The commit or branch follows the owner and the repository.
        Some((forge @ ("github" | "gitlab"), path)) => {
            let path: Vec<&str> = path.split('/').take(2).collect();
            (format!("{forge}:{}", path.join("/")), true)
        }
        _ => (tree.to_string(), false),
    };
    let exact = is_exact(revision);
    let stays = |one: &&str| {
        let name = one.split_once('=').map_or(*one, |(name, _)| name);
        // Keep the branch for a commit hash, because servers look up the commit on this branch.
        !name.is_empty() && (!WHICH.contains(&name) || name == "ref" && exact && !of_forge)
    };
    let mut parameters: Vec<String> = query.split('&').filter(stays).map(String::from).collect();
    let name = if exact { "rev" } else { "ref" };
    parameters.push(format!("{name}={}", percent::encode(revision)));
    format!("{tree}?{}", parameters.join("&"))
}

/// Returns whether the flake was locked at the requested commit, branch or tag.
fn is_at(locked: &LockedFlake, revision: &str) -> Result<bool> {
    let attributes: Value =
        serde_json::from_str(&locked.attributes).context("cannot parse the locked reference")?;
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    Ok(match text("rev") {
        // The tree has uncommitted changes.
        None => false,
        Some(found) if is_exact(revision) => found.eq_ignore_ascii_case(revision),
        Some(_) => text("ref").is_none_or(|found| found == revision),
    })
}

/// Returns whether a text is a full commit hash.
fn is_exact(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether a text can be the name of a branch or tag (`git check-ref-format`) and is not an
/// abbreviated commit hash. Only git itself can resolve expressions such as `HEAD~1`.
fn may_be_a_name(revision: &str) -> bool {
    let odd = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let shortened = (7..40).contains(&revision.len())
        && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
        && revision.bytes().any(|byte| byte.is_ascii_digit());
    !revision.is_empty()
        && !revision.contains(odd)
        && !revision.contains("..")
        && !revision.contains("@{")
        && !shortened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requested_commit_replaces_the_old_one() {
        let exact = "0123456789012345678901234567890123456789";
        for (url, revision, is) in [
            ("git+file:///g", "old", "git+file:///g?ref=old".to_string()),
            (
                "git+file:///g?dir=a&ref=main&shallow=1",
                "old",
                "git+file:///g?dir=a&shallow=1&ref=old".into(),
            ),
            (
                "git+file:///g?narHash=x&rev=1&revCount=2&lastModified=3",
                "a&b",
                "git+file:///g?ref=a%26b".into(),
            ),
            (
                "git+https://example.org/g?ref=main&rev=1",
                exact,
                format!("git+https://example.org/g?ref=main&rev={exact}"),
            ),
            ("github:a/b/main", "old", "github:a/b?ref=old".into()),
            (
                "github:a/b?dir=c&ref=main",
                exact,
                format!("github:a/b?dir=c&rev={exact}"),
            ),
        ] {
            assert_eq!(at(url, revision), is);
        }
    }

    #[test]
    fn git_expressions_are_not_names() {
        for name in ["main", "v1.0", "a/b-c", "feedbeef", "HEAD"] {
            assert!(may_be_a_name(name), "{name}");
        }
        for none in [
            "", "HEAD~1", "main^", "HEAD@{1}", "a..b", "a b", "0123abc", ":/fix",
        ] {
            assert!(!may_be_a_name(none), "{none}");
        }
    }

    #[test]
    fn other_commit_than_requested_is_detected() {
        let exact = "0123456789012345678901234567890123456789";
        let is = |attributes: &str, revision: &str| {
            let locked = LockedFlake {
                attributes: attributes.into(),
                ..LockedFlake::default()
            };
            is_at(&locked, revision).expect("JSON")
        };
        assert!(is(r#"{"rev":"1","ref":"old"}"#, "old"));
        assert!(is(r#"{"rev":"1"}"#, "old"));
        assert!(!is(r#"{"rev":"1","ref":"main"}"#, "old"));
        assert!(!is(r#"{"dirtyRev":"1-dirty"}"#, "old"));
        assert!(is(&format!(r#"{{"rev":"{exact}","ref":"main"}}"#), exact));
        assert!(!is(r#"{"rev":"1"}"#, exact));
    }
}
