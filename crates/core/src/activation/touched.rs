//! Finds the units that a change started, restarted or reloaded: units that the switch program
//! names, and units that systemd started because of them. Only compares two snapshots of the units.

use std::collections::{BTreeMap, BTreeSet};

use super::manager::{Manager, States, UnitId};
use super::unit_state::UnitState;

/// The user unit that the switch program starts for each logged-in user, but does not name in its
/// output.
const USER_ACTIVATION: &str = "nixos-activation.service";

/// The effect of a change on a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnitEffect {
    /// The unit was started, restarted or reloaded.
    Started,
    /// The change started a timer, path or socket, which then triggered the unit.
    Triggered,
}

/// The units that a change affected.
pub(super) type Touched = BTreeMap<UnitId, UnitEffect>;

/// The facts about a change, except the state of the units after the change.
pub(super) struct Changes<'a> {
    pub(super) before: &'a States,
    /// The units that the switch program names.
    pub(super) named: BTreeSet<UnitId>,
    /// Returns whether the file of a unit is new or was changed.
    pub(super) redefined: &'a dyn Fn(&UnitState) -> bool,
}

impl Changes<'_> {
    /// Returns the units that the change affected. `after` is the state of all units after the
    /// change.
    ///
    /// The switch program names some of these units. Other units may also change for unrelated
    /// reasons. So a unit that is not named counts only if its state has changed and one of these
    /// conditions is true:
    /// - Its file is new or was changed.
    /// - It is a system unit that was inactive, and a target pulls it in. Each switch starts the
    ///   active targets again.
    /// - It is a user's `nixos-activation.service`.
    /// - It was inactive, and a unit that counts pulls it in.
    /// - A unit that counts triggers it, or it depends on a unit that counts.
    pub(super) fn touched(&self, after: &States) -> Touched {
        let mut touched: Touched = after
            .iter()
            .filter(|(id, unit)| self.is_direct(id, unit))
            .map(|(id, _)| (id.clone(), UnitEffect::Started))
            .collect();
        loop {
            let more: Vec<(UnitId, UnitEffect)> = after
                .iter()
                .filter(|(id, unit)| !touched.contains_key(id) && self.has_changed(id, unit))
                .filter_map(|(id, unit)| Some((id.clone(), self.by_others(id, unit, &touched)?)))
                .collect();
            if more.is_empty() {
                return touched;
            }
            touched.extend(more);
        }
    }

    fn has_changed(&self, id: &UnitId, unit: &UnitState) -> bool {
        unit.differs_from(self.before.get(id))
    }

    fn was_down(&self, id: &UnitId) -> bool {
        self.before.get(id).is_none_or(|before| !before.is_alive())
    }

    fn is_direct(&self, id: &UnitId, unit: &UnitState) -> bool {
        if unit.load == "not-found" {
            // The switch stopped this unit, and the unit's file no longer exists.
            return false;
        }
        if self.named.contains(id) {
            return true;
        }
        if !self.has_changed(id, unit) {
            return false;
        }
        let with_others = match id.manager {
            Manager::System => {
                let by_target = unit.started_by.iter().any(|name| name.ends_with(".target"));
                by_target && self.was_down(id)
            }
            Manager::User { .. } => id.name == USER_ACTIVATION,
        };
        with_others || (self.redefined)(unit)
    }

    /// Returns how the change affected a unit through other units, or `None` if it did not.
    fn by_others(&self, id: &UnitId, unit: &UnitState, touched: &Touched) -> Option<UnitEffect> {
        let find = |names: &[String]| {
            let reached = names.iter().filter_map(|name| {
                let manager = id.manager.clone();
                let name = name.clone();
                touched.get(&UnitId { manager, name }).copied()
            });
            // Prefer `Started` to `Triggered`.
            reached.min_by_key(|reached| *reached == UnitEffect::Triggered)
        };
        let pulled = self.was_down(id).then(|| find(&unit.started_by)).flatten();
        pulled
            .or_else(|| find(&unit.restarted_with))
            .or_else(|| find(&unit.triggered_by).map(|_| UnitEffect::Triggered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, at: u64) -> UnitState {
        UnitState {
            name: name.into(),
            active: "active".into(),
            changed_at: at,
            ..UnitState::default()
        }
    }

    fn states(units: &[UnitState]) -> States {
        let keyed = units
            .iter()
            .map(|unit| (UnitId::of_system(&unit.name), unit.clone()));
        keyed.collect()
    }

    fn touched(
        before: &[UnitState],
        after: &[UnitState],
        named: &[&str],
    ) -> Vec<(String, UnitEffect)> {
        let before = states(before);
        let changes = Changes {
            before: &before,
            named: named.iter().map(|name| UnitId::of_system(name)).collect(),
            redefined: &|_| false,
        };
        let touched = changes.touched(&states(after));
        let names = touched.into_iter().map(|(id, how)| (id.name, how));
        names.collect()
    }

    fn names(touched: Vec<(String, UnitEffect)>) -> Vec<String> {
        touched.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn unit_that_nothing_started_is_not_touched() {
        let found = touched(
            &[unit("a.service", 1), unit("b.service", 1)],
            &[
                unit("a.service", 2),
                unit("b.service", 1),
                unit("c.service", 2),
            ],
            &["b.service"],
        );
        assert_eq!(names(found), ["b.service"]);
    }

    #[test]
    fn new_unit_of_a_target_is_touched() {
        let mut new = unit("a.service", 2);
        new.started_by = vec!["multi-user.target".into()];
        assert_eq!(names(touched(&[], &[new.clone()], &[])), ["a.service"]);
        // If the unit was already active, its state changed for another reason.
        assert!(touched(&[unit("a.service", 1)], &[new], &[]).is_empty());
    }

    #[test]
    fn chains_of_dependencies_are_followed() {
        let mut second = unit("b.service", 2);
        second.started_by = vec!["a.service".into()];
        let mut third = unit("c.service", 2);
        third.restarted_with = vec!["b.service".into()];
        let after = [unit("a.service", 2), second, third];
        let found = touched(&[unit("c.service", 1)], &after, &["a.service"]);
        assert!(found.iter().all(|(_, how)| *how == UnitEffect::Started));
        assert_eq!(names(found), ["a.service", "b.service", "c.service"]);
    }

    #[test]
    fn service_of_a_timer_is_triggered() {
        let mut service = unit("a.service", 2);
        service.triggered_by = vec!["a.timer".into()];
        let timer = unit("a.timer", 2);
        let after = [service, timer.clone()];
        let found = touched(&[], &after, &["a.timer"]);
        assert_eq!(found[0], ("a.service".into(), UnitEffect::Triggered));
        // The timer was already active, so the change did not start it.
        assert!(touched(&[timer], &after[..1], &[]).is_empty());
    }

    #[test]
    fn removed_unit_is_not_touched() {
        let mut gone = unit("a.service", 2);
        gone.load = "not-found".into();
        assert!(touched(&[], &[gone], &["a.service"]).is_empty());
    }

    #[test]
    fn user_units_count_if_they_are_redefined() {
        let id = |name: &str| UnitId {
            manager: Manager::User { uid: 1, gid: 1 },
            name: name.into(),
        };
        let mut named_by_target = unit("own.service", 2);
        named_by_target.started_by = vec!["default.target".into()];
        let after = States::from([
            (id("lamp.service"), unit("lamp.service", 2)),
            (id("own.service"), named_by_target),
            (id(USER_ACTIVATION), unit(USER_ACTIVATION, 2)),
        ]);
        let changes = Changes {
            before: &States::new(),
            named: BTreeSet::new(),
            redefined: &|unit| unit.name == "lamp.service",
        };
        let found: Vec<UnitId> = changes.touched(&after).into_keys().collect();
        assert_eq!(found, [id("lamp.service"), id(USER_ACTIVATION)]);
    }
}
