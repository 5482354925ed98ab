//! What is remembered: the state of this boot, its history, the wish that outlives it, the lock, the GC roots.
//!
//! Only the activator writes here. Reading is for everyone. Every replacement is atomic: a temporary file, synced, renamed.

#[cfg(test)]
mod cuts;
mod disk;
mod handover;
mod history;
mod lock;
mod roots;
mod state;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Failure;
use crate::fault::Point;
use crate::locations::Locations;

pub use disk::{create_log, open_log, remark};
pub use handover::{
    forget_log, forget_outcome, hand_over, is_transaction, leave_outcome, outcome, prune_logs,
    take_over, withdraw,
};
pub use history::{
    AGE, Entry, KEPT, Outcome, append as append_history, reachable, read as read_history,
};
pub use lock::{
    hold, holder, named as process_named, no_foreign_switch, not_held,
    process_in as process_locking_in, switches_elsewhere,
};
pub use roots::{prune as prune_roots, replace as replace_root};
#[cfg(test)]
pub use state::Base;
pub use state::{
    ExtraModule, Leaves, Pending, Pin, PinnedInput, SCHEMA, State, Step, SystemFile, Wanted,
    forget_boot,
};

/// Reads a versioned JSON file; `None` where there is none. `way_out` says what to do about a damaged one.
pub fn read_json<T: DeserializeOwned>(path: &Path, way_out: &str) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let damaged = |why: String| {
        Failure::Refused
            .error(format!("read {}: {why}", path.display()))
            .hint(way_out)
    };
    let value: serde_json::Value = serde_json::from_slice(&text)
        .map_err(|error| damaged(format!("the file is damaged: {error}")))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(Failure::Refused
                .error(format!(
                    "read {}: it has schema {other}, and this program knows {SCHEMA}",
                    path.display()
                ))
                .hint("another version of runtime-module wrote it: use that version")
                .hint(format!("or else: {way_out}"))
                .into());
        }
        None => return Err(damaged("it does not name its schema".into()).into()),
    }
    serde_json::from_value(value)
        .map(Some)
        .map_err(|error| damaged(format!("the file is damaged: {error}")).into())
}

/// Replaces a file that everyone may read, whole or not at all.
fn write_json<T: Serialize>(path: &Path, value: &T, point: Point) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("write JSON")?;
    text.push('\n');
    disk::replace(path, text.as_bytes(), 0o644, point)
}

/// The toplevel that runs, as NixOS says; none where nothing says so.
pub fn running(locations: &Locations) -> Option<String> {
    fs::read_link(locations.current_system())
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}
