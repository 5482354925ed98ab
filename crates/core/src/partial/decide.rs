//! Compares evaluated units and etc entries with the running toplevel.
//!
//! The result is the files to apply, or the reason why a whole toplevel is necessary.

use std::collections::BTreeSet;

use super::evaluated::{EvaluatedEntry, EvaluatedParts, EvaluatedUnit};
use super::files::{RuntimeFiles, RuntimeUnit, is_below_etc};
use super::toplevel::{ToplevelFiles, ToplevelUnit};

/// Prefixes of the paths of etc entries that a partial change must not replace. Programs read these
/// entries together with other files, or the entries decide who may log in.
const WHOLE_ONLY: [&str; 12] = [
    "fstab",
    "group",
    "modprobe.d/",
    "pam.d/",
    "pam/",
    "passwd",
    "shadow",
    "static",
    "sudoers",
    "systemd/",
    "udev/",
    "X11/",
];

/// Returns the files that differ from those of the running toplevel, or the reason why a whole
/// toplevel is necessary. `store` is the store directory, such as `/nix/store`.
pub fn runtime_files(
    parts: &EvaluatedParts,
    running: &ToplevelFiles,
    store: &str,
) -> Result<RuntimeFiles, String> {
    if parts.overlay {
        return Err("/etc is an overlay (system.etc.overlay.enable)".into());
    }
    let mut files = RuntimeFiles::default();
    for (name, unit) in &parts.units {
        let unit = unit.as_ref();
        let unit = unit.ok_or_else(|| format!("the configuration has no unit {name}"))?;
        if let Some(changed) = changed_unit(name, unit, running)? {
            files.store_paths.extend(store_paths(&changed.text, store));
            files.units.insert(name.clone(), changed);
        }
    }
    for (name, entry) in &parts.etc {
        let entry = entry.as_ref();
        let entry = entry.ok_or_else(|| format!("the configuration has no file /etc/{name}"))?;
        if let Some(source) = changed_entry(name, entry, running)? {
            files.store_paths.extend(store_paths(&source, store));
            files.etc.insert(name.clone(), source);
        }
    }
    Ok(files)
}

fn changed_unit(
    name: &str,
    unit: &EvaluatedUnit,
    running: &ToplevelFiles,
) -> Result<Option<RuntimeUnit>, String> {
    let before = match running.unit(name) {
        ToplevelUnit::Written(before) => before,
        ToplevelUnit::Masked => return Err(format!("{name} is masked in the running system")),
        ToplevelUnit::Absent => {
            return Err(format!("the running system has no {name} of its own"));
        }
    };
    if !unit.enable {
        return Err(format!("{name} would be masked"));
    }
    let links: BTreeSet<String> = unit.links.iter().cloned().collect();
    let linked = running.links(name);
    // A package that contains a unit may also contain links to it.
    let same = match before.drop_in {
        true => links.is_subset(&linked),
        false => links == linked,
    };
    if !same {
        return Err(format!(
            "other units would start {name}, or its aliases would change"
        ));
    }
    let text = unit.text.clone();
    let text = text.ok_or_else(|| format!("{name} comes from a package"))?;
    let after = RuntimeUnit {
        text,
        drop_in: before.drop_in,
    };
    Ok(Some(after).filter(|after| *after != before))
}

fn changed_entry(
    name: &str,
    entry: &EvaluatedEntry,
    running: &ToplevelFiles,
) -> Result<Option<String>, String> {
    if needs_whole(name) || !is_below_etc(name) {
        return Err(format!("/etc/{name} can only change with the whole system"));
    }
    if !entry.enable {
        return Err(format!("/etc/{name} would be removed"));
    }
    if entry.mode != "symlink" {
        return Err(format!("/etc/{name} is a copy, not a link"));
    }
    let before = running.entry(name);
    let before =
        before.ok_or_else(|| format!("/etc/{name} is not a link in the running system"))?;
    Ok(Some(entry.source.clone()).filter(|source| *source != before))
}

/// Returns whether an etc entry may change only together with the whole system.
pub(super) fn needs_whole(name: &str) -> bool {
    WHOLE_ONLY.iter().any(|start| name.starts_with(start))
}

