//! Reads everything about the machine that a plan depends on.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::LocalHost;
use crate::baked::Baked;
use crate::local::usual_folder;
use crate::locations::Locations;
use crate::overrides::OverrideState;
use crate::partial::Effects;
use crate::record::{Entry, State, Step, read_effects};

/// The facts about the machine that a plan depends on.
#[derive(Clone, Debug)]
pub struct Situation {
    /// The configuration that the NixOS module baked in; `None` on a machine without that module.
    pub baked: Option<Baked>,
    /// The recorded state.
    pub state: State,
    /// The toplevel of the running system; `None` if it is unknown.
    pub running: Option<String>,
    /// A description of the process that holds the lock; `None` if the lock is not held.
    pub under_way: Option<String>,
    /// The folder of the flake that NixOS's own tools use, if `/etc/nixos` contains a flake.
    pub usual: Option<String>,
    /// The path of `/etc/nixos/configuration.nix`, if this file exists.
    pub plain: Option<String>,
    /// The name of the running specialisation, if it belongs to a known system.
    pub specialisation: Option<String>,
    /// The history of transactions, oldest first; empty if it cannot be read.
    pub history: Vec<Entry>,
    /// The known effects of options on the base.
    pub effects: Effects,
}

impl LocalHost<'_> {
    /// Reads everything about the machine that a plan depends on.
    pub fn situation(self) -> Result<Situation> {
        let locations = self.locations;
        let mut state = self.state()?;
        // If the user moved the state file away, the last generation is known only from the history
        // of overrides.
        if let Ok(Some(last)) = self.last_generation() {
            state.overrides.generation = state.overrides.generation.max(last.number);
        }
        let running = self.running();
        let base = state.base_of(running.as_deref());
        Ok(Situation {
            baked: self.baked()?,
            history: self.history().unwrap_or_default(),
            effects: read_effects(locations).on(base.as_deref()),
            specialisation: specialisation(locations, &state, running.as_deref()),
            state,
            running,
            under_way: self.lock_holder(),
            usual: usual(locations, "flake.nix").map(|file| flake_folder(&file)),
            plain: usual(locations, "configuration.nix"),
        })
    }
}

impl Situation {
    /// Returns whether an external switch has activated another system since our last switch.
    pub fn foreign(&self) -> bool {
        self.state.foreign(self.running.as_deref())
    }

    /// Returns the active modules.
    pub fn active(&self) -> &[String] {
        match self.state.unfinished_transaction(self.running.as_deref()) {
            // The change is active, but may still be rolled back.
            Some(pending)
                if pending.step == Step::Confirming
                    && Some(&pending.to) == self.running.as_ref() =>
            {
                &pending.wanted
            }
            // The system may be only partly switched, so the active modules are unknown.
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

    /// Returns whether the running system contains all recorded option overrides. After a boot or
    /// an external switch, it does not contain any.
    pub fn overrides_are_active(&self) -> bool {
        let runs = self.state.current.is_some() && self.state.current == self.running;
        (runs && !self.state.overrides_ended) || self.overrides().is_empty()
    }

    /// Returns the toplevel without any runtime module or option override, if it is known.
    pub fn base(&self) -> Option<String> {
        self.varied_base()
            .or_else(|| self.state.base_of(self.running.as_deref()))
    }

    /// Returns the toplevel of this specialisation of the base. Returns `None` if the base has no
    /// such specialisation, for example because it is a specialisation itself.
    pub fn base_variant(&self, name: &str) -> Option<String> {
        variant_of(&self.base()?, name)
    }

    /// Returns the base after an external switch to a specialisation of our system. Such a
    /// specialisation contains our modules, so its base is the same specialisation of our base.
    pub fn varied_base(&self) -> Option<String> {
        let name = self.specialisation.as_ref().filter(|_| self.foreign())?;
        let ours = variant_of(self.state.current.as_deref()?, name);
        if ours != self.running {
            return None;
        }
        variant_of(&self.state.base.as_ref()?.toplevel, name)
    }
}

/// Returns the toplevel of a specialisation of this system.
fn variant_of(toplevel: &str, name: &str) -> Option<String> {
    let link = Path::new(toplevel).join("specialisation").join(name);
    let path = link.canonicalize().ok()?;
    Some(path.to_string_lossy().into_owned())
}

/// Returns the name of the specialisation that is running, if it belongs to a known system.
fn specialisation(locations: &Locations, state: &State, running: Option<&str>) -> Option<String> {
    let running = Path::new(running?);
    let ours = [
        state.current.as_deref(),
        state.base.as_ref().map(|base| base.toplevel.as_str()),
    ];
    let theirs = [locations.system_profile(), locations.booted_system()];
    let known = ours.into_iter().flatten().map(PathBuf::from);
    let known = known.chain(theirs);
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

/// Returns the path of a file in `/etc/nixos`, the default folder of NixOS's own tools, if the file
/// exists.
fn usual(locations: &Locations, name: &str) -> Option<String> {
    let file = locations.nixos_folder().join(name);
    file.exists().then(|| file.to_string_lossy().into_owned())
}

/// Returns the folder of the flake that contains this file, as NixOS's own tools determine it.
fn flake_folder(file: &str) -> String {
    let folder = Path::new(file).parent().unwrap_or(Path::new("/"));
    usual_folder(folder).to_string_lossy().into_owned()
}
