//! Detects requests that would change nothing.

use super::modules::is_extra;
use super::{Action, Additions, is_file, specialisation};
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
    let same = situation.active() == wanted
        && wanted == situation.state.wanted
        && situation.overrides_are_active();
    let are = |names: &[String]| if names.len() == 1 { "is" } else { "are" };
    match action {
        _ if options.is_named() || situation.state.pending.is_some() => None,
        _ if !additions.new.is_empty() || additions.specialisation != specialisation(situation) => {
            None
        }
        Action::Disable(names) if names.iter().any(|name| is_extra(situation, name)) => None,
        Action::Apply if is_file(situation, options) => None,
        Action::Apply if !additions.gone(situation).is_empty() => None,
        Action::Enable(names) if same => Some(format!(
            "{} {} already enabled",
            names.join(", "),
            are(names)
        )),
        Action::Disable(names)
            if !names
                .iter()
                .any(|name| situation.state.wanted.contains(name)) =>
        {
            Some(format!(
                "{} {} already disabled",
                names.join(", "),
                are(names)
            ))
        }
        Action::Reset if situation.state.wanted.is_empty() && !situation.overrides().is_empty() => {
            Some(
                "no module is enabled; run `runtime-module reset --all` to remove option overrides"
                    .into(),
            )
        }
        Action::Reset | Action::ResetAll
            if situation.state.wanted.is_empty()
                && situation.overrides().holds_nothing()
                && situation.running == situation.base() =>
        {
            Some("no module is enabled".into())
        }
        Action::Override(Edit::Reset) if situation.overrides().holds_nothing() => {
            Some("no option is overridden".into())
        }
        Action::Apply if same && !wanted.is_empty() => Some(format!(
            "{} {} already enabled",
            wanted.join(", "),
            are(wanted)
        )),
        Action::Apply if same && situation.running.is_some() => {
            Some("no module is requested or active".into())
        }
        _ => None,
    }
}
