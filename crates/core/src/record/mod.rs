//! The persistent records: the state of this boot, its histories of transactions and overrides, the
//! modules and overrides that survive reboots, the lock, the GC roots, and the logs, requests and
//! outcomes of transactions.
//!
//! Only roles that run as root write these files. All processes may read them, except the lock and
//! the logs, requests and outcomes of transactions. JSON files are replaced atomically: a temporary
//! file is written, synced and renamed.

mod configuration;
mod disk;
mod effects;
mod framing;
mod handover;
mod history;
mod inputs;
#[cfg(test)]
mod interrupted_writes;
mod json;
mod kept;
mod lock;
mod overrides_log;
mod roots;
mod state;

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::fault::Point;
use crate::locations::Locations;

pub use configuration::{Configuration, ExtraModule, Pin, PinnedInput, Source, SystemFile};
pub(crate) use disk::{absent, open_lock, remove_if_empty};
pub use disk::{create_log, open_log, remark};
pub use effects::{read as read_effects, write as write_effects};
pub use handover::{
    forget_log, forget_outcome, hand_over, is_transaction, leave_outcome, outcome, prune_logs,
    requested_at, take_over, withdraw,
};
pub(crate) use history::read as read_history;
pub use history::{AGE, Entry, KEPT, Outcome, append as append_history, reachable};
pub use inputs::{BaseStatus, ComparedBase, InputNode};
pub use json::{SCHEMA, read_json};
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
pub use state::{Pending, State, StateEffect, Step, forget_boot};

/// Replaces a unit file.
pub(crate) fn write_unit(path: &Path, text: &str) -> Result<()> {
    disk::replace(path, text.as_bytes(), 0o644, Point::WriteUnit)
}

/// Returns the toplevel of the running system, from `/run/current-system`. Returns `None` if this
/// link does not exist.
pub(crate) fn running(locations: &Locations) -> Option<String> {
    fs::read_link(locations.current_system())
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}
