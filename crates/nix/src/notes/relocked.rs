//! A note about inputs that `flake.lock` lacks or locks differently. They are locked in memory, and
//! `flake.lock` is not written.

use crate::evaluation::lock_inputs;
use crate::libnix::LockedFlake;
use crate::session::NixSession;

/// Adds a note if `flake.lock` lacks inputs or locks them differently. Ignores inputs that the user
/// replaced.
pub fn note(session: &NixSession, url: &str, locked: &LockedFlake, replaced: &[(String, String)]) {
    let moved = moved(locked, replaced);
    if moved.is_empty() {
        return;
    }
    let without = match locked.lock_file.is_empty() {
        true => "has no flake.lock",
        false => "has a flake.lock that does not match its inputs",
    };
    session.reporter.note(format!(
        "{url} {without}; runtime-module locked these inputs in memory: {}",
        moved.join(", ")
    ));
}

/// Returns the inputs whose lock differs from `flake.lock`.
fn moved(locked: &LockedFlake, replaced: &[(String, String)]) -> Vec<String> {
    if !locked.lock_changed {
        return Vec::new();
    }
    let file = lock_inputs(&locked.lock_file);
    let is_replaced = |name: &str| {
        replaced.iter().any(|(other, _)| {
            name.strip_prefix(other.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    lock_inputs(&locked.lock)
        .into_iter()
        .filter(|(name, _)| !is_replaced(name))
        .filter_map(|(name, now)| match file.get(&name) {
            Some(before) if *before == now => None,
            Some(before) => Some(format!("{name} at {now} (flake.lock has {before})")),
            None => Some(format!("{name} at {now}")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(inputs: &[(&str, &str)]) -> String {
        let mut nodes = serde_json::Map::new();
        let mut names = serde_json::Map::new();
        for (name, revision) in inputs {
            names.insert((*name).into(), (*name).into());
            nodes.insert(
                (*name).into(),
                serde_json::json!({ "locked": { "rev": revision } }),
            );
        }
        nodes.insert("root".into(), serde_json::json!({ "inputs": names }));
        serde_json::json!({ "root": "root", "nodes": nodes }).to_string()
    }

    #[test]
    fn only_inputs_that_the_file_lacks_are_named() {
        let locked = LockedFlake {
            lock_changed: true,
            lock_file: lock(&[("a", "1"), ("b", "2")]),
            lock: lock(&[("a", "1"), ("b", "3"), ("c", "4"), ("d", "5")]),
            ..LockedFlake::default()
        };
        assert_eq!(
            moved(&locked, &[("d".into(), "path:/d".into())]),
            ["b at 3 (flake.lock has 2)", "c at 4"]
        );
        let same = LockedFlake {
            lock_changed: false,
            ..locked
        };
        assert!(moved(&same, &[]).is_empty());
    }
}
