//! The state of this boot: what runs, from which source, and what was asked for.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::disk::absent;
use super::history::Outcome;
use super::{read_json, write_json};
use crate::attributes::written;
use crate::fault::Point;
use crate::locations::Locations;
use crate::timings::Phases;

/// The schema of `state.json` and `wanted.json`.
pub const SCHEMA: u64 = 1;

/// `state.json`, the only truth about this boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Always [`SCHEMA`].
    pub schema: u64,
    /// Grows by one with each commit.
    pub revision: u64,
    /// The boot that it is of, as the kernel names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
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
    /// Inputs that were replaced, as they were asked for: name and reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<(String, String)>,
    /// Inputs that the tree's own lock does not hold: those that were replaced, or all where it has no lock that is true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PinnedInput>,
    /// Whether the NixOS module baked it.
    #[serde(default)]
    pub baked: bool,
    /// The variant of the host that is meant; none for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialisation: Option<String>,
    /// Modules that are on and no part of the configuration, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<ExtraModule>,
    /// The file that stands in place of a tree, and is evaluated as it is each time; none for a flake. Nothing of it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SystemFile>,
}

/// A system that is in a file, and in no flake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemFile {
    /// The file, or the folder with its `default.nix`: an absolute path.
    pub path: String,
    /// The names that lead to the system in it; none where the file is the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attribute: Vec<String>,
}

impl SystemFile {
    /// What the system is called: by its attribute, or else by its file.
    pub fn name(&self) -> String {
        if self.attribute.is_empty() {
            let name = Path::new(&self.path).file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        } else {
            written(&self.attribute)
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        let path = &self.path;
        match self.attribute.as_slice() {
            [] => format!("the file {path}"),
            names => format!("{} of the file {path}", written(names)),
        }
    }
}

/// A module that is no part of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraModule {
    /// As it was asked for.
    pub name: String,
    /// Store path of the file or folder, or of the flake's tree.
    pub source: String,
    /// The flake that it is of, whose `host` is the attribute; none for a file or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flake: Option<Box<Pin>>,
    /// Whether it stays until a reset, and not for one change only.
    #[serde(default)]
    pub keep: bool,
}

impl Pin {
    /// What stands for a pin where the system is in a file.
    pub fn of_file(file: SystemFile) -> Self {
        Self {
            url: file.path.clone(),
            host: file.name(),
            file: Some(file),
            ..Self::default()
        }
    }

    /// What is replaced in the lock whenever the pin is evaluated: names and references of inputs.
    pub fn replaced(&self) -> Vec<(String, String)> {
        let pair = |input: &PinnedInput| (input.name.clone(), input.locked.clone());
        self.inputs.iter().map(pair).collect()
    }

    /// What it has beside the source: the variant and the modules from elsewhere.
    pub fn beside(&self) -> (Option<&str>, &[ExtraModule]) {
        (self.specialisation.as_deref(), &self.extras)
    }

    /// Store paths of the trees that it needs.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let inputs = self.inputs.iter().map(|input| input.source.as_str());
        // A file is not in the store.
        let tree = self.file.is_none().then_some(self.source.as_str());
        let own = tree.into_iter().chain(inputs);
        let extras = self.extras.iter().flat_map(ExtraModule::sources);
        own.chain(extras)
    }
}

impl ExtraModule {
    /// Store paths of the trees that it needs.
    fn sources(&self) -> impl Iterator<Item = &str> {
        let inputs = self.flake.iter().flat_map(|pin| &pin.inputs);
        let inputs = inputs.map(|input| input.source.as_str());
        std::iter::once(self.source.as_str()).chain(inputs)
    }
}

/// An input that stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedInput {
    /// How it is named from the flake: `a`, or `a/b` for an input's input.
    pub name: String,
    /// Its tree as a locked `path:` reference into the store.
    pub locked: String,
    /// Store path of the tree.
    pub source: String,
}

/// The system without any runtime module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Its store path (for a specialisation: that of the specialisation).
    pub toplevel: String,
}

