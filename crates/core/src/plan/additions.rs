//! Extra modules from outside the configuration, and the specialisation of the host.

use crate::error::{ArgumentError, Failed};
use crate::host::Situation;
use crate::options::ChangeOptions;
use crate::record::ExtraModule;

use super::{Action, current_configuration};

/// The extra modules and the specialisation for a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Additions {
    /// The extra modules that an earlier change added with `--keep` and that stay enabled.
    pub kept: Vec<ExtraModule>,
    /// The extra modules that this change adds, as the user typed them.
    pub new: Vec<String>,
    /// Whether the new extra modules stay enabled until a reset.
    pub keep: bool,
    /// The specialisation; `None` for the host itself.
    pub specialisation: Option<String>,
}

impl Additions {
    /// Determines the additions for a request.
    pub fn decide(
        action: &Action,
        situation: &Situation,
        options: &ChangeOptions,
    ) -> Result<Self, Failed> {
        let asked = [
            ("--module", !options.extra_modules.is_empty()),
            ("--specialisation", options.specialisation.is_some()),
        ];
        if let Some((option, _)) = asked
            .iter()
            .find(|(_, asked)| *asked && !action.evaluates())
        {
            return Err(ArgumentError::NoEffect {
                purpose: action.words().into(),
                option: option.to_string(),
            }
            .into());
        }
        let now = current_configuration(situation);
        let of_now = now.as_ref().and_then(|now| now.specialisation.clone());
        let off: &[String] = match action {
            Action::Disable(names) => names,
            _ => &[],
        };
        let on = now.map(|now| now.extras).unwrap_or_default();
        let kept = on
            .into_iter()
            .filter(|extra| extra.keep && !action.is_reset())
            .filter(|extra| {
                !off.contains(&extra.name) && !options.extra_modules.contains(&extra.name)
            });
        Ok(Self {
            kept: kept.collect(),
            new: options.extra_modules.clone(),
            keep: options.keep_extra_modules,
            specialisation: match &options.specialisation {
                Some(name) => Some(name.clone()).filter(|name| !name.is_empty()),
                None => of_now,
            },
        })
    }

    /// Returns whether there are any extra modules.
    pub fn has_modules(&self) -> bool {
        !self.kept.is_empty() || !self.new.is_empty()
    }

    /// Returns a note about the extra modules that this change removes because they were added for
    /// one change only.
    pub(super) fn removal_note(&self, action: &Action, situation: &Situation) -> Option<String> {
        let gone = self.gone(situation);
        (action.evaluates() && !gone.is_empty()).then(|| {
            format!(
                "this change removes the modules that were added for one change only: {}; to keep one, add it again with --module and --keep",
                gone.join(", ")
            )
        })
    }

    /// Returns the extra modules that were added for one change only and that this change removes.
    pub fn gone(&self, situation: &Situation) -> Vec<String> {
        let on = current_configuration(situation)
            .map(|current| current.extras)
            .unwrap_or_default();
        let gone = on.into_iter().filter(|extra| {
            !extra.keep && !self.new.contains(&extra.name) && !self.kept.contains(extra)
        });
        gone.map(|extra| extra.name).collect()
    }
}