/// Returns the store paths in a text. `store` is the store directory.
fn store_paths(text: &str, store: &str) -> impl Iterator<Item = String> {
    let store = format!("{store}/");
    let names = text.match_indices(&store).filter_map(|(at, _)| {
        let rest = &text[at + store.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-._?=".contains(c)));
        let name = &rest[..end.unwrap_or(rest.len())];
        // A hash of 32 characters, `-`, and at least one more character.
        (name.len() > 33 && name.as_bytes()[32] == b'-').then(|| format!("{store}{name}"))
    });
    names.collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const STORE: &str = "/nix/store";
    const PATH: &str = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-motd";

    /// A toplevel with a service that `multi-user.target` wants, and an etc entry.
    fn running() -> (tempfile::TempDir, ToplevelFiles) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let units = dir.path().join("etc/systemd/system");
        fs::create_dir_all(units.join("multi-user.target.wants")).expect("a folder");
        fs::write(units.join("a.service"), "old").expect("a file");
        symlink("/dev/null", units.join("masked.service")).expect("a link");
        symlink(
            "../a.service",
            units.join("multi-user.target.wants/a.service"),
        )
        .expect("a link");
        symlink("/nix/store/old-motd", dir.path().join("etc/motd")).expect("a link");
        let files = ToplevelFiles::of(dir.path());
        (dir, files)
    }

    fn unit(text: &str) -> EvaluatedUnit {
        EvaluatedUnit {
            enable: true,
            text: Some(text.into()),
            links: vec!["multi-user.target.wants/a.service".into()],
            derivations: Vec::new(),
        }
    }

    fn with_unit(name: &str, unit: Option<EvaluatedUnit>) -> EvaluatedParts {
        EvaluatedParts {
            units: [(name.to_string(), unit)].into(),
            ..EvaluatedParts::default()
        }
    }

    fn with_entry(name: &str, mode: &str) -> EvaluatedParts {
        let entry = EvaluatedEntry {
            enable: true,
            mode: mode.into(),
            source: PATH.into(),
            ..EvaluatedEntry::default()
        };
        EvaluatedParts {
            etc: [(name.to_string(), Some(entry))].into(),
            ..EvaluatedParts::default()
        }
    }

    #[test]
    fn changed_files_are_kept_with_their_store_paths() {
        let (_dir, running) = running();
        let text = format!("ExecStart={PATH}/bin/x --file={PATH}");
        let parts = with_unit("a.service", Some(unit(&text)));
        let files = runtime_files(&parts, &running, STORE).expect("files");
        assert_eq!(files.units["a.service"].text, text);
        assert_eq!(files.store_paths, [PATH.to_string()].into());
        let files = runtime_files(&with_entry("motd", "symlink"), &running, STORE).expect("files");
        assert_eq!((files.etc["motd"].as_str(), files.units.len()), (PATH, 0));
    }

    #[test]
    fn unchanged_unit_needs_no_file() {
        let (_dir, running) = running();
        let parts = with_unit("a.service", Some(unit("old")));
        assert!(
            runtime_files(&parts, &running, STORE)
                .expect("files")
                .is_empty()
        );
    }

    #[test]
    fn everything_else_needs_a_whole_toplevel() {
        let (_dir, running) = running();
        let links = EvaluatedUnit {
            links: vec!["other.target.wants/a.service".into()],
            ..unit("new")
        };
        let disabled = EvaluatedUnit {
            enable: false,
            ..unit("new")
        };
        let packaged = EvaluatedUnit {
            text: None,
            ..unit("new")
        };
        let overlay = EvaluatedParts {
            overlay: true,
            ..with_unit("a.service", Some(unit("new")))
        };
        let cases = [
            (overlay, "/etc is an overlay"),
            (
                with_unit("a.service", None),
                "the configuration has no unit",
            ),
            (
                with_unit("b.service", Some(unit("new"))),
                "the running system has no b.service",
            ),
            (with_unit("masked.service", Some(unit("new"))), "is masked"),
            (
                with_unit("a.service", Some(links)),
                "other units would start",
            ),
            (with_unit("a.service", Some(disabled)), "would be masked"),
            (
                with_unit("a.service", Some(packaged)),
                "comes from a package",
            ),
            (with_entry("sudoers", "symlink"), "with the whole system"),
            (
                with_entry("pam.d/login", "symlink"),
                "with the whole system",
            ),
            (with_entry("motd", "0600"), "is a copy"),
            (
                with_entry("new", "symlink"),
                "not a link in the running system",
            ),
        ];
        for (parts, why) in cases {
            let reason = runtime_files(&parts, &running, STORE).expect_err(why);
            assert!(reason.contains(why), "{reason}");
        }
    }
}
