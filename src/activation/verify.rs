//! What came of a switch: its exit status, what runs now, and the units that failed because of it.
//!
//! A unit that had failed before is no news; one that failed meanwhile, and that the switch did not touch, is a warning.

use std::collections::BTreeSet;

use super::switch::{Switched, Verdict};
use super::systemd;
use crate::locations::Locations;
use crate::record::running;

/// States in which a unit counts as failed; NixOS counts those that are started over and over as well.
const FAILED: &str = "failed,auto-restart";

/// What was so before the switch.
#[derive(Clone)]
pub(super) struct Before {
    running: Option<String>,
    failed: BTreeSet<String>,
    systemd: bool,
}

/// What is so after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) verdict: Verdict,
    /// Why it is not well, for people.
    pub(super) why: String,
    /// Units that failed because of it.
    pub(super) failed: Vec<String>,
    /// What changes nothing about the verdict.
    pub(super) warnings: Vec<String>,
    /// Whether it was another switch that kept this one from beginning.
    pub(super) locked_out: bool,
}

impl Looked {
    /// Somebody else has switched meanwhile.
    pub(super) fn superseded(to: &str) -> Self {
        Self {
            verdict: Verdict::Superseded,
            why: format!("another switch has activated {to} meanwhile, which is left as it is"),
            failed: Vec::new(),
            warnings: Vec::new(),
            locked_out: false,
        }
    }

    /// It cannot be known.
    pub(super) fn failed(error: &anyhow::Error) -> Self {
        Self {
            verdict: Verdict::Failed,
            why: format!("look at what runs: {error:#}"),
            failed: Vec::new(),
            warnings: Vec::new(),
            locked_out: false,
        }
    }
}

impl Before {
    /// Looks, before the switch.
    pub(super) fn look(locations: &Locations) -> Self {
        let systemd = systemd::runs(locations);
        let failed = systemd.then(|| systemd::units(FAILED)).flatten();
        Self {
            running: running(locations),
            failed: failed.into_iter().flatten().collect(),
            systemd,
        }
    }

    /// The same with what had failed before something else.
    pub(super) fn with_failed(self, earlier: &Self) -> Self {
        Self {
            failed: earlier.failed.clone(),
            ..self
        }
    }

    /// Looks again, after it: is it `expected` that runs, and what has failed? Units that are `broken` already are as good as
    /// touched.
    pub(super) fn compare(
        &self,
        switched: &Switched,
        expected: &str,
        broken: &[String],
        locations: &Locations,
    ) -> Looked {
        let runs = running(locations);
        let now = self.systemd.then(|| systemd::units("failed")).flatten();
        let mut switched = switched.clone();
        switched.touched.extend_from_slice(broken);
        self.judge(&switched, expected, runs, now.unwrap_or_default())
    }

    fn judge(
        &self,
        switched: &Switched,
        expected: &str,
        runs: Option<String>,
        failed_now: Vec<String>,
    ) -> Looked {
        let changed = runs != self.running;
        let mut looked = Looked {
            verdict: switched.verdict(changed),
            why: switched.explanation(changed),
            failed: Vec::new(),
            warnings: Vec::new(),
            locked_out: switched.locked && !switched.begun,
        };
        if let Some(third) = runs
            .as_deref()
            .filter(|_| changed && runs.as_deref() != Some(expected))
            && looked.verdict != Verdict::Refused
        {
            return Looked::superseded(third);
        }
        if !matches!(looked.verdict, Verdict::Well | Verdict::UnitsFailed) {
            return looked;
        }
        if runs.as_deref() != Some(expected) {
            let runs = runs.as_deref().unwrap_or("nothing");
            looked.why =
                format!("the switch program said that all is well, but {runs} is what runs");
            // One that has not even said that it begins is not undone.
            looked.verdict = match switched.changed_nothing(changed) {
                true => Verdict::Refused,
                false => Verdict::Failed,
            };
            return looked;
        }
        self.units(switched, failed_now, &mut looked);
        looked
    }