/// A transaction under way: what it wants, so that it can be ended by whoever finds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// Its name.
    pub transaction: String,
    /// What it does, for people.
    #[serde(default)]
    pub purpose: String,
    /// How far it is.
    pub step: Step,
    /// The toplevel that ran before.
    pub from: Option<String>,
    /// The toplevel that is to run.
    pub to: String,
    /// The toplevel without any runtime module, of the source of `to`.
    #[serde(default)]
    pub base: Option<String>,
    /// The source of `to`.
    #[serde(default)]
    pub pin: Option<Pin>,
    /// Modules that `to` has on.
    #[serde(default)]
    pub wanted: Vec<String>,
    /// The store that both are in; none for the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// When it is undone unless it is confirmed before, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<u64>,
    /// Whether the timer runs that was armed at the end of the switch: then the one from before it undoes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub armed_again: bool,
    /// Whether NixOS's own checks are left out, as somebody has allowed: then they are on every way back as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
    /// What the switch came to where it was not well and stays all the same, for whoever confirms it: why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub explanation: String,
    /// Units that failed because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_units: Vec<String>,
    /// How long its phases took.
    #[serde(default)]
    pub phases: Phases,
}

impl Pending {
    /// How a change ends that is kept: units may have failed.
    pub fn outcome(&self) -> Outcome {
        match self.explanation.as_str() {
            "" => Outcome::Activated,
            _ => Outcome::UnitsFailed,
        }
    }
}

/// The steps of a transaction that can be interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It is being looked at whether anything speaks against it; nothing has changed.
    #[default]
    Checking,
    /// The switch program is about to run, or runs.
    Switching,
    /// It has ended; what runs is being looked at.
    Verifying,
    /// All is well, and somebody is to say so.
    Confirming,
    /// It failed, and the previous system is being activated again.
    Returning,
    /// That failed too: what runs may be half of each.
    Stranded,
}

impl Step {
    /// What was going on when it was interrupted, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Checking => "it ended before anything was changed",
            Self::Switching => "it ended while the switch program ran",
            Self::Verifying => "it ended before it had looked at what runs",
            Self::Confirming => "it waits to be confirmed",
            Self::Returning => "it ended on the way back to the previous system",
            Self::Stranded => "neither the switch nor the way back succeeded",
        }
    }
}

/// How a transaction leaves the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// What it wanted is what runs.
    Done,
    /// What ran before runs.
    AsBefore,
    /// Nobody knows what runs: it stays pending.
    Stranded,
}

