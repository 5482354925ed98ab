//! Detects requests that would change nothing.

use super::configuration::specialisation;
use super::modules::is_extra;
use super::{Action, Additions, is_file};
use crate::host::Situation;
use crate::options::SourceOptions;
use crate::overrides::Edit;

/// Returns the reason why a request would change nothing, or `None` if there is something to do.
pub(super) fn nothing(
    action: &Action,
    situation: &Situation,
    options: &SourceOptions,
    wanted: &[String],
    additions: &Additions,
) -> Option<String> {
    if may_change_anyway(action, situation, options, additions) {
        return None;
    }
    let state = &situation.state;
    let same =
        situation.active() == wanted && wanted == state.wanted && situation.overrides_are_active();
    match action {
        Action::Enable(names) if same => Some(already(names, "enabled")),
        Action::Disable(names) if !names.iter().any(|name| state.wanted.contains(name)) => {
            Some(already(names, "disabled"))
        }
        Action::Reset if state.wanted.is_empty() && !situation.overrides().is_empty() => Some(
            "no module is enabled; run `runtime-module reset --all` to remove option overrides"
                .into(),
        ),
        Action::Reset | Action::ResetAll
            if state.wanted.is_empty()
                && situation.overrides().holds_nothing()
                && situation.running == situation.base() =>
        {
            Some("no module is enabled".into())
        }
        Action::Override(Edit::Reset) if situation.overrides().holds_nothing() => {
            Some("no option is overridden".into())
        }
        Action::Apply if same && !wanted.is_empty() => Some(already(wanted, "enabled")),
        Action::Apply if same && situation.running.is_some() => {
            Some("no module is requested or active".into())
        }
        _ => None,
    }
}

/// Returns whether a request may change something although the requested modules stay the same: its
/// source, its specialisation or its extra modules may be different, or an earlier transaction has
/// not ended.
fn may_change_anyway(
    action: &Action,
    situation: &Situation,
    options: &SourceOptions,
    additions: &Additions,
) -> bool {
    options.is_named()
        || situation.state.pending.is_some()
        || !additions.new.is_empty()
        || additions.specialisation != specialisation(situation)
        || match action {
            Action::Disable(names) => names.iter().any(|name| is_extra(situation, name)),
            Action::Apply => is_file(situation, options) || !additions.gone(situation).is_empty(),
            _ => false,
        }
}

fn already(names: &[String], state: &str) -> String {
    let are = if names.len() == 1 { "is" } else { "are" };
    format!("{} {are} already {state}", names.join(", "))
}
