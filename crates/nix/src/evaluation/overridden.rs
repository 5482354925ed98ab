//! Checks the options of new overrides: each must exist, be settable by users, and accept its
//! value.

use anyhow::Result;

use super::described_option::{DescribedOption, PathKind};
use super::expression::{SYSTEM, text};
use super::{EvaluationRequest, advice};
use crate::attributes::written;
use crate::error::{Failed, Message as _, OptionError};
use crate::libnix::{Evaluator, Outputs, Value};
use crate::overrides::{Definition, StringDependency};
use crate::quoting::for_shell;
use crate::wordings;

/// Describes the options of the new overrides, and refuses those that cannot be set.
pub(super) fn describe(
    value: &Value<'_>,
    request: &EvaluationRequest,
) -> Result<Vec<DescribedOption>> {
    if request.describe.is_empty() {
        return Ok(Vec::new());
    }
    let described: Vec<DescribedOption> = value.get("described")?;
    for (definition, option) in request.describe.iter().zip(&described) {
        if let Some(refusal) = option.refusal(definition) {
            return Err(refusal.into());
        }
    }
    // Force the new values, so that the module system checks their types.
    let _: bool = value.get("checkedOverrides")?;
    Ok(described)
}

/// Returns why a new override cannot be set, after an evaluation with it has failed. The options
/// are described without any override, because a wrong override can also break the options
/// themselves.
pub(super) fn refusal_after_failure(
    evaluator: &Evaluator,
    outputs: &Outputs,
    request: &EvaluationRequest,
) -> Option<Failed> {
    let bare = EvaluationRequest {
        overrides: Vec::new(),
        ..request.clone()
    };
    let value = evaluator
        .apply(&SYSTEM, outputs, &text(&bare, false))
        .ok()
        .filter(|_| !request.describe.is_empty())?;
    let described: Vec<DescribedOption> = value.get("described").ok()?;
    let mut pairs = request.describe.iter().zip(&described);
    pairs.find_map(|(definition, option)| option.refusal(definition))
}

/// Explains an earlier override of an option that the configuration no longer declares.
pub(super) fn lost_option(request: &EvaluationRequest, message: &str) -> Option<Failed> {
    let path = advice::missing_option(message)?;
    let lost = |one: &&Definition| one.path.starts_with(&path) || path.starts_with(&one.path);
    let definition = request.overrides.iter().find(lost)?;
    let (host, option) = (request.host.clone(), written(&definition.path));
    let hint = format!(
        "run `runtime-module unset {}` first, or do not disable the module that declares the option",
        for_shell(&option)
    );
    Some(OptionError::NoLongerDeclared { host, option }.hint(hint))
}

/// Explains an override whose store path was removed from the store.
pub(super) fn lost_store_path(request: &EvaluationRequest, message: &str) -> Option<Failed> {
    let gone = wordings::says(wordings::NOT_IN_STORE, message);
    let mut all = request.overrides.iter().filter(|_| gone);
    let (definition, path) = all.find_map(|one| {
        let mut required = one.store_paths.iter().map(StringDependency::required);
        Some((one, required.find(|path| message.contains(path))?))
    })?;
    let (host, option) = (request.host.clone(), written(&definition.path));
    let hint = format!(
        "set the value again: `runtime-module set --nix {} EXPRESSION`",
        for_shell(&option)
    );
    let path = path.into();
    Some(OptionError::StorePathGone { host, option, path }.hint(hint))
}

impl DescribedOption {
    /// Returns the reason why the option cannot be set, if there is one.
    fn refusal(&self, definition: &Definition) -> Option<Failed> {
        let option = written(&definition.path);
        let whole = written(&self.at);
        let error = match self.kind {
            PathKind::Unknown => {
                let missing = &definition.path[..=self.at.len().min(definition.path.len() - 1)];
                let hint = advice::meant(missing, &self.known);
                return Some(OptionError::NotFound { option }.hint(hint));
            }
            PathKind::Namespace => {
                let names = self.some_names();
                OptionError::SetOfOptions { option, names }
            }
            PathKind::List => {
                let list = whole;
                OptionError::InsideList { option, list }
            }
            PathKind::Opaque => OptionError::PartNotMerged { option, whole },
            PathKind::Option if self.read_only => OptionError::ReadOnly { option },
            PathKind::Option if self.internal => OptionError::Internal { option },
            PathKind::Option if !self.visible => OptionError::Hidden { option },
            PathKind::Option => return None,
        };
        Some(error.into())
    }

    fn some_names(&self) -> String {
        const SHOWN: usize = 8;
        let names: Vec<&str> = self.known.iter().map(String::as_str).collect();
        match names.len() {
            0..=SHOWN => names.join(", "),
            count => format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(kind: PathKind, change: impl FnOnce(&mut DescribedOption)) -> Option<String> {
        let mut option = DescribedOption {
            kind,
            at: vec!["a".into()],
            visible: true,
            ..DescribedOption::default()
        };
        change(&mut option);
        let definition = Definition {
            path: vec!["a".into(), "b".into()],
            value: json!(1),
            ..Definition::default()
        };
        option.refusal(&definition).map(|failed| failed.message)
    }

    #[test]
    fn options_that_cannot_be_set_are_refused() {
        assert_eq!(refusal(PathKind::Option, |_| {}), None);
        for (kind, why) in [
            (PathKind::Unknown, "does not exist"),
            (PathKind::Namespace, "a set of options"),
            (PathKind::List, "is a list"),
            (PathKind::Opaque, "only as a whole"),
        ] {
            let message = refusal(kind, |_| {}).expect("a refusal");
            assert!(message.contains(why), "{message}");
        }
        for (change, why) in [
            (
                (|option: &mut DescribedOption| option.read_only = true) as fn(&mut _),
                "read-only",
            ),
            (|option| option.internal = true, "internal"),
            (|option| option.visible = false, "hidden"),
        ] {
            let message = refusal(PathKind::Option, change).expect("a refusal");
            assert!(message.contains(why), "{message}");
        }
    }
}
