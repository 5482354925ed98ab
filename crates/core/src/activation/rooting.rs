//! GC roots for the running system, the previous system, the targets of `reset` and `rollback`, the
//! sources of these systems, and the store paths in their option overrides. During a transaction,
//! our own executable has a GC root too. The end of each transaction removes all other GC roots.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::Change;
use super::unit::own_executable;
use crate::clock::now;
use crate::error::StoreError;
use crate::host::LocalHost;
use crate::locations::Locations;
use crate::record::{
    AGE, Configuration, KEPT, State, prune_logs, prune_roots, reachable, replace_root, requested_at,
};
use crate::store::LocalStore;

/// Creates the GC roots for a change.
pub(super) fn root(
    purpose: &str,
    change: &Change,
    store: &LocalStore,
    locations: &Locations,
) -> Result<()> {
    let needed = [
        (Some(&change.to), "activate the new system"),
        (change.base.as_ref(), "reset later"),
    ];
    if !store.contains(&change.to) {
        return Err(StoreError::NotStorePath {
            purpose: purpose.into(),
            path: change.to.clone(),
        }
        .into());
    }
    let systems = [Some(&change.to), change.from.as_ref(), change.base.as_ref()];
    let systems = systems.into_iter().flatten().map(String::as_str);
    let sources = change.configuration.iter().flat_map(Configuration::trees);
    let of_overrides = change.overrides.required_paths();
    let own = Path::new(&change.to).parent().and_then(own_store_path);
    let of_files = change.runtime.store_paths.iter().map(String::as_str);
    let paths = systems.chain(sources).chain(of_overrides).chain(of_files);
    let paths: Vec<&str> = paths.chain(own.as_deref()).collect();
    for path in &paths {
        keep(path, store, locations)?;
    }
    for path in change.overrides.required_after_reboot() {
        keep_in(&locations.kept_roots(), path, store)?;
    }
    // Check the paths only after `protect`: later collections see the GC roots, and a running
    // collection has accepted these paths.
    let _protection = store.protect(paths)?;
    for path in &change.runtime.store_paths {
        if !store.is_valid(path)? {
            return Err(StoreError::NotInStore {
                purpose: purpose.into(),
                path: path.clone(),
                task: "apply the overrides",
            }
            .into());
        }
    }
    for (path, task) in needed {
        if let Some(path) = path
            && !store.is_valid(path)?
            && change.from.as_ref() != Some(path)
        {
            return Err(StoreError::NotInStore {
                purpose: purpose.into(),
                path: path.clone(),
                task,
            }
            .into());
        }
    }
    Ok(())
}

/// Protects our own executable during a switch, if it is in the same store as the system.
/// [`release`] removes this GC root.
pub(super) fn root_ourselves(
    system: &str,
    store: &LocalStore,
    locations: &Locations,
) -> Result<()> {
    match Path::new(system).parent().and_then(own_store_path) {
        Some(own) => keep(&own, store, locations),
        None => Ok(()),
    }
}

/// Returns the store path that contains our own executable, or `None` if it is outside the store.
fn own_store_path(store_folder: &Path) -> Option<String> {
    let own = own_executable().ok()?;
    let name = own.strip_prefix(store_folder).ok()?.components().next()?;
    Some(store_folder.join(name).to_string_lossy().into_owned())
}

fn keep(path: &str, store: &LocalStore, locations: &Locations) -> Result<()> {
    keep_in(&locations.roots(), path, store)
}

fn keep_in(folder: &Path, path: &str, store: &LocalStore) -> Result<()> {
    // A system may be outside this store, for example after an external switch. This store cannot
    // protect such a system.
    if store.is_valid(path).unwrap_or(false) {
        replace_root(folder, store, &root_name(path), path)?;
    }
    Ok(())
}

/// Removes all GC roots except those that the running system, its base, the targets of `rollback`
/// and the pending change need. Also removes old logs.
pub(super) fn release(locations: &Locations, state: &State) -> Result<()> {
    let history = LocalHost::new(locations).history()?;
    let mut keep: BTreeSet<String> = BTreeSet::new();
    let mut add = |path: &str| {
        keep.insert(root_name(path));
    };
    state.base.iter().for_each(|base| add(&base.toplevel));
    state.current.iter().for_each(|path| add(path));
    let sources = state.configuration.iter().flat_map(Configuration::trees);
    sources.for_each(&mut add);
    state.overrides.required_paths().for_each(&mut add);
    for files in [&state.runtime, &state.replaced] {
        files.store_paths.iter().for_each(|path| add(path));
    }
    let verified = state.verification.as_ref();
    let verified = history
        .iter()
        .filter(|entry| verified.is_some_and(|one| one.verified_state == entry.revision));
    for entry in reachable(&history, now()).chain(verified) {
        add(&entry.to);
        let others = entry.from.iter().chain(&entry.base).map(String::as_str);
        let sources = entry.configuration.iter().flat_map(Configuration::trees);
        others.chain(sources).for_each(&mut add);
        entry.overrides.required_paths().for_each(&mut add);
        entry.runtime.store_paths.iter().for_each(|path| add(path));
    }
    if let Some(pending) = &state.pending {
        add(&pending.to);
        let others = pending.from.iter().chain(&pending.base).map(String::as_str);
        let sources = pending.configuration.iter().flat_map(Configuration::trees);
        others.chain(sources).for_each(&mut add);
        pending.overrides.required_paths().for_each(&mut add);
        pending
            .runtime
            .store_paths
            .iter()
            .for_each(|path| add(path));
        // The rollback timer runs our own executable.
        let own = Path::new(&pending.to).parent().and_then(own_store_path);
        own.iter().for_each(|path| add(path));
    }
    if let Some(current) = state.current.as_ref().filter(|_| !state.runtime.is_empty()) {
        // The unit that watches for external switches runs our own executable.
        let own = Path::new(current).parent().and_then(own_store_path);
        own.iter().for_each(|path| add(path));
    }
    prune_roots(&locations.roots(), &keep)?;
    let mut kept: BTreeSet<String> = BTreeSet::new();
    let pending = state.pending.iter().map(|pending| &pending.overrides);
    for overrides in pending.chain([&state.overrides]) {
        kept.extend(overrides.required_after_reboot().map(root_name));
    }
    prune_roots(&locations.kept_roots(), &kept)?;

    let old = now().saturating_sub(AGE);
    let logs = history
        .iter()
        .rev()
        .take(KEPT)
        .filter(|entry| entry.time >= old);
    let logs: BTreeSet<&str> = logs.map(|entry| entry.transaction.as_str()).collect();
    let pending = state
        .pending
        .as_ref()
        .map(|pending| pending.transaction.as_str());
    // Also keep the logs of transactions that were requested after the oldest of these
    // transactions. Such a transaction may be waiting for the lock and have no record yet.
    let dropped = match logs.len() {
        KEPT => logs.iter().filter_map(|name| requested_at(name)).min(),
        _ => None,
    };
    let oldest = dropped.unwrap_or(0).max(old * 1000);
    prune_logs(locations, |name| {
        logs.contains(name)
            || pending == Some(name)
            || requested_at(name).is_some_and(|time| time >= oldest)
    })
}

/// Returns the name of the GC root for a store path. History records with the same path share one
/// GC root.
fn root_name(path: &str) -> String {
    Path::new(path)
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
