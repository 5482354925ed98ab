//! The state of this boot: the running system, its source, the requested modules, the option
//! overrides, and the pending transaction.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::disk::absent;
use super::history::Outcome;
use super::inputs::{ComparedBase, InputNode};
use super::{read_json, write_json};
use crate::attributes::written;
use crate::fault::Point;
use crate::locations::Locations;
use crate::overrides::{Definition, Generation, OverrideState};
use crate::timings::Phases;

/// The schema version of `state.json`, `wanted.json` and `overrides.json`.
pub const SCHEMA: u64 = 1;

/// The content of `state.json`, the only source of truth about this boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Always [`SCHEMA`].
    pub schema: u64,
    /// The number of transaction outcomes recorded so far.
    pub revision: u64,
    /// The boot ID of the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// The source of the system that this program activated last; `None` before the first
    /// activation, or if the source is unknown.
    pub pin: Option<Pin>,
    /// The system without any runtime module.
    pub base: Option<Base>,
    /// The toplevel that this program activated last.
    pub current: Option<String>,
    /// The requested modules, in the order in which they were enabled.
    pub wanted: Vec<String>,
    /// The active modules, in the same order.
    pub active: Vec<String>,
    /// The option overrides in the system that this program activated last. Before the first
    /// activation of a boot, those that survived the reboot.
    #[serde(default, deserialize_with = "overrides_of_any_version")]
    pub overrides: OverrideState,
    /// A transaction that has begun but not ended.
    pub pending: Option<Pending>,
}

/// A source that does not change until a command pins another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// The flake reference that the user requested, for display only.
    pub url: String,
    /// A locked `path:` reference to the same tree in the store.
    pub locked: String,
    /// The store path of the tree.
    pub source: String,
    /// The name of the entry in `nixosConfigurations`.
    pub host: String,
    /// The commit hash, for display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<String>,
    /// The time of the tree's last change in seconds since 1970, for display only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<u64>,
    /// The attributes of the flake's `self` that a `path:` reference cannot express: `dirtyRev` and
    /// `dirtyShortRev`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<(String, String)>,
    /// The replaced inputs as the user named them: names and references. The JSON name was chosen
    /// before option overrides existed.
    #[serde(default, rename = "overrides", skip_serializing_if = "Vec::is_empty")]
    pub input_overrides: Vec<(String, String)>,
    /// The inputs that are not in the tree's own lock: the replaced inputs, or all inputs if the
    /// lock is missing or outdated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PinnedInput>,
    /// The flake, followed by all inputs with which the running system was built. Empty if the
    /// tree's own lock names the same inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graph: Vec<InputNode>,
    /// The comparison of a base with the result of this pin; `None` before the first comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<ComparedBase>,
    /// Whether this is the flake that the NixOS module baked in.
    #[serde(default)]
    pub baked: bool,
    /// The chosen specialisation; `None` for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialisation: Option<String>,
    /// The active modules that are not part of the configuration, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<ExtraModule>,
    /// The file that is used instead of a flake. It is not pinned: each evaluation reads its
    /// current content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SystemFile>,
}

/// A system that is defined in a file instead of a flake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemFile {
    /// The absolute path of the file.
    pub path: String,
    /// The attribute path of the system in the file; empty if the file itself is the system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attribute: Vec<String>,
}

impl SystemFile {
    /// Returns the name of the system: its attribute path, or the name of its file.
    pub fn name(&self) -> String {
        if self.attribute.is_empty() {
            let name = Path::new(&self.path).file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        } else {
            written(&self.attribute)
        }
    }

    /// Describes the system for messages.
    pub fn words(&self) -> String {
        let path = &self.path;
        match self.attribute.as_slice() {
            [] => format!("the file {path}"),
            names => format!("{} of the file {path}", written(names)),
        }
    }
}

/// A module that is not part of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraModule {
    /// The module, as the user named it.
    pub name: String,
    /// The store path of the file or folder, or of the flake's tree.
    pub source: String,
    /// The flake that contains the module, with the attribute of the module as its `host`. `None`
    /// for a file or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flake: Option<Box<Pin>>,
    /// Whether the module stays enabled until a reset. Otherwise, it is enabled for one change
    /// only.
    #[serde(default)]
    pub keep: bool,
}

