//! Everything about the machine that a plan depends on. Reads files.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::baked::Baked;
use crate::local::usual_folder;
use crate::locations::Locations;
use crate::overrides::OverrideState;
use crate::record::{State, Step, holder, last_override, running};

/// The situation of the machine.
#[derive(Clone, Debug)]
pub struct Situation {
    /// Configuration that the NixOS module baked in.
    pub baked: Option<Baked>,
    /// The recorded state.
    pub state: State,
    /// Toplevel of the running system.
    pub running: Option<String>,
    /// Description of the running transaction, from the holder of the lock.
    pub under_way: Option<String>,
    /// The directory from which NixOS's own tools take the configuration, if it has a flake.
    pub usual: Option<String>,
    /// The configuration in that directory, if it has no flake.
    pub plain: Option<String>,
    /// The running specialisation, if a known system contains it.
    pub specialisation: Option<String>,
}

impl Situation {
    /// Reads the situation.
    pub fn read(locations: &Locations) -> Result<Self> {
        let mut state = State::read(locations)?;
        // If the file of the state was moved away, the record still has later numbers.
        if let Ok(Some(last)) = last_override(locations) {
            state.overrides.generation = state.overrides.generation.max(last.number);
        }
        let running = running(locations);
        Ok(Self {
            baked: Baked::read(locations)?,
            specialisation: specialisation(locations, &state, running.as_deref()),
            state,
            running,
            under_way: holder(locations),
            usual: usual(locations, "flake.nix").map(|file| flake_folder(&file)),
            plain: usual(locations, "configuration.nix"),
        })
    }

    /// Returns whether an external switch has happened since our last one, so that the running
    /// system is not ours.
    pub fn foreign(&self) -> bool {
        self.state.foreign(self.running.as_deref())
    }

    /// Returns the active modules.
    pub fn active(&self) -> &[String] {
        match self.state.unended(self.running.as_deref()) {
            // The change is active, and may still be rolled back.
            Some(pending)
                if pending.step == Step::Confirming
                    && Some(&pending.to) == self.running.as_ref() =>
            {
                &pending.wanted
            }
            // It is unknown which modules are active.
            Some(pending) if pending.step == Step::Stranded => &[],
            _ if self.state.current.is_some() && self.state.current == self.running => {
                &self.state.active
            }
            _ => &[],
        }
    }

    /// Returns the recorded option overrides.
    pub fn overrides(&self) -> &OverrideState {
        &self.state.overrides
    }

    /// Returns whether the running system has all recorded option overrides. After a boot or an external switch it has
    /// none.
    pub fn overrides_are_active(&self) -> bool {
        let runs = self.state.current.is_some() && self.state.current == self.running;
        runs || self.overrides().is_empty()
    }

    /// Returns the toplevel without any runtime module or option override, if it is known.
    pub fn base(&self) -> Option<String> {
        self.varied_base()
            .or_else(|| self.state.base_of(self.running.as_deref()))
    }

    /// Returns the toplevel of a specialisation of the base, if the base is the host itself.
    pub(super) fn base_variant(&self, name: &str) -> Option<String> {
        variant_of(&self.base()?, name)
    }

    /// After an external switch to a specialisation of our system, which includes our modules,
    /// returns the same specialisation of the base.
    pub(super) fn varied_base(&self) -> Option<String> {
        let name = self.specialisation.as_ref().filter(|_| self.foreign())?;
        let ours = variant_of(self.state.current.as_deref()?, name);
        if ours != self.running {
            return None;
        }
        variant_of(&self.state.base.as_ref()?.toplevel, name)
    }
}

/// Returns the toplevel of a system's specialisation.
fn variant_of(toplevel: &str, name: &str) -> Option<String> {
    let link = Path::new(toplevel).join("specialisation").join(name);
    let path = link.canonicalize().ok()?;
    Some(path.to_string_lossy().into_owned())
}

/// Returns the name of the running system, if it is a specialisation of a known system.
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

/// Returns a file in `/etc/nixos`, where NixOS's own tools look.
fn usual(locations: &Locations, name: &str) -> Option<String> {
    let file = locations.root().join("etc/nixos").join(name);
    file.exists().then(|| file.to_string_lossy().into_owned())
}

/// Returns the folder of the flake, as NixOS's own tools find it.
fn flake_folder(file: &str) -> String {
    let folder = Path::new(file).parent().unwrap_or(Path::new("/"));
    usual_folder(folder).to_string_lossy().into_owned()
}
