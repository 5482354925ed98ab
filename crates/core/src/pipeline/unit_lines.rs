//! Formats the predicted effect of a change on units. `--ask` and `--dry-run` share these lines.

use crate::activation::UnitChanges;

/// Returns a line for each kind of effect, or one line if there is no effect.
pub(super) fn unit_lines(changes: &UnitChanges) -> String {
    let rows = [
        ("stop", &changes.stop),
        ("restart", &changes.restart),
        ("reload", &changes.reload),
        ("start", &changes.start),
        ("changed but not restarted", &changes.left),
        ("changed user units", &changes.user),
    ];
    let mut text = String::new();
    for (what, units) in rows.iter().filter(|(_, units)| !units.is_empty()) {
        let names: Vec<&str> = units.iter().map(String::as_str).collect();
        text += &format!("{what}: {}\n", names.join(", "));
    }
    if text.is_empty() {
        text += "no units will be stopped, restarted, reloaded or started\n";
    }
    text
}
