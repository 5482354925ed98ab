//! Notes about a new or changed pin (its source, its inputs and its base), and the error for a
//! pinned source that no longer exists.

use std::collections::BTreeMap;

use anyhow::Result;

use super::relocked;
use crate::error::PipelineError;
use crate::evaluation::{Derivation, lock_inputs, lock_text, revision_of, short_revision};
use crate::input_graph::graph_revision;
use crate::libnix::{Libnix, LockedFlake, Store};
use crate::progress::bytes;
use crate::quoting::for_shell;
use crate::record::{Configuration, Pin, Source};
use crate::session::NixSession;

/// Size above which a note reports a copied folder.
const LARGE: u64 = 100 << 20;

/// Names and locked revisions of inputs.
type InputRevisions = BTreeMap<String, String>;

/// Prints notes about the pinned source, and about its differences from the previous pin.
pub fn announce(
    session: &NixSession,
    libnix: &Libnix,
    before: Option<&Source>,
    now: &Pin,
    locked: &LockedFlake,
) -> Result<()> {
    let inputs = lock_inputs(&locked.lock);
    let earlier = before.map(|before| match before {
        Source::Flake(pin) => inputs_of(libnix, pin, &inputs),
        Source::File(_) => InputRevisions::new(),
    });
    let changes = changes(earlier.as_ref(), &inputs);
    let same = matches!(before, Some(Source::Flake(before)) if before.locked == now.locked && before.host == now.host);
    if !same {
        let was = match before {
            Some(Source::Flake(before)) => was(before, now),
            Some(Source::File(file)) => format!(" (was {})", file.words()),
            None => String::new(),
        };
        session.reporter.note(format!(
            "pinned {} of {}{}{was}",
            now.host,
            now.url,
            now.at_revision()
        ));
    } else if !changes.is_empty() {
        let whose = format!(
            "pinned other inputs of {}; the flake itself is unchanged",
            now.url
        );
        session.reporter.note(whose);
    }
    for change in changes {
        session.reporter.note(format!("  {change}"));
    }
    relocked::note(session, &now.url, locked, &now.input_overrides);
    if !locked.config_names.is_empty() && !session.options.accept_flake_config {
        session.reporter.note(format!(
            "the flake's nixConfig settings are ignored: {}; use --accept-flake-config to apply them",
            locked.config_names.join(", ")
        ));
    }
    large(session, libnix, now, &locked.original_url)
}

/// Prints whether the new pin evaluates to a different base.
pub fn announce_base(
    session: &NixSession,
    libnix: &Libnix,
    before: &str,
    now: &Derivation,
) -> Result<()> {
    if before == now.out {
        session
            .reporter
            .note("the system without modules stays the same".to_string());
        return Ok(());
    }
    // A system that was built elsewhere may not be in this store.
    let known = libnix.store.is_valid(before).unwrap_or(false);
    let deriver = known
        .then(|| libnix.store.deriver(before))
        .transpose()?
        .flatten();
    let before = deriver.as_deref().unwrap_or(before);
    session.reporter.note(format!(
        "the system without modules changes: {}, was {before}",
        now.drv
    ));
    Ok(())
}

/// Makes the error for a missing pinned tree, which is the true cause of a failed evaluation.
pub fn gone(store: &Store, purpose: &str, configuration: &Configuration) -> Option<anyhow::Error> {
    let gone = |path: &&str| store.is_valid(path).is_ok_and(|there| !there);
    let pin = configuration.source.pin()?;
    let path = configuration.trees().find(gone)?;
    let reference = match pin.url.contains("/nix/store/") || pin.url.contains(&pin.source) {
        true => "REF".to_string(),
        false => for_shell(&pin.url),
    };
    let gone = PipelineError::PinnedSourceGone {
        purpose: purpose.into(),
        path: path.into(),
        pinned: format!("{} of {}{}", pin.host, pin.url, pin.at_revision()),
        reference,
    };
    Some(gone.into())
}

