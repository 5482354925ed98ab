//! The machine on which this program runs: its state, histories, locks and running system. All
//! other modules read this data through [`LocalHost`], so that a remote machine can take its place.

mod machine;
mod profile;
mod situation;

use anyhow::Result;

use crate::baked::Baked;
use crate::locations::Locations;
use crate::overrides::Generation;
use crate::record::{self, Entry, State};

pub use machine::Machine;
pub use profile::Profile;
pub use situation::Situation;

/// The machine on which this program runs.
#[derive(Clone, Copy, Debug)]
pub struct LocalHost<'a> {
    locations: &'a Locations,
}

impl<'a> LocalHost<'a> {
    pub fn new(locations: &'a Locations) -> Self {
        Self { locations }
    }

    /// Reads the configuration that the NixOS module baked in. Returns `None` on a machine without
    /// that module.
    pub fn baked(self) -> Result<Option<Baked>> {
        Baked::read(self.locations)
    }

    /// Returns whether a transaction has recorded a state in this boot.
    pub fn has_state(self) -> bool {
        self.locations.state().exists()
    }

    /// Reads the state of this boot.
    pub fn state(self) -> Result<State> {
        State::read(self.locations)
    }

    /// Reads the history of transactions, oldest first.
    pub fn history(self) -> Result<Vec<Entry>> {
        record::read_history(self.locations)
    }

    /// Reads the history of option overrides, oldest generation first.
    pub fn generations(self) -> Result<Vec<Generation>> {
        record::read_overrides(self.locations)
    }

    /// Reads the last generation of option overrides. Reads only the end of the history.
    pub fn last_generation(self) -> Result<Option<Generation>> {
        record::last_override(self.locations)
    }

    /// Returns the toplevel of the running system; `None` if it is unknown.
    pub fn running(self) -> Option<String> {
        record::running(self.locations)
    }

    /// Describes the process that holds the lock for changes; `None` if the lock is not held.
    pub fn lock_holder(self) -> Option<String> {
        record::holder(self.locations)
    }

    /// Reads the facts that the checks before a switch compare.
    pub fn machine(self) -> Machine {
        Machine::read(self.locations)
    }
}
