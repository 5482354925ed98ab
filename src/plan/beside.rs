//! Modules from outside the configuration, and the specialisation of the host.

use crate::cli::Run;
use crate::error::{Failed, Failure};
use crate::record::ExtraModule;

use super::{Situation, Wish, pinned};

/// Additions to the configuration's own modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Earlier modules from outside that stay.
    pub kept: Vec<ExtraModule>,
    /// Modules from outside to add, as the user typed them.
    pub new: Vec<String>,
    /// Whether the new modules stay until a reset.
    pub keep: bool,
    /// The specialisation; `None` for the host itself.
    pub specialisation: Option<String>,
}

impl Beside {
    /// Determines the additions for a request.
    pub fn decide(wish: &Wish, situation: &Situation, run: &Run) -> Result<Self, Failed> {
        let evaluates = !matches!(wish, Wish::Reset | Wish::Rollback(_));
        let asked = [
            ("--module", !run.extras.is_empty()),
            ("--specialisation", run.specialisation.is_some()),
        ];
        if let Some((option, _)) = asked.iter().find(|(_, asked)| *asked && !evaluates) {
            return Err(Failure::Usage
                .error(format!(
                    "{}: {option} has no effect here: nothing is evaluated",
                    wish.words()
                ))
                .hint("use it with `apply` or `enable`"));
        }
        let now = pinned(situation);
        let of_now = now.as_ref().and_then(|pin| pin.specialisation.clone());
        let off: &[String] = match wish {
            Wish::Disable(names) => names,
            _ => &[],
        };
        let on = now.map(|pin| pin.extras).unwrap_or_default();
        let kept = on
            .into_iter()
            .filter(|extra| extra.keep && *wish != Wish::Reset)
            .filter(|extra| !off.contains(&extra.name) && !run.extras.contains(&extra.name));
        Ok(Self {
            kept: kept.collect(),
            new: run.extras.clone(),
            keep: run.keep,
            specialisation: match &run.specialisation {
                Some(name) => Some(name.clone()).filter(|name| !name.is_empty()),
                None => of_now,
            },
        })
    }

    /// Returns whether there are modules from outside.
    pub fn has_modules(&self) -> bool {
        !self.kept.is_empty() || !self.new.is_empty()
    }

    /// Returns the modules that were added for one change only, and that this change removes.
    pub fn gone(&self, situation: &Situation) -> Vec<String> {
        let on = pinned(situation).map(|pin| pin.extras).unwrap_or_default();
        let gone = on.into_iter().filter(|extra| {
            !extra.keep && !self.new.contains(&extra.name) && !self.kept.contains(extra)
        });
        gone.map(|extra| extra.name).collect()
    }
}
