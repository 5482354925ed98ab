//! The systemd managers of the machine: the system manager, and one for each user who is logged in
//! or has lingering enabled. This module reads the state of their units, and does not change
//! anything.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::thread::ScopedJoinHandle;

use unix::unistd::{Uid, User};

use super::systemd::{ask_as, is_name};
use super::unit_state::{PROPERTIES, UnitJob, UnitState};

/// The types of units that are read unless they are inactive. Units of other types are read only if
/// they have failed or have a job.
const KINDS: &str = "--type=service,socket,timer,path";

/// The states of units, by manager and name.
pub(super) type States = BTreeMap<UnitId, UnitState>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Manager {
    System,
    /// The manager of a user.
    User {
        uid: u32,
        /// The primary group of the user.
        gid: u32,
    },
}

/// A unit of a manager.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnitId {
    pub(super) manager: Manager,
    pub(super) name: String,
}

impl UnitId {
    pub(super) fn of_system(name: &str) -> Self {
        Self {
            manager: Manager::System,
            name: name.to_string(),
        }
    }
}

impl std::fmt::Display for UnitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.manager.user_name() {
            None => f.write_str(&self.name),
            Some(user) => write!(f, "{} of user {user}", self.name),
        }
    }
}

impl Manager {
    /// Returns all running managers.
    pub(super) fn all() -> Vec<Self> {
        let mut managers = vec![Self::System];
        for entry in std::fs::read_dir("/run/user").into_iter().flatten() {
            let Ok(entry) = entry else { continue };
            let folder = entry.path();
            if let Ok(found) = folder.metadata()
                && entry.file_name().to_str() == Some(&found.uid().to_string())
                && folder.join("systemd/private").exists()
            {
                let (uid, gid) = (found.uid(), found.gid());
                managers.push(Self::User { uid, gid });
            }
        }
        managers.sort();
        managers
    }

    /// Configures a command to talk to this manager. A user's manager answers only processes of
    /// that user.
    fn prepare(&self, command: &mut Command) {
        if let Self::User { uid, gid } = self {
            command
                .uid(*uid)
                .gid(*gid)
                .env("XDG_RUNTIME_DIR", format!("/run/user/{uid}"));
        }
    }

    /// Returns the name of the user, or the user ID if the user has no name. Returns `None` for the
    /// system manager.
    pub(super) fn user_name(&self) -> Option<String> {
        match self {
            Self::System => None,
            Self::User { uid, .. } => Some(
                User::from_uid(Uid::from_raw(*uid))
                    .ok()
                    .flatten()
                    .map_or_else(|| uid.to_string(), |user| user.name),
            ),
        }
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<String, String> {
        let scope = match self {
            Self::System => "--system",
            Self::User { .. } => "--user",
        };
        let mut all = vec![scope, "--no-pager"];
        all.extend(arguments);
        ask_as("systemctl", &all, |command| self.prepare(command))
    }

    /// Returns the properties of units, as `systemctl show` prints them.
    pub(super) fn show(&self, properties: &[&str], units: &[&str]) -> Result<String, String> {
        let mut arguments = vec!["show"];
        let properties: Vec<String> = properties
            .iter()
            .map(|name| format!("--property={name}"))
            .collect();
        arguments.extend(properties.iter().map(String::as_str));
        arguments.push("--");
        arguments.extend(units.iter().filter(|unit| is_name(unit)));
        self.systemctl(&arguments)
    }

    /// Returns the units of the types in [`KINDS`] that are not inactive, all failed units, and all
    /// units that have a job.
    fn states(&self) -> Result<Vec<UnitState>, String> {
        let properties = format!("--property={}", PROPERTIES.join(","));
        let up = "--state=active,activating,reloading,deactivating,failed";
        let (up, failed) = std::thread::scope(|scope| {
            let up = scope.spawn(|| self.systemctl(&["show", KINDS, up, &properties, "--", "*"]));
            let failed = self.systemctl(&["show", "--state=failed", &properties, "--", "*"]);
            (joined(up), failed)
        });
        let mut units = UnitState::read_all(&up?);
        for unit in UnitState::read_all(&failed?) {
            if units.iter().all(|other| other.name != unit.name) {
                units.push(unit);
            }
        }
        // Read the jobs last. Otherwise, a starting unit could appear without the job that starts
        // it.
        self.add_jobs(&mut units, &self.jobs());
        Ok(units)
    }

    /// Returns the waiting and running jobs, or none if the manager does not answer.
    fn jobs(&self) -> BTreeMap<String, UnitJob> {
        let listed = self.systemctl(&["list-jobs", "--plain", "--no-legend", "--full"]);
        UnitJob::read_all(&listed.unwrap_or_default())
    }

    /// Assigns the jobs to their units. Adds the units that have a job but are not in `units` yet.
    fn add_jobs(&self, units: &mut Vec<UnitState>, jobs: &BTreeMap<String, UnitJob>) {
        let absent: Vec<&str> = jobs
            .keys()
            .filter(|name| units.iter().all(|unit| unit.name != **name))
            .map(String::as_str)
            .collect();
        if !absent.is_empty() {
            let text = self.show(PROPERTIES, &absent).unwrap_or_default();
            units.extend(UnitState::read_all(&text));
        }
        for unit in units {
            unit.job = jobs.get(&unit.name).cloned();
        }
    }

    /// Returns the state of these units, including inactive ones.
    fn states_of(&self, names: &[&str]) -> Vec<UnitState> {
        let text = self.show(PROPERTIES, names).unwrap_or_default();
        let mut units = UnitState::read_all(&text);
        if !units.is_empty() {
            let jobs = self.jobs();
            for unit in &mut units {
                unit.job = jobs.get(&unit.name).cloned();
            }
        }
        units
    }
}

/// Returns the result of a thread that queried systemd.
fn joined<T>(thread: ScopedJoinHandle<'_, Result<T, String>>) -> Result<T, String> {
    thread
        .join()
        .unwrap_or_else(|_| Err("the thread panicked".into()))
}

/// Returns the units of all managers (see [`Manager::states`]). Skips managers that do not answer.
pub(super) fn states() -> States {
    let managers = Manager::all();
    std::thread::scope(|scope| {
        let queries: Vec<_> = managers
            .iter()
            .map(|manager| (manager, scope.spawn(|| manager.states())))
            .collect();
        let mut states = States::new();
        for (manager, query) in queries {
            let units = joined(query).unwrap_or_default();
            states.extend(keyed(manager, units));
        }
        states
    })
}

/// Returns the current state of these units.
pub(super) fn states_of(ids: &[UnitId]) -> States {
    let mut names: BTreeMap<&Manager, Vec<&str>> = BTreeMap::new();
    for id in ids {
        names.entry(&id.manager).or_default().push(&id.name);
    }
    names
        .into_iter()
        .flat_map(|(manager, names)| keyed(manager, manager.states_of(&names)))
        .collect()
}

fn keyed(manager: &Manager, units: Vec<UnitState>) -> impl Iterator<Item = (UnitId, UnitState)> {
    let manager = manager.clone();
    units.into_iter().map(move |unit| {
        let id = UnitId {
            manager: manager.clone(),
            name: unit.name.clone(),
        };
        (id, unit)
    })
}

/// Returns whether a unit file is in `/etc/systemd`, which the running NixOS system provides.
pub(super) fn is_of_system(fragment: &Path) -> bool {
    fragment.starts_with("/etc/systemd")
}
