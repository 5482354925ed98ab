//! What a switch will do to units, from the unit files of both systems: what NixOS's switch program decides, as far as
//! files tell. Reads; asks systemd what is up, and changes nothing.
//!
//! Facts: nixpkgs, `switch-to-configuration.pl` of 24.05 and `switch-to-configuration-ng` since (`handle_modified_unit`):
//! a unit that is gone is stopped; one that changed is stopped and started, or restarted, reloaded or left alone where it
//! says so; targets that are up are started again, and with them what they want. Mounts of `/etc/fstab` and what an
//! activation script asks for are not in unit files, and not here.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::systemd;
use super::unit_files::{Difference, Folder, Unit, template_of};
use crate::locations::Locations;

/// Targets that may be up after the machine slept, and are not started again.
const SLEEP: [&str; 3] = ["suspend.target", "hibernate.target", "hybrid-sleep.target"];

/// The target that each switch restarts, for units that come before `sysinit.target`.
const REACTIVATION: &str = "sysinit-reactivation.target";

/// What will be done to units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitChanges {
    /// Stopped; a service that is activated by a socket among them, which comes back with the next connection.
    pub stop: BTreeSet<String>,
    /// Stopped and started, or restarted.
    pub restart: BTreeSet<String>,
    /// Told to reload.
    pub reload: BTreeSet<String>,
    /// Started.
    pub start: BTreeSet<String>,
    /// Changed, and left as they are until somebody restarts them.
    pub left: BTreeSet<String>,
    /// Units of users that came, went or changed. What is up of them only each user's own manager knows, and what is done to
    /// it depends on the program: nothing but for `nixos-activation.service`, or as here, since nixpkgs#507588.
    pub user: BTreeSet<String>,
}

/// What will be done to units when `to` takes the place of `from`; both are real paths.
pub fn unit_changes(from: Option<&Path>, to: &Path, locations: &Locations) -> UnitChanges {
    let up = systemd::runs(locations)
        .then(|| systemd::units("active,activating,reloading"))
        .flatten();
    let folders = |kind: &str| {
        let folder = |system: &Path| Folder::read(&system.join("etc/systemd").join(kind));
        (from.map(folder).unwrap_or_default(), folder(to))
    };
    let (old, new) = folders("system");
    let changes = compare(&old, &new, up);
    let (old, new) = folders("user");
    UnitChanges {
        user: old.differ(&new),
        ..changes
    }
}

fn compare(old: &Folder, new: &Folder, up: Option<Vec<String>>) -> UnitChanges {
    let up: BTreeSet<String> = match up {
        Some(up) => up.into_iter().collect(),
        // Where nobody says what is up, it is what is wanted.
        None => {
            let roots: BTreeSet<String> = old.roots().chain(new.roots()).collect();
            let wanted = old.wanted(&roots, &BTreeSet::new());
            roots.into_iter().chain(wanted).collect()
        }
    };
    let mut switch = Switch {
        old,
        new,
        up: &up,
        changes: UnitChanges::default(),
    };
    for name in &up {
        switch.decide(name);
    }
    switch.start();
    switch.changes
}

/// A switch from one folder of units to another.
struct Switch<'a> {
    old: &'a Folder,
    new: &'a Folder,
    up: &'a BTreeSet<String>,
    changes: UnitChanges,
}

impl Switch<'_> {
    /// Decides on a unit that is up.
    fn decide(&mut self, name: &str) {
        // An instance has a file of its own, or that of its template.
        let own = self.old.has(name) || self.new.has(name);
        let base = template_of(name).filter(|_| !own);
        let base = base.as_deref().unwrap_or(name);
        let Some(before) = self.old.unit(base, name) else {
            return;
        };
        match self.new.unit(base, name) {
            None if before.is("Unit", "X-StopOnRemoval", true) => {
                self.changes.stop.insert(name.to_string());
            }
            None => {}
            Some(_) if name.ends_with(".target") => {}
            Some(after) => match before.change(&after) {
                Difference::None => {}
                Difference::Triggers => {
                    self.changes.reload.insert(name.to_string());
                }
                Difference::Content => self.changed(name, base, &after),
            },
        }
    }

    fn changed(&mut self, name: &str, base: &str, unit: &Unit) {
        let kind = name.rsplit('.').next().unwrap_or_default();
        let list = match kind {
            // The program in Perl leaves paths alone too; the one that replaced it means to, and restarts them.
            "slice" | "socket" => return,
            "mount" if name == "-.mount" || name == "nix.mount" => &mut self.changes.reload,
            "mount" => &mut self.changes.restart,
            _ if unit.is("Service", "X-ReloadIfChanged", false) => &mut self.changes.reload,
            _ if !unit.is("Service", "X-RestartIfChanged", true)
                || unit.is("Unit", "RefuseManualStop", false)
                || unit.is("Unit", "X-OnlyManualStart", false) =>
            {
                &mut self.changes.left
            }
            "service" if unit.is("Service", "X-StopIfChanged", true) => {
                return self.stopped_and_started(name, base, unit);
            }
            _ => &mut self.changes.restart,
        };
        list.insert(name.to_string());
    }

    /// The sockets of a service are stopped and started with it; they start it themselves, unless it says that they do not
    /// (a key that the programs of 24.05 do not know).
    fn stopped_and_started(&mut self, name: &str, base: &str, unit: &Unit) {
        let mut sockets: Vec<String> = unit.words("Service", "Sockets").map(String::from).collect();
        if sockets.is_empty() {
            let stem = base.strip_suffix(".service").unwrap_or(base);
            sockets.push(format!("{stem}.socket"));
        }
        let mut activated = false;
        for socket in sockets.into_iter().filter(|name| self.up.contains(name)) {
            if self.new.has(&socket) {
                activated = true;
                self.changes.restart.insert(socket);
            } else {
                self.changes.stop.insert(socket);
            }
        }
        let by_socket = activated && !unit.is("Service", "X-NotSocketActivated", false);
        let list = match by_socket {
            true => &mut self.changes.stop,
            false => &mut self.changes.restart,
        };
        list.insert(name.to_string());
    }

    /// Decides what is started: what is down by then, and wanted by a target that is started again or by what is restarted.
    /// systemd passes over what is up already, and what that wants.
    fn start(&mut self) {
        let targets = self.up.iter().filter(|name| self.starts_again(name));
        let reactivation = Some(REACTIVATION).filter(|name| self.new.has(name));
        let begun: BTreeSet<String> = targets
            .chain(&self.changes.restart)
            .cloned()
            .chain(reactivation.map(String::from))
            .collect();
        let stay = self.up - &self.changes.stop;
        for name in self.new.wanted(&begun, &stay) {
            let list = match self.changes.stop.remove(&name) {
                true => &mut self.changes.restart,
                false => &mut self.changes.start,
            };
            list.insert(name);
        }
    }

    fn starts_again(&self, name: &str) -> bool {
        let by_hand = |unit: Unit| {
            unit.is("Unit", "RefuseManualStart", false)
                || unit.is("Unit", "X-OnlyManualStart", false)
        };
        name.ends_with(".target")
            && !SLEEP.contains(&name)
            && !self.new.get(name).is_some_and(by_hand)
    }
}

#[cfg(test)]
mod tests;