impl Pin {
    /// Formats the commit as ` at REV`, or returns an empty string if there is no commit hash.
    pub fn at_revision(&self) -> String {
        let revision = self.rev.as_ref();
        revision.map_or_else(String::new, |revision| {
            format!(" at {}", revision.chars().take(12).collect::<String>())
        })
    }

    /// Creates the value that takes the place of a pin if the system is defined in a file.
    pub fn of_file(file: SystemFile) -> Self {
        Self {
            url: file.path.clone(),
            host: file.name(),
            file: Some(file),
            ..Self::default()
        }
    }

    /// Returns the names of the inputs to replace in the lock at each evaluation of the pin, with
    /// their references.
    pub fn replaced(&self) -> Vec<(String, String)> {
        let pair = |input: &PinnedInput| (input.name.clone(), input.locked.clone());
        self.inputs.iter().map(pair).collect()
    }

    /// Returns the parts of the pin that are not in the source: the specialisation and the extra
    /// modules.
    pub fn beside(&self) -> (Option<&str>, &[ExtraModule]) {
        (self.specialisation.as_deref(), &self.extras)
    }

    /// Returns the store paths of all trees that the pin needs.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let inputs = self.inputs.iter().map(|input| input.source.as_str());
        let store = self.source.rsplit_once('/').map_or("", |(store, _)| store);
        let graph = self.graph.iter().filter_map(|node| node.source(store));
        let inputs = inputs.chain(graph);
        // A file is not in the store.
        let tree = self.file.is_none().then_some(self.source.as_str());
        let own = tree.into_iter().chain(inputs);
        let extras = self.extras.iter().flat_map(ExtraModule::sources);
        own.chain(extras)
    }
}

impl ExtraModule {
    /// Returns the store paths of the trees that the module needs.
    fn sources(&self) -> impl Iterator<Item = &str> {
        let inputs = self.flake.iter().flat_map(|pin| &pin.inputs);
        let inputs = inputs.map(|input| input.source.as_str());
        std::iter::once(self.source.as_str()).chain(inputs)
    }
}

/// A pinned input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedInput {
    /// The name of the input as seen from the flake: `a`, or `a/b` for an input of an input.
    pub name: String,
    /// A locked `path:` reference to the tree of the input in the store.
    pub locked: String,
    /// The store path of the tree.
    pub source: String,
}

/// The system without any runtime module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The store path of the system. For a specialisation, this is the store path of the
    /// specialisation itself.
    pub toplevel: String,
}

/// A transaction that has begun but not ended. Contains everything that another process needs to
/// end it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The name of the transaction.
    pub transaction: String,
    /// A human-readable description of the change.
    #[serde(default)]
    pub purpose: String,
    /// The current step.
    pub step: Step,
    /// The toplevel that was running before the transaction.
    pub from: Option<String>,
    /// The toplevel to activate.
    pub to: String,
    /// The toplevel without any runtime module, from the same source as `to`.
    #[serde(default)]
    pub base: Option<String>,
    /// The source of `to`.
    #[serde(default)]
    pub pin: Option<Pin>,
    /// Modules that are enabled in `to`.
    #[serde(default)]
    pub wanted: Vec<String>,
    /// The option overrides in `to`.
    #[serde(default, skip_serializing_if = "OverrideState::is_empty")]
    pub overrides: OverrideState,
    /// The new generation of option overrides, if the transaction makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The store of both systems; `None` for the machine's own store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// The deadline for the confirmation in seconds since 1970. After the deadline, the change is
    /// rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<u64>,
    /// Whether the timer that was armed at the end of the switch is running. If so, the timer from
    /// before the switch does nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub armed_again: bool,
    /// Whether the user overrode NixOS's own checks. If so, every rollback skips these checks too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
    /// The reason why the switch was not fully successful, if its result is kept anyway. A later
    /// confirmation records this reason in the history.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub explanation: String,
    /// Units that failed because of the transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_units: Vec<String>,
    /// The duration of each phase.
    #[serde(default)]
    pub phases: Phases,
}

