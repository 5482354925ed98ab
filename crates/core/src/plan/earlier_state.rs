//! The earlier states of this boot that `rollback` can restore.

use super::current_configuration;
use crate::error::{ArgumentError, Failed, Message as _};
use crate::host::Situation;
use crate::overrides::OverrideState;
use crate::partial::RuntimeFiles;
use crate::record::{Configuration, Entry, reachable};

/// An earlier state of this boot.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlierState {
    /// The number of the state in the history.
    pub number: u64,
    pub toplevel: String,
    /// The toplevel without any runtime module, from the same source.
    pub base: Option<String>,
    pub configuration: Option<Configuration>,
    /// The modules that were enabled.
    pub wanted: Vec<String>,
    /// The option overrides that were active.
    pub overrides: OverrideState,
    /// The unit files and etc entries that applied overrides in addition to the toplevel.
    pub runtime: RuntimeFiles,
    /// Whether the toplevel itself did not contain the overrides.
    pub partial: bool,
}

impl EarlierState {
    /// Creates the state without any runtime module.
    pub fn base(toplevel: &str, situation: &Situation) -> Self {
        let configuration = current_configuration(situation).map(|current| Configuration {
            extras: Vec::new(),
            ..current
        });
        Self {
            number: 0,
            toplevel: toplevel.into(),
            base: Some(toplevel.into()),
            configuration,
            wanted: Vec::new(),
            overrides: OverrideState::default(),
            runtime: RuntimeFiles::default(),
            partial: false,
        }
    }

    /// Finds the state with this number. Without a number, finds the last state that is different
    /// from the current state.
    pub fn find(
        history: &[Entry],
        number: Option<u64>,
        situation: &Situation,
        now: u64,
    ) -> Result<Self, Failed> {
        let known: Vec<Self> = Self::all(history, now);
        // The last record may differ from the current state: an external switch may have happened,
        // or the last change may have been interrupted before it was recorded.
        let is_on = |past: &Self| {
            // A whole toplevel with the same overrides can replace a partial change.
            (Some(&past.toplevel) == situation.running.as_ref() || past.partial)
                && past.wanted == situation.state.wanted
                && past.overrides.definitions == situation.state.overrides.definitions
        };
        let found = match number {
            Some(number) => known.iter().find(|past| past.number == number),
            None => known.iter().find(|past| !is_on(past)),
        };
        if let Some(past) = found {
            return Ok(past.clone());
        }
        let numbers: Vec<String> = known.iter().map(|past| past.number.to_string()).collect();
        Err(match number {
            None => ArgumentError::NoEarlierState.into(),
            Some(number) => ArgumentError::NoSuchState { number }.hint(match numbers.as_slice() {
                [] => "run `runtime-module history` to list the changes of this boot".into(),
                numbers => format!(
                    "choose one of the states in `runtime-module history`: {}",
                    numbers.join(", ")
                ),
            }),
        })
    }

    /// Returns all states to which `rollback` can return, latest first.
    pub fn all(history: &[Entry], now: u64) -> Vec<Self> {
        let ran = history.iter().filter(|entry| entry.ran()).count();
        let mut all: Vec<Self> = reachable(history, now).map(Self::from).collect();
        // `rollback` can also return to the state before the very first change, which has no
        // record. The first record shows this state only if it has revision 1, or if its change
        // started from the system without any runtime module. If the first record is a rollback,
        // its previous system was rolled back and is not a target.
        if let Some(first) = history.iter().find(|entry| entry.ran())
            && let Some(from) = first.from.as_ref().filter(|_| ran == all.len())
            && !first.way_back
            && (first.revision == 1 || first.base.as_ref() == Some(from))
        {
            all.push(Self {
                number: first.revision.saturating_sub(1),
                toplevel: from.clone(),
                base: Some(from.clone()),
                configuration: None,
                wanted: Vec::new(),
                overrides: OverrideState::default(),
                runtime: RuntimeFiles::default(),
                partial: false,
            });
        }
        all
    }
}

impl From<&Entry> for EarlierState {
    fn from(entry: &Entry) -> Self {
        Self {
            number: entry.revision,
            toplevel: entry.to.clone(),
            base: entry.base.clone(),
            configuration: entry.configuration.clone(),
            wanted: entry.modules.clone(),
            overrides: entry.overrides.clone(),
            runtime: entry.runtime.clone(),
            partial: entry.verification.is_some(),
        }
    }
}
