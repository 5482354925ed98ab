//! What the user wishes, and the earlier states that one can wish for.

use super::Situation;
use crate::error::{Failed, Failure};
use crate::record::{Entry, Pin, reachable};

/// What the user wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// These modules are to be on too.
    Enable(Vec<String>),
    /// These modules are to be off.
    Disable(Vec<String>),
    /// No module is to be on.
    Reset,
    /// What is wanted is to be on, on the same source.
    Apply,
    /// What is wanted is to be on, on today's source.
    Rebuild,
    /// An earlier state of this boot is to be on.
    Rollback(Box<Past>),
}

/// An earlier state of this boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Its number in the history.
    pub number: u64,
    /// Its toplevel.
    pub toplevel: String,
    /// The toplevel without any runtime module, of its source.
    pub base: Option<String>,
    /// Its source.
    pub pin: Option<Pin>,
    /// Modules that were on.
    pub wanted: Vec<String>,
}

impl Past {
    /// The state with this number; the last that is not what is on now if none is named.
    pub fn find(
        history: &[Entry],
        number: Option<u64>,
        situation: &Situation,
        now: u64,
    ) -> Result<Self, Failed> {
        let known: Vec<Self> = Self::all(history, now);
        // Not just the one before the last record: somebody else may have switched since, or the last change may have died
        // before it was recorded.
        let is_on = |past: &Self| {
            Some(&past.toplevel) == situation.running.as_ref()
                && past.wanted == situation.state.wanted
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
            Some(number) => Failure::Usage.error(format!(
                "rollback {number}: there is no such state of this boot to return to"
            )),
            None => Failure::Refused.error("rollback: there is no earlier state of this boot"),
        }
        .hint(if number.is_none() || numbers.is_empty() {
            "`runtime-module history` lists the changes of this boot".to_string()
        } else {
            format!(
                "`runtime-module history` lists them: {}",
                numbers.join(", ")
            )
        }))
    }

    /// All that can be returned to, the last first.
    pub fn all(history: &[Entry], now: u64) -> Vec<Self> {
        let ran = history.iter().filter(|entry| entry.ran()).count();
        let mut all: Vec<Self> = reachable(history, now).map(Self::from).collect();
        // Before the first change of all there was a state, too. What ran before the first one that is known is that state
        // only if that is the first of all, or began on its base; a system that was gone back from is none at all.
        if let Some(first) = history.iter().find(|entry| entry.ran())
            && let Some(from) = first.from.as_ref().filter(|_| ran == all.len())
            && !first.way_back
            && (first.revision == 1 || first.base.as_ref() == Some(from))
        {
            all.push(Self {
                number: first.revision.saturating_sub(1),
                toplevel: from.clone(),
                base: Some(from.clone()),
                pin: None,
                wanted: Vec::new(),
            });
        }
        all
    }
}

impl From<&Entry> for Past {
    fn from(entry: &Entry) -> Self {
        Self {
            number: entry.revision,
            toplevel: entry.to.clone(),
            base: entry.base.clone(),
            pin: entry.pin.clone(),
            wanted: entry.modules.clone(),
        }
    }
}

impl Wish {
    /// In words, for the lock, the log and messages.
    pub fn words(&self) -> String {
        match self {
            Self::Enable(names) => format!("enable {}", names.join(", ")),
            Self::Disable(names) => format!("disable {}", names.join(", ")),
            Self::Reset => "reset".into(),
            Self::Apply => "apply".into(),
            Self::Rebuild => "rebuild".into(),
            Self::Rollback(past) => format!("rollback to {}", past.number),
        }
    }
}