/// Removes what an earlier boot left, where it left anything: its state and its history. The roots and logs go with the
/// next release. The lock is held.
pub fn forget_boot(locations: &Locations) -> Result<bool> {
    let Ok(text) = std::fs::read_to_string(locations.state()) else {
        return Ok(false);
    };
    // A damaged file is somebody else's to report.
    let found: Option<State> = serde_json::from_str(&text).ok();
    let earlier = found.is_some_and(|state| state.boot.is_some() && state.boot != boot());
    if earlier {
        for path in [locations.history(), locations.state()] {
            absent(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(earlier)
}

/// The kernel's name for this boot.
fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_string())
}

impl State {
    /// Reads it. Where none was written yet in this boot, nothing is on, and what was wanted before still is.
    pub fn read(locations: &Locations) -> Result<Self> {
        let way_out =
            |file: &Path, then: &str| format!("move the file away: {}; {then}", file.display());
        let file = locations.state();
        let lost = "the system that runs now is then the base, with no module on";
        let boot = boot();
        let state: Option<Self> = read_json(&file, &way_out(&file, lost))?;
        // What an earlier boot left says nothing about this one: its systems do not run.
        if let Some(state) = state.filter(|state| state.boot.is_none() || state.boot == boot) {
            return Ok(state);
        }
        let file = locations.wanted();
        let lost = "no module is wanted then";
        let wanted: Option<Wanted> = read_json(&file, &way_out(&file, lost))?;
        Ok(Self {
            schema: SCHEMA,
            boot,
            wanted: wanted.map(|wanted| wanted.modules).unwrap_or_default(),
            ..Self::default()
        })
    }

    /// Replaces it. Only the activator does, holding the lock.
    pub fn write(&self, locations: &Locations) -> Result<()> {
        write_json(&locations.state(), self, Point::WriteState)
    }

    /// Whether somebody else has switched since we did: what runs is none of ours.
    pub fn foreign(&self, running: Option<&str>) -> bool {
        match &self.pending {
            // Between these two it is. Whoever has gone to another one, be it the base, has ended it.
            Some(pending) => {
                let ours = [pending.from.as_deref(), Some(pending.to.as_str())];
                running.is_some() && !ours.contains(&running)
            }
            None => self.unknown(running),
        }
    }

    /// Whether a system is neither what we activated last nor its base.
    fn unknown(&self, system: Option<&str>) -> bool {
        let base = self.base.as_ref().map(|base| base.toplevel.as_str());
        self.revision > 0 && system.is_some() && system != self.current.as_deref() && system != base
    }

    /// The transaction that has begun and not ended; none where somebody has switched to something else since, which ends it.
    pub fn unended(&self, running: Option<&str>) -> Option<&Pending> {
        self.pending.as_ref().filter(|_| !self.foreign(running))
    }

    /// The toplevel without any runtime module: the recorded one, or what somebody else has switched to.
    pub fn base_of(&self, running: Option<&str>) -> Option<String> {
        // In the middle of a transaction it is that of what ran before.
        let system = match self.unended(running) {
            Some(pending) => pending.from.as_deref(),
            None => running,
        };
        match &self.base {
            Some(base) if !self.unknown(system) => Some(base.toplevel.clone()),
            _ => system.map(String::from),
        }
    }

    /// A transaction begins. The base of the first one of all is known from here on, whatever comes of it; what is known of a
    /// system that somebody else has left since then is given up only once another one of ours runs.
    pub fn begin(&mut self, pending: Pending) {
        if self.base.is_none() {
            self.base = pending.from.clone().map(|toplevel| Base { toplevel });
        }
        self.pending = Some(pending);
    }

    /// It has come so far.
    pub fn step(&mut self, step: Step) {
        if let Some(pending) = &mut self.pending {
            pending.step = step;
        }
    }

    /// It has ended.
    pub fn end(&mut self, leaves: Leaves) {
        self.revision += 1;
        match (leaves, self.pending.take()) {
            (Leaves::Done, Some(pending)) => {
                self.current = Some(pending.to);
                self.wanted.clone_from(&pending.wanted);
                self.active = pending.wanted;
                self.pin = pending.pin;
                if let Some(toplevel) = pending.base {
                    self.base = Some(Base { toplevel });
                }
            }
            (Leaves::Stranded, Some(mut pending)) => {
                pending.step = Step::Stranded;
                self.pending = Some(pending);
            }
            (Leaves::AsBefore, _) | (_, None) => {}
        }
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

impl Wanted {
    /// Replaces it. Only the activator does, holding the lock.
    pub fn write(&self, locations: &Locations) -> Result<()> {
        write_json(&locations.wanted(), self, Point::WriteWanted)
    }
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
                to: "/nix/store/x".into(),
                ..Pending::default()
            }),
            ..State::default()
        };
        state.write(&locations).expect("written");
        assert_eq!(State::read(&locations).expect("read"), state);
    }

    #[test]
    fn a_file_stands_in_place_of_a_tree() {
        let (_dir, locations) = place();
        let file = SystemFile {
            path: "/etc/nixos/default.nix".into(),
            attribute: vec!["nodes".into(), "a.b".into()],
        };
        assert_eq!(file.name(), "nodes.\"a.b\"");
        let pin = Pin {
            file: Some(file),
            ..Pin::default()
        };
        assert_eq!(pin.sources().count(), 0);
        let state = State {
            schema: SCHEMA,
            pin: Some(pin),
            ..State::default()
        };
        state.write(&locations).expect("written");
        assert_eq!(State::read(&locations).expect("read"), state);
        // A state of a release that knew of no files.
        let old = r#"{"url":"/x","locked":"path:/s","source":"/s","host":"box","baked":false}"#;
        let old: Pin = serde_json::from_str(old).expect("a pin");
        assert_eq!((old.file.as_ref(), old.sources().count()), (None, 1));
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
        write_json(
            &locations.state(),
            &serde_json::json!({"schema": 2}),
            Point::WriteState,
        )
        .expect("written");
        let error = State::read(&locations).expect_err("refused");
        assert!(format!("{error:#}").ends_with("it has schema 2, and this program knows 1"));
    }

    /// Nothing is recorded; `/a` runs.
    fn fresh() -> State {
        State {
            schema: SCHEMA,
            ..State::default()
        }
    }

    fn change(from: &str, to: &str, base: &str, wanted: &[&str]) -> Pending {
        Pending {
            transaction: "t".into(),
            from: Some(from.into()),
            to: to.into(),
            base: Some(base.into()),
            wanted: wanted.iter().map(ToString::to_string).collect(),
            ..Pending::default()
        }
    }

    #[test]
    fn the_base_is_known_from_the_first_step_on() {
        let mut state = fresh();
        state.begin(change("/a", "/b", "/a", &["hello"]));
        // Killed after the link had moved: what runs is not taken for the base.
        assert_eq!(state.base_of(Some("/b")).as_deref(), Some("/a"));
        state.end(Leaves::Done);
        assert_eq!(state.base_of(Some("/b")).as_deref(), Some("/a"));
        assert_eq!((state.revision, state.active.len()), (1, 1));
    }

    #[test]
    fn a_stranded_machine_keeps_its_base_and_the_way_back() {
        let mut state = fresh();
        state.begin(change("/a", "/b", "/a", &["hello"]));
        state.end(Leaves::Stranded);
        assert!(!state.foreign(Some("/b")));
        assert_eq!(state.base_of(Some("/b")).as_deref(), Some("/a"));
        let step = state.pending.as_ref().map(|pending| pending.step);
        assert_eq!(step, Some(Step::Stranded));
        state.end(Leaves::Done);
        assert_eq!((state.pending, state.active.len()), (None, 1));
    }

    #[test]
    fn what_failed_changes_neither_what_is_on_nor_what_is_wanted() {
        let mut state = fresh();
        state.begin(change("/a", "/b", "/a", &["hello"]));
        state.end(Leaves::Done);
        let before = state.clone();
        state.begin(change("/b", "/c", "/a", &["hello", "web"]));
        state.end(Leaves::AsBefore);
        assert_eq!(
            state,
            State {
                revision: 2,
                ..before
            }
        );
    }

    #[test]
    fn a_foreign_switch_makes_a_new_base() {
        let mut state = fresh();
        state.begin(change("/a", "/b", "/a", &["hello"]));
        state.end(Leaves::Done);
        assert!(state.foreign(Some("/n")));
        state.begin(change("/n", "/m", "/n", &["hello"]));
        assert_eq!(state.base_of(Some("/m")).as_deref(), Some("/n"));
    }

    #[test]
    fn whoever_goes_to_the_base_ends_what_waits_to_be_confirmed() {
        let mut state = fresh();
        state.begin(change("/base", "/a", "/base", &["hello"]));
        state.end(Leaves::Done);
        state.begin(change("/a", "/b", "/base", &["hello", "web"]));
        for (running, unended) in [("/a", true), ("/b", true), ("/base", false), ("/n", false)] {
            assert_eq!(state.unended(Some(running)).is_some(), unended, "{running}");
        }
        // What is begun next is begun on the base, and goes back to it.
        state.begin(change("/base", "/c", "/base", &["web"]));
        assert_eq!(state.base_of(Some("/c")).as_deref(), Some("/base"));
        assert!(state.unended(Some("/a")).is_none());
    }

    #[test]
    fn what_fails_on_a_foreign_system_leaves_what_is_known_of_ours() {
        let mut state = fresh();
        state.begin(change("/a", "/b", "/a", &["hello"]));
        state.end(Leaves::Done);
        let before = state.clone();
        state.begin(change("/b-travel", "/c", "/a-travel", &["hello", "web"]));
        assert_eq!(state.base_of(Some("/c")).as_deref(), Some("/b-travel"));
        state.end(Leaves::AsBefore);
        assert_eq!(
            (&state.base, &state.current),
            (&before.base, &before.current)
        );
        assert!(state.foreign(Some("/b-travel")) && !state.foreign(Some("/b")));
    }

    #[test]
    fn a_state_of_an_earlier_boot_says_nothing_about_this_one() {
        let (_dir, locations) = place();
        let state = State {
            boot: Some("another".into()),
            revision: 9,
            ..fresh()
        };
        state.write(&locations).expect("written");
        assert_eq!(State::read(&locations).expect("read").revision, 0);
    }

    #[test]
    fn what_was_wanted_before_the_boot_still_is() {
        let (_dir, locations) = place();
        let wanted = Wanted {
            schema: SCHEMA,
            modules: vec!["hello".into()],
        };
        wanted.write(&locations).expect("written");
        assert_eq!(State::read(&locations).expect("read").wanted, ["hello"]);
    }
}
