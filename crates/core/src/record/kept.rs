//! The requested modules and the option overrides that survive reboots.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::json::{SCHEMA, write_json};
use crate::fault::Point;
use crate::locations::Locations;
use crate::overrides::{Definition, OverrideState};

/// The option overrides that survive reboots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptOverrides {
    /// Always [`SCHEMA`].
    pub schema: u64,
    pub definitions: Vec<Definition>,
}

impl KeptOverrides {
    /// Selects the overrides that survive a reboot.
    pub fn of(overrides: &OverrideState) -> Self {
        Self {
            schema: SCHEMA,
            definitions: overrides.kept(),
        }
    }

    /// Replaces the file. Only the activator may call this, while it holds the lock.
    pub fn write(&self, locations: &Locations) -> Result<()> {
        write_json(&locations.kept_overrides(), self, Point::WriteKeptOverrides)
    }
}

/// The content of `wanted.json`: the requested modules, which survive reboots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Always [`SCHEMA`].
    pub schema: u64,
    /// The requested modules.
    pub modules: Vec<String>,
}

impl Wanted {
    /// Replaces the file. Only the activator may call this, while it holds the lock.
    pub fn write(&self, locations: &Locations) -> Result<()> {
        write_json(&locations.wanted(), self, Point::WriteWanted)
    }
}