impl Pending {
    /// Returns the outcome of a change that is kept, possibly with failed units.
    pub fn outcome(&self) -> Outcome {
        match self.explanation.as_str() {
            "" => Outcome::Activated,
            _ => Outcome::UnitsFailed,
        }
    }
}

/// The step of a transaction. A transaction can be interrupted at each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The checks before the switch are running. Nothing has changed.
    #[default]
    Checking,
    /// The switch program is about to start or is running.
    Switching,
    /// The switch program has ended, and the running system is being verified.
    Verifying,
    /// The change is active and waits for a confirmation.
    Confirming,
    /// The previous system is being activated again.
    Returning,
    /// The rollback failed too. The machine may be between the two systems.
    Stranded,
}

impl Step {
    /// Describes what the transaction was doing when it was interrupted.
    pub fn words(self) -> &'static str {
        match self {
            Self::Checking => "nothing was changed yet",
            Self::Switching => "the switch program was running",
            Self::Verifying => "the new system was not verified yet",
            Self::Confirming => "the change was not confirmed yet",
            Self::Returning => "the rollback was running",
            Self::Stranded => "neither the switch nor the rollback succeeded",
        }
    }
}

/// The effect of an ended transaction on the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// The new system is active.
    Done,
    /// The previous system is active.
    AsBefore,
    /// The running system is unknown, so the transaction stays pending.
    Stranded,
}

