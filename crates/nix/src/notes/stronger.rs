//! Notes about new overrides that have no effect because the configuration has a definition with a
//! stronger priority.

use crate::attributes::written;
use crate::evaluation::Evaluated;
use crate::plan::PlannedOverrides;
use crate::session::NixSession;

/// Prints a note for each new override that has no effect.
pub fn note(session: &NixSession, overrides: &PlannedOverrides, evaluated: &Evaluated) {
    for (added, option) in overrides.added.iter().zip(&evaluated.described) {
        let mut now = overrides.after.definitions.iter();
        let priority = now
            .find(|one| one.path == added.path)
            .and_then(|one| one.priority);
        if let (Some(ours), Some(theirs)) = (priority, option.priority)
            && theirs < ours
        {
            session.reporter.note(format!(
                "the override of {} has no effect: the definition in {} has priority {theirs}, which is stronger than {ours}",
                written(&added.path),
                option.files.join(", ")
            ));
        }
    }
}