/// Describes the previous pin, if its host, URL or revision differs.
fn was(before: &Pin, now: &Pin) -> String {
    if before.host != now.host || before.url != now.url {
        format!(
            " (was {} of {}{})",
            before.host,
            before.url,
            before.at_revision()
        )
    } else if before.rev != now.rev {
        let revision = before.at_revision();
        let revision = revision.trim_start_matches(" at ");
        if revision.is_empty() {
            String::new()
        } else {
            format!(" (was {revision})")
        }
    } else {
        String::new()
    }
}

/// Returns the inputs of a pin: the inputs that the system was built with, under their names in
/// `now`. If these are unknown, returns the inputs in the tree's own lock and the separately pinned
/// inputs.
fn inputs_of(libnix: &Libnix, pin: &Pin, now: &InputRevisions) -> InputRevisions {
    if !pin.graph.is_empty() {
        let revision = |name: &String| graph_revision(pin, name).map(short_revision);
        let known = now
            .keys()
            .filter_map(|name| Some((name.clone(), revision(name)?)));
        return known.collect();
    }
    let lock = lock_text(&libnix.store, pin).unwrap_or_default();
    let mut inputs: InputRevisions = lock_inputs(&lock);
    for input in &pin.inputs {
        inputs.insert(input.name.clone(), revision_of(&input.locked));
    }
    inputs
}

/// Describes the direct inputs of a first pin, or the inputs that differ from those of the previous
/// pin.
fn changes(before: Option<&InputRevisions>, now: &InputRevisions) -> Vec<String> {
    let Some(before) = before else {
        let direct = now.iter().filter(|(name, _)| !name.contains('/'));
        return direct
            .map(|(name, revision)| format!("{name} at {revision}"))
            .collect();
    };
    let mut words = Vec::new();
    for (name, revision) in now {
        match before.get(name) {
            Some(old) if old == revision => {}
            Some(old) => words.push(format!("{name} at {revision}, was {old}")),
            None => words.push(format!("{name} at {revision}, new")),
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    words.extend(gone.map(|name| format!("{name} is no longer an input")));
    words
}

/// Adds a note if a large folder was copied to the store, including untracked files.
fn large(session: &NixSession, libnix: &Libnix, pin: &Pin, url: &str) -> Result<()> {
    let folder = url.strip_prefix("path:");
    let Some(folder) = folder.filter(|path| !path.starts_with("/nix/store/")) else {
        return Ok(());
    };
    let size = libnix.store.nar_size(&pin.source)?;
    if size < LARGE {
        return Ok(());
    }
    let folder = folder.split('?').next().unwrap_or_default();
    session.reporter.note(format!(
        "the whole folder {folder} was copied to the store ({}); if it is a git tree, use git+file:{folder} to copy only tracked files",
        bytes(size)
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(pairs: &[(&str, &str)]) -> InputRevisions {
        let owned = |(name, revision): &(&str, &str)| ((*name).into(), (*revision).into());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn changed_inputs_have_names_and_revisions() {
        let before = inputs(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let now = inputs(&[("a", "1"), ("b", "4"), ("d", "5"), ("d/e", "6")]);
        assert_eq!(
            changes(Some(&before), &now),
            [
                "b at 4, was 2",
                "d at 5, new",
                "d/e at 6, new",
                "c is no longer an input"
            ]
        );
        assert_eq!(
            changes(None, &now),
            ["a at 1", "b at 4", "d at 5"],
            "a first pin"
        );
        assert!(changes(Some(&now), &now).is_empty());
    }

    #[test]
    fn previous_pin_is_described() {
        let pin = |url: &str, rev: Option<&str>| Pin {
            url: url.into(),
            host: "box".into(),
            rev: rev.map(String::from),
            ..Pin::default()
        };
        let now = pin("/x", Some("0123456789abcdef"));
        assert_eq!(
            was(&pin("/x", Some("fedcba98765432")), &now),
            " (was fedcba987654)"
        );
        assert_eq!(was(&pin("/x", None), &now), "");
        assert_eq!(was(&pin("/y", None), &now), " (was box of /y)");
    }
}
