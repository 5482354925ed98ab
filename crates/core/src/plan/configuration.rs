//! The configuration of the running system: its source, its specialisation and its extra modules.

use crate::host::Situation;
use crate::record::{Configuration, ExtraModule};

/// Returns the configuration of the running system.
pub fn current_configuration(situation: &Situation) -> Option<Configuration> {
    let kept = |extras: &[ExtraModule]| -> Vec<ExtraModule> {
        let kept = extras.iter().filter(|extra| extra.keep);
        kept.cloned().collect()
    };
    match &situation.state.configuration {
        // No external switch has happened, so the recorded configuration is current.
        Some(recorded) if !situation.foreign() => Some(recorded.clone()),
        // A specialisation of a system that we activated has the same source as that system.
        Some(recorded) if situation.varied_base().is_some() => Some(Configuration {
            specialisation: situation.specialisation.clone(),
            extras: kept(&recorded.extras),
            source: recorded.source.clone(),
        }),
        // Otherwise, the source is the one that is baked into the running system. If no source is
        // baked in, the source is unknown.
        before => Some(Configuration {
            source: situation.baked.as_ref()?.source()?,
            specialisation: situation.specialisation.clone(),
            extras: before
                .as_ref()
                .map(|before| kept(&before.extras))
                .unwrap_or_default(),
        }),
    }
}

/// Returns the pinned specialisation.
pub(super) fn specialisation(situation: &Situation) -> Option<String> {
    current_configuration(situation)?.specialisation
}