/// Removes the state and the histories of an earlier boot. Returns whether there were any. The
/// caller must hold the lock, and must then remove the GC roots and logs of that boot.
pub fn forget_boot(locations: &Locations) -> Result<bool> {
    let Ok(text) = std::fs::read_to_string(locations.state()) else {
        return Ok(false);
    };
    // Ignore a damaged file here, because `State::read` reports the damage.
    let found: Option<State> = serde_json::from_str(&text).ok();
    let earlier = found.is_some_and(|state| state.boot.is_some() && state.boot != boot());
    if earlier {
        for path in [
            locations.history(),
            locations.overrides_log(),
            locations.state(),
        ] {
            absent(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(earlier)
}

/// Returns the boot ID of the kernel.
fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_string())
}

/// Returns whether the file was written by the program of nixos-runtime-modules, which uses the
/// same file name. The modules that the other program enabled are part of the running system, which
/// becomes the base.
fn is_foreign(file: &Path) -> bool {
    let text = std::fs::read(file).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    value.get("schema").is_none()
        && value
            .get("enabled")
            .is_some_and(serde_json::Value::is_array)
}

impl State {
    /// Reads the state. If this boot has no state yet, no module is active, and the requested
    /// modules are those of the last boot.
    pub fn read(locations: &Locations) -> Result<Self> {
        let way_out =
            |file: &Path, then: &str| format!("move the file away: {}; {then}", file.display());
        let file = locations.state();
        let lost = "the running system then becomes the base, with no module enabled";
        let boot = boot();
        let state: Option<Self> = match is_foreign(&file) {
            true => None,
            false => read_json(&file, &way_out(&file, lost))?,
        };
        // Ignore the state of an earlier boot, because the systems in it are no longer running.
        if let Some(state) = state.filter(|state| state.boot.is_none() || state.boot == boot) {
            return Ok(state);
        }
        let file = locations.wanted();
        let lost = "then no module is requested";
        let wanted: Option<Wanted> = read_json(&file, &way_out(&file, lost))?;
        let kept = Self::kept_overrides(locations);
        let left_out = overrides_are_left_out(locations);
        // The overrides that are left out in this boot are still kept for the next boot. A damaged
        // file must not prevent a boot without overrides.
        let kept = match left_out {
            true => kept.unwrap_or_default(),
            false => kept?,
        };
        Ok(Self {
            overrides: OverrideState {
                generation: 0,
                definitions: match left_out {
                    true => Vec::new(),
                    false => kept.clone(),
                },
                kept,
            },
            schema: SCHEMA,
            boot,
            wanted: wanted.map(|wanted| wanted.modules).unwrap_or_default(),
            ..Self::default()
        })
    }

    /// Reads the option overrides that survive reboots.
    fn kept_overrides(locations: &Locations) -> Result<Vec<Definition>> {
        let file = locations.kept_overrides();
        let way_out = format!(
            "move the file away: {}; then no option is overridden after a boot",
            file.display()
        );
        let kept: Option<KeptOverrides> = read_json(&file, &way_out)?;
        Ok(kept.map(|kept| kept.definitions).unwrap_or_default())
    }

    /// Replaces the state file. Only the activator may call this, while it holds the lock.
    pub fn write(&self, locations: &Locations) -> Result<()> {
        write_json(&locations.state(), self, Point::WriteState)
    }

    /// Returns whether an external switch has happened since our last switch, so that another
    /// system is running.
    pub fn foreign(&self, running: Option<&str>) -> bool {
        match &self.pending {
            // During a transaction, both of its systems are ours. A switch to any other system,
            // even to the base, ends the transaction.
            Some(pending) => {
                let ours = [pending.from.as_deref(), Some(pending.to.as_str())];
                running.is_some() && !ours.contains(&running)
            }
            None => self.unknown(running),
        }
    }

    /// Returns whether a system is neither the one that this program activated last nor its base.
    fn unknown(&self, system: Option<&str>) -> bool {
        let base = self.base.as_ref().map(|base| base.toplevel.as_str());
        self.revision > 0 && system.is_some() && system != self.current.as_deref() && system != base
    }

    /// Returns the transaction that has begun but not ended, unless an external switch has ended
    /// it.
    pub fn unended(&self, running: Option<&str>) -> Option<&Pending> {
        self.pending.as_ref().filter(|_| !self.foreign(running))
    }

    /// Returns the toplevel without any runtime module: the recorded base, or the system that an
    /// external switch activated.
    pub fn base_of(&self, running: Option<&str>) -> Option<String> {
        // During a transaction, use the base of the system that was running before the transaction.
        let system = match self.unended(running) {
            Some(pending) => pending.from.as_deref(),
            None => running,
        };
        match &self.base {
            Some(base) if !self.unknown(system) => Some(base.toplevel.clone()),
            _ => system.map(String::from),
        }
    }

    /// Begins a transaction. The base of the very first transaction is recorded now, even if the
    /// transaction fails later. After an external switch, the recorded base stays until this
    /// program has activated another system.
    pub fn begin(&mut self, pending: Pending) {
        if self.base.is_none() {
            self.base = pending.from.clone().map(|toplevel| Base { toplevel });
        }
        self.pending = Some(pending);
    }

    /// Records the current step.
    pub fn step(&mut self, step: Step) {
        if let Some(pending) = &mut self.pending {
            pending.step = step;
        }
    }

    /// Ends the transaction.
    pub fn end(&mut self, leaves: Leaves) {
        self.revision += 1;
        match (leaves, self.pending.take()) {
            (Leaves::Done, Some(pending)) => {
                self.current = Some(pending.to);
                self.wanted.clone_from(&pending.wanted);
                self.active = pending.wanted;
                self.overrides = pending.overrides;
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

/// Reads the overrides in a state. An earlier version wrote a number instead, which was always 0.
fn overrides_of_any_version<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<OverrideState, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum AnyVersion {
        Number(u64),
        State(OverrideState),
    }
    match AnyVersion::deserialize(deserializer)? {
        AnyVersion::Number(0) => Ok(OverrideState::default()),
        AnyVersion::Number(_) => Err(serde::de::Error::custom(
            "the field `overrides` is a number other than 0",
        )),
        AnyVersion::State(state) => Ok(state),
    }
}

/// Returns whether the kernel parameter `runtime-modules.overrides=0` is set, which leaves out the
/// overrides of earlier boots.
fn overrides_are_left_out(locations: &Locations) -> bool {
    let parameters = std::fs::read_to_string(locations.kernel_parameters()).unwrap_or_default();
    parameters
        .split_whitespace()
        .any(|word| word == "runtime-modules.overrides=0")
}

/// The option overrides that survive reboots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptOverrides {
    /// Always [`SCHEMA`].
    pub schema: u64,
    pub definitions: Vec<Definition>,
}

impl KeptOverrides {
    /// Selects the overrides that survive a reboot.
    pub fn of(overrides: &OverrideState) -> Self {
        Self {
            schema: SCHEMA,
            definitions: overrides.kept(),
        }
    }

    /// Replaces the file. Only the activator may call this, while it holds the lock.
    pub fn write(&self, locations: &Locations) -> Result<()> {
        write_json(&locations.kept_overrides(), self, Point::WriteKeptOverrides)
    }
}

/// The content of `wanted.json`: the requested modules, which survive reboots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Always [`SCHEMA`].
    pub schema: u64,
    /// The requested modules.
    pub modules: Vec<String>,
}

impl Wanted {
    /// Replaces the file. Only the activator may call this, while it holds the lock.
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
    fn written_state_is_read_back() {
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
    fn state_can_name_a_file_instead_of_a_flake() {
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
        // This pin was written by a release that did not support files.
        let old = r#"{"url":"/x","locked":"path:/s","source":"/s","host":"box","baked":false}"#;
        let old: Pin = serde_json::from_str(old).expect("a pin");
        assert_eq!((old.file.as_ref(), old.sources().count()), (None, 1));
    }

    #[test]
    fn missing_state_file_means_empty_state() {
        let (_dir, locations) = place();
        let state = State::read(&locations).expect("read");
        assert_eq!((state.schema, state.revision), (SCHEMA, 0));
    }

    #[test]
    fn truncated_state_file_is_an_error() {
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
    fn newer_schema_is_refused() {
        let (_dir, locations) = place();
        write_json(
            &locations.state(),
            &serde_json::json!({"schema": 2}),
            Point::WriteState,
        )
        .expect("written");
        let error = State::read(&locations).expect_err("refused");
        assert!(format!("{error:#}").ends_with("the file has schema 2, but this version reads 1"));
    }

    /// Returns a state in which nothing is recorded.
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
    fn base_is_recorded_when_first_change_begins() {
        let mut state = fresh();
        state.begin(change("/a", "/b", "/a", &["hello"]));
        // If the activator is killed after the switch, the running system must not be taken for the
        // base.
        assert_eq!(state.base_of(Some("/b")).as_deref(), Some("/a"));
        state.end(Leaves::Done);
        assert_eq!(state.base_of(Some("/b")).as_deref(), Some("/a"));
        assert_eq!((state.revision, state.active.len()), (1, 1));
    }

    #[test]
    fn stranded_change_keeps_base_and_stays_pending() {
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
    fn failed_change_keeps_modules_and_request() {
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
    fn external_switch_makes_a_new_base() {
        let mut state = fresh();
        state.begin(change("/a", "/b", "/a", &["hello"]));
        state.end(Leaves::Done);
        assert!(state.foreign(Some("/n")));
        state.begin(change("/n", "/m", "/n", &["hello"]));
        assert_eq!(state.base_of(Some("/m")).as_deref(), Some("/n"));
    }

    #[test]
    fn switch_to_base_ends_unconfirmed_change() {
        let mut state = fresh();
        state.begin(change("/base", "/a", "/base", &["hello"]));
        state.end(Leaves::Done);
        state.begin(change("/a", "/b", "/base", &["hello", "web"]));
        for (running, unended) in [("/a", true), ("/b", true), ("/base", false), ("/n", false)] {
            assert_eq!(state.unended(Some(running)).is_some(), unended, "{running}");
        }
        // The next change starts from the base, and its base stays the same.
        state.begin(change("/base", "/c", "/base", &["web"]));
        assert_eq!(state.base_of(Some("/c")).as_deref(), Some("/base"));
        assert!(state.unended(Some("/a")).is_none());
    }

    #[test]
    fn failed_change_after_external_switch_keeps_base() {
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
    fn state_of_earlier_boot_is_ignored() {
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
    fn requested_modules_survive_a_reboot() {
        let (_dir, locations) = place();
        let wanted = Wanted {
            schema: SCHEMA,
            modules: vec!["hello".into()],
        };
        wanted.write(&locations).expect("written");
        assert_eq!(State::read(&locations).expect("read").wanted, ["hello"]);
    }
}
