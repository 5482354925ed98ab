//! Predicts how a switch affects units. Like NixOS's switch program, compares the unit files of
//! both systems. Asks systemd only which units are active, and does not change anything.
//!
//! The rules are those of nixpkgs' `switch-to-configuration.pl` in 24.05, and of
//! `switch-to-configuration-ng` in later releases (`handle_modified_unit`). A removed unit is
//! stopped. A changed unit is stopped and started, unless its file requests a restart, a reload or
//! no action. Active targets are started again together with their dependencies. The prediction
//! does not include mounts in `/etc/fstab` or requests from activation scripts, because they are
//! not in unit files.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::systemd;
use super::unit_files::{Folder, Unit, UnitDifference, template_of};
use crate::locations::Locations;

/// Targets that may still be active after a suspend. They are not started again.
const SLEEP: [&str; 3] = ["suspend.target", "hibernate.target", "hybrid-sleep.target"];

/// The target that each switch restarts. It starts units that are ordered before `sysinit.target`.
const REACTIVATION: &str = "sysinit-reactivation.target";

/// The predicted effect of a switch on units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitChanges {
    /// Stopped units. A socket-activated service in this list starts again at the next connection.
    pub stop: BTreeSet<String>,
    /// Restarted units, including those that are stopped and then started.
    pub restart: BTreeSet<String>,
    pub reload: BTreeSet<String>,
    pub start: BTreeSet<String>,
    /// Changed units that keep running with their old configuration until someone restarts them.
    pub left: BTreeSet<String>,
    /// New, removed or changed user units. Only each user's own manager knows which of them are
    /// active. The effect depends on the switch program. Since nixpkgs#507588, user units are
    /// treated like system units. Older programs only start `nixos-activation.service`.
    pub user: BTreeSet<String>,
    /// Units in `restart` that are stopped before their files change, and started afterwards.
    #[serde(skip)]
    pub stop_first: BTreeSet<String>,
    /// Inactive or failed units to start, because they were active before the transaction.
    #[serde(skip)]
    pub revive: BTreeSet<String>,
}

impl UnitChanges {
    /// Removes all units that `keep` does not accept.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let lists = [
            &mut self.stop,
            &mut self.restart,
            &mut self.reload,
            &mut self.start,
            &mut self.left,
            &mut self.stop_first,
            &mut self.revive,
        ];
        for list in lists {
            list.retain(|name| keep(name));
        }
    }

    /// Returns the units that start or reload.
    pub(super) fn touched(&self) -> Vec<String> {
        let lists = [&self.restart, &self.reload, &self.start, &self.revive];
        lists.into_iter().flatten().cloned().collect()
    }

    /// Returns the active units that stop, restart or reload.
    pub(super) fn affected(&self) -> BTreeSet<String> {
        let lists = [&self.stop, &self.restart, &self.reload];
        lists.into_iter().flatten().cloned().collect()
    }
}

/// Predicts the effect on units when `to` replaces `from`. Both are paths on disk.
pub fn unit_changes(from: Option<&Path>, to: &Path, locations: &Locations) -> UnitChanges {
    let up = systemd::active_units(locations);
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

/// Determines how the active units `up` must follow a change of their files. Does not start other
/// units, although a switch would.
pub(super) fn changes_of_active(old: &Folder, new: &Folder, up: &BTreeSet<String>) -> UnitChanges {
    UnitComparison::of_active(old, new, up).changes
}

fn compare(old: &Folder, new: &Folder, up: Option<BTreeSet<String>>) -> UnitChanges {
    let up: BTreeSet<String> = match up {
        Some(up) => up,
        // If the active units are unknown, assume that the default target is active, with all units
        // of the old system that it wants.
        None => {
            let roots: BTreeSet<String> = old.roots().chain(new.roots()).collect();
            let wanted = old.wanted(&roots, &BTreeSet::new());
            roots.into_iter().chain(wanted).collect()
        }
    };
    let mut switch = UnitComparison::of_active(old, new, &up);
    switch.start();
    switch.changes
}

/// A comparison of the unit folders of two systems.
struct UnitComparison<'a> {
    old: &'a Folder,
    new: &'a Folder,
    up: &'a BTreeSet<String>,
    changes: UnitChanges,
}

impl<'a> UnitComparison<'a> {
    /// Predicts the effect of the switch on all active units.
    fn of_active(old: &'a Folder, new: &'a Folder, up: &'a BTreeSet<String>) -> Self {
        let mut comparison = Self {
            old,
            new,
            up,
            changes: UnitChanges::default(),
        };
        for name in up {
            comparison.decide(name);
        }
        comparison
    }

    /// Predicts the effect of the switch on an active unit.
    fn decide(&mut self, name: &str) {
        // An instance has its own unit file, or uses the file of its template.
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
                UnitDifference::None => {}
                UnitDifference::Triggers => {
                    self.changes.reload.insert(name.to_string());
                }
                UnitDifference::Content => self.changed(name, base, &after),
            },
        }
    }

    fn changed(&mut self, name: &str, base: &str, unit: &Unit) {
        let kind = name.rsplit('.').next().unwrap_or_default();
        let list = match kind {
            // The Perl program also leaves path units alone. `switch-to-configuration-ng` is
            // intended to do so too, but restarts them.
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

    /// Predicts that a service is stopped and started again. Its active sockets are stopped and
    /// started too, and they then start the service at the next connection. With the key
    /// `X-NotSocketActivated`, the service starts immediately instead, but the programs of 24.05 do
    /// not know the key.
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
                self.changes.stop_first.insert(socket.clone());
                self.changes.restart.insert(socket);
            } else {
                self.changes.stop.insert(socket);
            }
        }
        let by_socket = activated && !unit.is("Service", "X-NotSocketActivated", false);
        let list = match by_socket {
            true => &mut self.changes.stop,
            false => {
                self.changes.stop_first.insert(name.to_string());
                &mut self.changes.restart
            }
        };
        list.insert(name.to_string());
    }

    /// Adds the units that start: inactive units that a restarted unit or target wants. systemd
    /// skips units that are already active, and their dependencies.
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
