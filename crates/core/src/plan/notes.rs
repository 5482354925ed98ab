//! The notes of a plan about the state of the machine.

use super::Situation;

/// Returns the notes to print before the change.
pub(super) fn notes(situation: &Situation, wanted: &[String]) -> Vec<String> {
    let before = &situation.state.wanted;
    let again: Vec<&str> = before
        .iter()
        .filter(|name| wanted.contains(name))
        .map(String::as_str)
        .collect();
    let again = again.join(", ");
    let mut notes = Vec::new();
    if situation.foreign() {
        let what = match &situation.specialisation {
            Some(name) => {
                format!("an external switch activated specialisation {name}, which is now the base")
            }
            None => "an external switch activated another system, which is now the base".into(),
        };
        notes.push(if again.is_empty() {
            what
        } else {
            format!("{what}; {again} will be enabled again")
        });
    } else if situation.state.revision == 0 && !again.is_empty() {
        // Modules are requested although this boot has no state yet, so the machine was rebooted.
        notes.push(format!(
            "nothing has been activated since boot; {again} will be enabled again"
        ));
    }
    if !situation.overrides_are_active() {
        notes.push(format!(
            "option overrides will be applied again: {}",
            situation.overrides().words()
        ));
    }
    notes
}
