//! The facts about the machine that the checks before a switch compare.

use std::fs;
use std::path::{Path, PathBuf};

use super::Profile;
use crate::locations::Locations;

/// The facts about a machine on which a system is to be activated.
pub struct Machine {
    /// The facts about the running system; all unknown if no system is running.
    pub running: Profile,
    /// The booted system; `None` if it is unknown.
    pub booted: Option<PathBuf>,
    /// The host name; `None` if it is unknown.
    pub name: Option<String>,
}

impl Machine {
    /// Reads the facts of the machine.
    pub(super) fn read(locations: &Locations) -> Self {
        let running = fs::canonicalize(locations.current_system()).ok();
        Self::with_running(locations, running.as_deref())
    }

    /// Reads the facts of a machine that runs this toplevel.
    pub fn with_running(locations: &Locations, running: Option<&Path>) -> Self {
        let running = running.map(Profile::of).unwrap_or_default();
        let file = fs::read_to_string(locations.root().join("etc/hostname")).ok();
        let own = || {
            let name = unix::unistd::gethostname().ok()?;
            Some(name.to_string_lossy().into_owned())
        };
        let name = running
            .host
            .clone()
            .or_else(|| file.map(|text| text.trim().to_string()))
            .or_else(|| own().filter(|_| locations.is_real()));
        Self {
            name: name.filter(|name| !name.is_empty()),
            booted: fs::canonicalize(locations.booted_system()).ok(),
            running,
        }
    }
}
