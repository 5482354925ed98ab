//! The persistent records: the state of this boot, its histories of transactions and overrides, the
//! modules and overrides that survive reboots, the lock, the GC roots, and the logs, requests and
//! outcomes of transactions.
//!
//! Only roles that run as root write these files. All processes may read them, except the lock and
//! the logs, requests and outcomes of transactions. JSON files are replaced atomically: a temporary
//! file is written, synced and renamed.

mod configuration;
#[cfg(test)]
mod cuts;
mod disk;
mod framing;
mod handover;
mod history;
mod inputs;
mod kept;
mod lock;
mod overrides_log;
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

pub use configuration::{Configuration, ExtraModule, Pin, PinnedInput, Source, SystemFile};
pub use disk::{create_log, open_log, remark};
pub use handover::{
    forget_log, forget_outcome, hand_over, is_transaction, leave_outcome, outcome, prune_logs,
    requested_at, take_over, withdraw,
};
pub use history::{
    AGE, Entry, KEPT, Outcome, append as append_history, reachable, read as read_history,
};
pub use inputs::{BaseStatus, ComparedBase, InputNode};
pub use kept::{KeptOverrides, Wanted};
pub use lock::{
    hold, holder, named as process_named, no_foreign_switch, not_held,
    process_in as process_locking_in, switches_elsewhere,
};
pub use overrides_log::{append as append_override, last as last_override, read as read_overrides};
pub use roots::{prune as prune_roots, replace as replace_root};
#[cfg(test)]
pub use state::Base;
pub use state::{Leaves, Pending, SCHEMA, State, Step, forget_boot};

/// Reads a JSON file with a schema version. Returns `None` if the file does not exist. If the file
/// is damaged or has another schema, the error has the hint `way_out`.
pub fn read_json<T: DeserializeOwned>(path: &Path, way_out: &str) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let damaged = |why: String| {
        Failure::Refused
            .error(format!("cannot read {}: {why}", path.display()))
            .hint(way_out)
    };
    let value: serde_json::Value = serde_json::from_slice(&text)
        .map_err(|error| damaged(format!("the file is damaged: {error}")))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(Failure::Refused
                .error(format!(
                    "cannot read {}: the file has schema {other}, but this version reads {SCHEMA}",
                    path.display()
                ))
                .hint("use the version of runtime-module that wrote the file")
                .hint(format!("or else: {way_out}"))
                .into());
        }
        None => return Err(damaged("the field `schema` is missing".into()).into()),
    }
    serde_json::from_value(value)
        .map(Some)
        .map_err(|error| damaged(format!("the file is damaged: {error}")).into())
}

/// Atomically replaces a file that all users may read.
fn write_json<T: Serialize>(path: &Path, value: &T, point: Point) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text.push('\n');
    disk::replace(path, text.as_bytes(), 0o644, point)
}

/// Returns the toplevel of the running system, from `/run/current-system`. Returns `None` if this
/// link does not exist.
pub fn running(locations: &Locations) -> Option<String> {
    fs::read_link(locations.current_system())
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}
