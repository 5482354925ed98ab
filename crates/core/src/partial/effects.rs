//! The effects of options on the running base, learned from earlier verifications.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parts::Parts;
use crate::attributes::written;

/// The known effects of options on one base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Effects {
    pub schema: u64,
    /// The toplevel without any runtime module on which the effects were observed.
    pub base: Option<String>,
    /// The effect of each option, by its path in Nix syntax.
    options: BTreeMap<String, Effect>,
}

/// The parts of a system that an option changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Effect {
    pub parts: Parts,
    /// Whether the option changes more than units and etc entries, so that only a whole toplevel
    /// can apply it.
    pub whole: bool,
}

impl Effects {
    /// Returns the effects for a base. They are empty if they were observed on another base.
    pub fn on(self, base: Option<&str>) -> Self {
        match self.base.as_deref() == base {
            true => self,
            false => Self {
                base: base.map(String::from),
                ..Self::default()
            },
        }
    }

    pub fn of(&self, path: &[String]) -> Option<&Effect> {
        self.options.get(&written(path))
    }

    /// Adds an observed effect to the known effect of an option.
    pub fn learn(&mut self, path: &[String], observed: Effect) {
        let known = self.options.entry(written(path)).or_default();
        known.parts.extend(observed.parts);
        known.whole |= observed.whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_of_another_base_are_forgotten() {
        let mut effects = Effects::default().on(Some("/nix/store/a"));
        let path = vec!["a".to_string()];
        effects.learn(&path, Effect::default());
        assert!(effects.clone().on(Some("/nix/store/a")).of(&path).is_some());
        let other = effects.on(Some("/nix/store/b"));
        assert_eq!(
            (other.of(&path), other.base.as_deref()),
            (None, Some("/nix/store/b"))
        );
    }
}
