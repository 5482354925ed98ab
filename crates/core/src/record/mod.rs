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

use crate::error::RecordError;
use crate::fault::Point;
use crate::locations::Locations;

pub use configuration::{Configuration, ExtraModule, Pin, PinnedInput, Source, SystemFile};
pub use disk::{create_log, open_log, remark};
pub use handover::{
    forget_log, forget_outcome, hand_over, is_transaction, leave_outcome, outcome, prune_logs,
    requested_at, take_over, withdraw,
};
pub(crate) use history::read as read_history;
pub use history::{AGE, Entry, KEPT, Outcome, append as append_history, reachable};
pub use inputs::{BaseStatus, ComparedBase, InputNode};
pub use kept::{KeptOverrides, Wanted};
pub(crate) use lock::holder;
pub use lock::{
    hold, named as process_named, no_foreign_switch, not_held, process_in as process_locking_in,
    switches_elsewhere,
};
pub use overrides_log::append as append_override;
pub(crate) use overrides_log::{last as last_override, read as read_overrides};
pub use roots::{prune as prune_roots, replace as replace_root};
#[cfg(test)]
pub use state::Base;
pub use state::{Pending, SCHEMA, State, StateEffect, Step, forget_boot};

/// Reads a JSON file with a schema version. Returns `None` if the file does not exist. If the file
/// is damaged or has another schema, the error has the hint `remedy`.
pub fn read_json<T: DeserializeOwned>(path: &Path, remedy: &str) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    parse_json(&text, path.display().to_string(), remedy.into()).map(Some)
}

fn parse_json<T: DeserializeOwned>(text: &[u8], path: String, remedy: String) -> Result<T> {
    let damaged = |path, remedy, error: serde_json::Error| RecordError::Damaged {
        path,
        reason: error.to_string(),
        remedy,
    };
    let value: serde_json::Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => return Err(damaged(path, remedy, error).into()),
    };
    let found = match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(found) => found,
        None => return Err(RecordError::NoSchema { path, remedy }.into()),
    };
    if found != SCHEMA {
        return Err(RecordError::OtherSchema {
            path,
            found,
            supported: SCHEMA,
            remedy,
        }
        .into());
    }
    serde_json::from_value(value).map_err(|error| damaged(path, remedy, error).into())
}

/// Atomically replaces a file that all users may read.
fn write_json<T: Serialize>(path: &Path, value: &T, point: Point) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text.push('\n');
    disk::replace(path, text.as_bytes(), 0o644, point)
}

/// Returns the toplevel of the running system, from `/run/current-system`. Returns `None` if this
/// link does not exist.
pub(crate) fn running(locations: &Locations) -> Option<String> {
    fs::read_link(locations.current_system())
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}
