//! What the machine is like. Reads files.

use std::path::{Path, PathBuf};

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
    /// The configuration that lies there without a flake.
    pub plain: Option<String>,
    /// The specialisation that runs, as far as the systems tell that are known.
    pub specialisation: Option<String>,
}

impl Situation {
    /// Reads it.
    pub fn read(locations: &Locations) -> Result<Self> {
        let state = State::read(locations)?;
        let running = running(locations);
        Ok(Self {
            baked: Baked::read(locations)?,
            specialisation: specialisation(locations, &state, running.as_deref()),
            state,
            running,
            under_way: holder(locations),
            usual: usual(locations, "flake.nix").map(folder),
            plain: usual(locations, "configuration.nix"),
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
        self.varied_base()
            .or_else(|| self.state.base_of(self.running.as_deref()))
    }

    /// Somebody has switched to a specialisation of what we had activated, which has our modules too: without them it is the
    /// specialisation of the base.
    pub(super) fn varied_base(&self) -> Option<String> {
        let name = self.specialisation.as_ref().filter(|_| self.foreign())?;
        let ours = variant_of(self.state.current.as_deref()?, name);
        if ours != self.running {
            return None;
        }
        variant_of(&self.state.base.as_ref()?.toplevel, name)
    }
}

/// The toplevel of a system's specialisation.
fn variant_of(toplevel: &str, name: &str) -> Option<String> {
    let link = Path::new(toplevel).join("specialisation").join(name);
    let path = link.canonicalize().ok()?;
    Some(path.to_string_lossy().into_owned())
}

/// The name under which a known system has the one that runs as a specialisation of its own.
fn specialisation(locations: &Locations, state: &State, running: Option<&str>) -> Option<String> {
    let running = Path::new(running?);
    let ours = [
        state.current.as_deref(),
        state.base.as_ref().map(|base| base.toplevel.as_str()),
    ];
    let theirs = ["nix/var/nix/profiles/system", "run/booted-system"];
    let known = ours.into_iter().flatten().map(PathBuf::from);
    let known = known.chain(theirs.map(|path| locations.root().join(path)));
    for folder in known.map(|system| system.join("specialisation")) {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        let found = entries
            .filter(|entry| entry.path().canonicalize().is_ok_and(|at| at == running))
            .find_map(|entry| entry.file_name().into_string().ok());
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A file in `/etc/nixos`, where NixOS's own tools look.
fn usual(locations: &Locations, name: &str) -> Option<String> {
    let file = locations.root().join("etc/nixos").join(name);
    file.exists().then(|| file.to_string_lossy().into_owned())
}

/// The folder that it lies in.
fn folder(file: String) -> String {
    match file.rsplit_once('/') {
        Some((folder, _)) => folder.into(),
        None => file,
    }
}