    fn units(&self, switched: &Switched, failed_now: Vec<String>, looked: &mut Looked) {
        let reported: BTreeSet<String> = switched.failed_units.iter().cloned().collect();
        let (touched, untouched): (BTreeSet<String>, BTreeSet<String>) = failed_now
            .into_iter()
            .filter(|unit| !self.failed.contains(unit) && !reported.contains(unit))
            .partition(|unit| switched.touched.contains(unit));
        let (old, new): (BTreeSet<String>, BTreeSet<String>) = reported
            .union(&touched)
            .cloned()
            .partition(|unit| self.failed.contains(unit));
        let list = |units: &BTreeSet<String>| {
            let names: Vec<&str> = units.iter().map(String::as_str).collect();
            names.join(", ")
        };
        if !old.is_empty() {
            looked
                .warnings
                .push(format!("failed, as before: {}", list(&old)));
        }
        if !untouched.is_empty() {
            looked.warnings.push(format!(
                "failed meanwhile, and not because of this: {}",
                list(&untouched)
            ));
        }
        // A status 4 without a name is a failure all the same.
        let nameless = looked.verdict == Verdict::UnitsFailed && reported.is_empty();
        looked.verdict = match new.len() {
            0 if nameless => Verdict::UnitsFailed,
            0 => Verdict::Well,
            _ => Verdict::UnitsFailed,
        };
        looked.why = match (looked.verdict, new.len()) {
            (Verdict::Well, _) => String::new(),
            (_, 0) => "some units failed".into(),
            (_, 1) => "a unit failed".into(),
            (_, n) => format!("{n} units failed"),
        };
        looked.failed = new.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(failed: &[&str]) -> Before {
        Before {
            running: Some("/old".into()),
            failed: failed.iter().map(ToString::to_string).collect(),
            systemd: true,
        }
    }

    fn switched(status: i32, failed: &[&str], touched: &[&str]) -> Switched {
        Switched {
            status: Some(status),
            last_lines: Vec::new(),
            script_failed: false,
            locked: false,
            failed_units: failed.iter().map(ToString::to_string).collect(),
            touched: touched.iter().map(ToString::to_string).collect(),
            begun: true,
        }
    }

    fn judge(before: &Before, switched: &Switched, now: &[&str]) -> Looked {
        let now = now.iter().map(ToString::to_string).collect();
        before.judge(switched, "/new", Some("/new".into()), now)
    }

    #[test]
    fn what_failed_before_is_no_failure() {
        let looked = judge(
            &before(&["old.service"]),
            &switched(4, &["old.service"], &[]),
            &["old.service"],
        );
        assert_eq!(looked.verdict, Verdict::Well);
        assert_eq!(looked.warnings, ["failed, as before: old.service"]);
    }

    #[test]
    fn what_fails_newly_is_one_also_where_the_program_did_not_see_it() {
        let one = switched(4, &["old.service", "new.service"], &[]);
        let looked = judge(&before(&["old.service"]), &one, &[]);
        assert_eq!(
            (looked.verdict, looked.failed),
            (Verdict::UnitsFailed, vec!["new.service".into()])
        );
        let late = switched(0, &[], &["late.service"]);
        let looked = judge(&before(&[]), &late, &["late.service", "other.service"]);
        assert_eq!(
            (looked.verdict, looked.failed),
            (Verdict::UnitsFailed, vec!["late.service".into()])
        );
        assert_eq!(
            looked.warnings,
            ["failed meanwhile, and not because of this: other.service"]
        );
    }

    #[test]
    fn what_a_change_has_broken_had_not_failed_before_the_way_back_either() {
        let first = before(&["old.service"]);
        let way_back = before(&["old.service", "broken.service"]).with_failed(&first);
        let looked = judge(
            &way_back,
            &switched(0, &[], &["broken.service"]),
            &["old.service", "broken.service"],
        );
        assert_eq!(
            (looked.verdict, looked.failed),
            (Verdict::UnitsFailed, vec!["broken.service".into()])
        );
    }

    #[test]
    fn failed_units_without_a_name_are_failed_units() {
        let looked = judge(&before(&[]), &switched(4, &[], &[]), &[]);
        assert_eq!(
            (looked.verdict, looked.why.as_str()),
            (Verdict::UnitsFailed, "some units failed")
        );
    }

    #[test]
    fn another_system_than_the_expected_one_is_a_failure() {
        let looked = before(&[]).judge(
            &switched(0, &[], &[]),
            "/new",
            Some("/old".into()),
            Vec::new(),
        );
        assert_eq!(looked.verdict, Verdict::Failed);
        let third = before(&[]).judge(
            &switched(3, &[], &[]),
            "/new",
            Some("/third".into()),
            Vec::new(),
        );
        assert_eq!(third.verdict, Verdict::Superseded);
        assert!(
            looked.why.ends_with("but /old is what runs"),
            "{}",
            looked.why
        );
    }
}
