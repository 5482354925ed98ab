//! The checks before the build, and the checks of a dry run.

use std::path::Path;

use anyhow::Result;
use runtime_module_core::pipeline::{Preflight, examined};

use super::base_check::BaseCheck;
use super::evaluate::Derived;
use super::system_build::SystemBuild;
use crate::activation::{Findings, compare, space};
use crate::choice::Allow;
use crate::evaluation::Evaluated;
use crate::host::Profile;
use crate::libnix::Missing;

impl SystemBuild<'_> {
    /// Performs the checks of a dry run: on the built system if it is in the store, otherwise on
    /// the result of the evaluation.
    pub(super) fn preflight(
        &self,
        evaluated: &Evaluated,
        missing: &Missing,
        base_check: &BaseCheck<'_>,
    ) -> Preflight {
        let toplevel = evaluated.toplevel.as_ref();
        let built = toplevel.and_then(|toplevel| self.examined(&toplevel.out));
        let mut preflight = Preflight {
            built: built.is_some(),
            findings: match built {
                Some(mut findings) => {
                    self.check_space(evaluated, missing, &mut findings);
                    findings
                }
                None => self.findings(evaluated, missing),
            },
        };
        self.object_to_base(base_check, &mut preflight.findings);
        preflight
    }

    /// Returns the findings about the built system; `None` if it is not in the store.
    fn examined(&self, toplevel: &str) -> Option<Findings> {
        let store = &self.libnix.store;
        let valid = store.is_valid(toplevel).unwrap_or(false);
        let place = store.real_path(toplevel).ok().filter(|_| valid)?;
        examined(self.session, &self.plan.purpose, &place)
    }

    /// Refuses a change before anything is built, if it would change the base or if its system
    /// could not be activated.
    pub(super) fn refuse_before_realise(
        &self,
        derived: &Derived,
        missing: &Missing,
        base_check: &BaseCheck<'_>,
    ) -> Result<()> {
        self.refuse_other_base(base_check)?;
        match derived.realised {
            true => Ok(()),
            false => self.refuse_before_build(&derived.evaluated, missing),
        }
    }

    /// Refuses a system that could not be activated. An allowed lack of space becomes a note.
    fn refuse_before_build(&self, evaluated: &Evaluated, missing: &Missing) -> Result<()> {
        let findings = self.findings(evaluated, missing);
        let passed = findings.pass(&self.plan.allow)?;
        for (objection, text) in findings.objections.iter().zip(passed) {
            // The activator finds and reports the other objections itself.
            if objection.allow == Some(Allow::Space) {
                self.session.reporter.note(text);
            }
        }
        Ok(())
    }

    /// Refuses an unrequested change to the base. An allowed change becomes a note.
    fn refuse_other_base(&self, base_check: &BaseCheck<'_>) -> Result<()> {
        let mut findings = Findings::default();
        self.object_to_base(base_check, &mut findings);
        let passed = findings.pass(&self.plan.allow)?;
        let details = findings.objections.iter();
        let details = details.flat_map(|objection| objection.refusal.details.clone());
        for line in passed.into_iter().chain(details) {
            self.session.reporter.note(line);
        }
        Ok(())
    }

    /// Finds objections to activating a system that is not built yet.
    fn findings(&self, evaluated: &Evaluated, missing: &Missing) -> Findings {
        let mut findings = Findings::default();
        if !self.plan.for_guest {
            let to = Profile::expected(&evaluated.facts);
            findings = compare(&self.plan.purpose, &to, &self.session.host().machine());
        }
        self.check_space(evaluated, missing, &mut findings);
        findings
    }

    /// Checks whether the build outputs fit into the store.
    fn check_space(&self, evaluated: &Evaluated, missing: &Missing, findings: &mut Findings) {
        let toplevel = evaluated.toplevel.as_ref();
        let place = toplevel.and_then(|toplevel| self.libnix.store.real_path(&toplevel.out).ok());
        if let Some(store) = place.as_deref().and_then(Path::parent) {
            space(&self.plan.purpose, store, missing.unpacked_bytes, findings);
        }
    }

    /// Adds an objection if the source does not evaluate to the base.
    fn object_to_base(&self, base_check: &BaseCheck<'_>, findings: &mut Findings) {
        if let Some((allow, refusal)) = base_check.refusal(&self.libnix) {
            findings.object(Some(allow), refusal);
        }
    }
}
