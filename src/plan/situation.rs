//! What the machine is like. Reads files.

use anyhow::Result;

use crate::baked::Baked;
use crate::locations::Locations;
use crate::record::{State, Step, holder, running};

/// What the machine is like.
#[derive(Clone, Debug)]
pub struct Situation {
    /// What the NixOS module baked.
    pub baked: Option<Baked>,
    /// What was recorded.
    pub state: State,
    /// The toplevel that runs.
    pub running: Option<String>,
    /// The transaction that is under way, in the words of whoever holds the lock.
    pub under_way: Option<String>,
    /// The folder that NixOS's own tools take the configuration from, where it has a flake.
    pub usual: Option<String>,
}

impl Situation {
    /// Reads it.
    pub fn read(locations: &Locations) -> Result<Self> {
        Ok(Self {
            baked: Baked::read(locations)?,
            state: State::read(locations)?,
            running: running(locations),
            under_way: holder(locations),
            usual: usual(locations),
        })
    }

    /// Whether somebody else has switched since we did: what runs is none of ours.
    pub fn foreign(&self) -> bool {
        self.state.foreign(self.running.as_deref())
    }

    /// Modules that are on.
    pub fn active(&self) -> &[String] {
        match self.state.unended(self.running.as_deref()) {
            // It runs, and may be returned from.
            Some(pending)
                if pending.step == Step::Confirming
                    && Some(&pending.to) == self.running.as_ref() =>
            {
                &pending.wanted
            }
            // Nobody knows what is on.
            Some(pending) if pending.step == Step::Stranded => &[],
            _ if self.state.current.is_some() && self.state.current == self.running => {
                &self.state.active
            }
            _ => &[],
        }
    }

    /// The toplevel without any runtime module, where it is known.
    pub fn base(&self) -> Option<String> {
        self.state.base_of(self.running.as_deref())
    }
}

/// `/etc/nixos`, where it has a flake.
fn usual(locations: &Locations) -> Option<String> {
    let folder = locations.root().join("etc/nixos");
    folder
        .join("flake.nix")
        .exists()
        .then(|| folder.to_string_lossy().into_owned())
}
