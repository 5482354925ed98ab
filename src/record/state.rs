//! The state of this boot: what runs, from which source, and what was asked for.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{read_json, write_json};
use crate::locations::Locations;

/// The schema of `state.json` and `wanted.json`.
pub const SCHEMA: u64 = 1;

/// `state.json`, the only truth about this boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Always [`SCHEMA`].
    pub schema: u64,
    /// Grows by one with each commit.
    pub revision: u64,
    /// The source that everything is evaluated from; none before the first transaction on a machine without a baked one.
    pub pin: Option<Pin>,
    /// The system without any runtime module.
    pub base: Option<Base>,
    /// The toplevel that we activated last, as long as it runs.
    pub current: Option<String>,
    /// Modules that are to be on, in the order in which they were enabled.
    pub wanted: Vec<String>,
    /// Modules that are on, in the same order.
    pub active: Vec<String>,
    /// Which generation of option overrides is on.
    pub overrides: u64,
    /// A transaction that has begun and not ended.
    pub pending: Option<Pending>,
}

/// A source that stays as it is until somebody moves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// The flake reference that was asked for, for people.
    pub url: String,
    /// The same tree as a locked `path:` reference into the store.
    pub locked: String,
    /// Store path of the tree.
    pub source: String,
    /// Entry of `nixosConfigurations`.
    pub host: String,
    /// Revision, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<String>,
    /// Seconds since 1970 of the tree's last change, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<u64>,
    /// What a `path:` reference cannot say, and the flake's `self` says: `dirtyRev`, `dirtyShortRev`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<(String, String)>,
    /// Inputs that were replaced: name and reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<(String, String)>,
    /// Whether the NixOS module baked it.
    #[serde(default)]
    pub baked: bool,
}

/// The system without any runtime module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Its store path (for a specialisation: that of the specialisation).
    pub toplevel: String,
}

/// A transaction under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its name.
    pub transaction: String,
    /// How far it is.
    pub step: Step,
    /// The toplevel that ran before.
    pub from: Option<String>,
    /// The toplevel that is to run.
    pub to: String,
}

/// The steps of a transaction that can be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The switch program is about to run, or runs.
    Switching,
    /// It has ended; what runs is being looked at.
    Verifying,
    /// It failed, and the previous system is being activated again.
    Returning,
}

impl State {
    /// Reads it; an empty one where none was written yet.
    pub fn read(locations: &Locations) -> Result<Self> {
        let way_out = format!(
            "move the file away: {}; the system that runs now is then the base, with no module on (`reset` is not possible then)",
            locations.state().display()
        );
        Ok(
            read_json(&locations.state(), &way_out)?.unwrap_or_else(|| Self {
                schema: SCHEMA,
                ..Self::default()
            }),
        )
    }

    /// Replaces it. Only the activator does, holding the lock.
    pub fn write(&self, locations: &Locations) -> Result<()> {
        write_json(&locations.state(), self)
    }
}

/// `wanted.json`: what the user wants, over reboots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Always [`SCHEMA`].
    pub schema: u64,
    /// Modules that are to be on.
    pub modules: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Locations) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path().join("cache"));
        (dir, locations)
    }

    #[test]
    fn what_is_written_is_read() {
        let (_dir, locations) = place();
        let state = State {
            schema: SCHEMA,
            revision: 7,
            wanted: vec!["hello".into()],
            pending: Some(Pending {
                transaction: "t".into(),
                step: Step::Switching,
                from: None,
                to: "/nix/store/x".into(),
            }),
            ..State::default()
        };
        state.write(&locations).expect("written");
        assert_eq!(State::read(&locations).expect("read"), state);
    }

    #[test]
    fn nothing_is_an_empty_state() {
        let (_dir, locations) = place();
        let state = State::read(&locations).expect("read");
        assert_eq!((state.schema, state.revision), (SCHEMA, 0));
    }

    #[test]
    fn every_cut_of_the_file_is_an_error_and_never_an_empty_state() {
        let (_dir, locations) = place();
        State {
            schema: SCHEMA,
            ..State::default()
        }
        .write(&locations)
        .expect("written");
        let whole = std::fs::read(locations.state()).expect("read");
        for length in 0..whole.len() - 2 {
            std::fs::write(locations.state(), &whole[..length]).expect("cut");
            assert!(State::read(&locations).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_newer_schema_is_refused_by_name() {
        let (_dir, locations) = place();
        write_json(&locations.state(), &serde_json::json!({"schema": 2})).expect("written");
        let error = State::read(&locations).expect_err("refused");
        assert!(format!("{error:#}").ends_with("it has schema 2, and this program knows 1"));
    }
}
