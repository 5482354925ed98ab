//! The state of this boot: the running system, its source, the requested modules, the option
//! overrides, and the pending transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::configuration::Configuration;
use super::disk::absent;
use super::history::Outcome;
use super::json::{SCHEMA, read_json, write_json};
use super::kept::{KeptOverrides, Wanted};
use crate::fault::Point;
use crate::locations::Locations;
use crate::overrides::{Definition, Generation, OverrideState};
use crate::partial::{RuntimeFiles, Verification, VerificationResult};
use crate::timings::Phases;

/// The number of verified generations to remember.
const REMEMBERED: usize = 50;

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
    /// The configuration of the system that this program activated last; `None` before the first
    /// activation, or if the source is unknown.
    #[serde(rename = "pin")]
    pub configuration: Option<Configuration>,
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
    /// The unit files and etc entries that apply overrides without a new toplevel, in addition to
    /// `current`.
    #[serde(default, skip_serializing_if = "RuntimeFiles::is_empty")]
    pub runtime: RuntimeFiles,
    /// The verification of `runtime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Whether an external switch has ended partial changes. The overrides are then not in force, even
    /// if the running toplevel is `current`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overrides_ended: bool,
    /// The options with which a verification in the background evaluates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify_options: Vec<String>,
    /// The toplevels that verifications have compared with runtime files, by the generation of
    /// overrides. Only the latest are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub verified: BTreeMap<u64, String>,
    /// The runtime files that an external switch removed. Their units may still run with them.
    #[serde(default, skip_serializing_if = "RuntimeFiles::is_empty")]
    pub replaced: RuntimeFiles,
    /// The time at which an activation script removed these files, in microseconds of the monotonic
    /// clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_at: Option<u64>,
    /// A transaction that has begun but not ended.
    pub pending: Option<Pending>,
}

/// The system without any runtime module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The store path of the system. For a specialisation, this is the store path of the
    /// specialisation itself.
    pub toplevel: String,
}

/// A transaction that has begun but not ended. The record contains everything that another process
/// needs to end the transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The configuration of `to`.
    #[serde(default, rename = "pin")]
    pub configuration: Option<Configuration>,
    /// Modules that are enabled in `to`.
    #[serde(default)]
    pub wanted: Vec<String>,
    /// The option overrides in `to`.
    #[serde(default, skip_serializing_if = "OverrideState::is_empty")]
    pub overrides: OverrideState,
    /// The new generation of option overrides, if the transaction makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The unit files and etc entries that apply overrides in addition to `to`.
    #[serde(default, skip_serializing_if = "RuntimeFiles::is_empty")]
    pub runtime: RuntimeFiles,
    /// Whether the transaction changes only these files, and runs no switch program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The verification of `runtime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The units that a partial change stops, restarts or reloads. They were active before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub affected: BTreeSet<String>,
    /// The options with which a verification in the background evaluates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify_options: Vec<String>,
    /// The URL of the store that contains the old and the new system; absent for the machine's own
    /// store.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The rollback failed too. The machine may be only partly switched.
    Stranded,
}

impl Step {
    /// Describes the progress of a transaction that was interrupted in this step.
    pub fn words(self) -> &'static str {
        match self {
            Self::Checking => "nothing had been changed yet",
            Self::Switching => "the switch program was running",
            Self::Verifying => "the new system had not been verified yet",
            Self::Confirming => "the change had not been confirmed yet",
            Self::Returning => "the rollback was running",
            Self::Stranded => "neither the switch nor the rollback had succeeded",
        }
    }
}

/// The effect of an ended transaction on the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateEffect {
    /// The new system is active.
    Done,
    /// The new system is not active: the previous system is, or one that an external switch
    /// activated.
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
    pub(crate) fn read(locations: &Locations) -> Result<Self> {
        let way_out = |file: &Path, then: &str| format!("move {} aside; {then}", file.display());
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
        let lost = "no module is then requested";
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
            "move {} aside; the persistent option overrides are then lost",
            file.display()
        );
        let kept: Option<KeptOverrides> = read_json(&file, &way_out)?;
        Ok(kept.map(|kept| kept.definitions).unwrap_or_default())
    }

    /// Replaces the state file. Only the activator may call this, while it holds the lock.
    pub fn write(&self, locations: &Locations) -> Result<()> {
        write_json(&locations.state(), self, Point::WriteState)
    }

    /// Returns whether the running system must come from an external switch, because it is not one
    /// of the systems that this state records.
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
    pub fn unfinished_transaction(&self, running: Option<&str>) -> Option<&Pending> {
        self.pending.as_ref().filter(|_| !self.foreign(running))
    }

    /// Returns the toplevel without any runtime module: the recorded base, or the system that an
    /// external switch activated.
    pub fn base_of(&self, running: Option<&str>) -> Option<String> {
        // During a transaction, use the base of the system that was running before the transaction.
        let system = match self.unfinished_transaction(running) {
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

    /// Adds the current verification to the list of verified generations.
    pub fn remember_verified(&mut self) {
        let Some(Verification {
            generation,
            result: VerificationResult::Same { toplevel },
            ..
        }) = &self.verification
        else {
            return;
        };
        self.verified.insert(*generation, toplevel.clone());
        while self.verified.len() > REMEMBERED {
            self.verified.pop_first();
        }
    }

    /// Ends the transaction.
    pub fn end(&mut self, effect: StateEffect) {
        self.revision += 1;
        match (effect, self.pending.take()) {
            (StateEffect::Done, Some(pending)) => {
                self.current = Some(pending.to);
                self.wanted.clone_from(&pending.wanted);
                self.active = pending.wanted;
                self.overrides = pending.overrides;
                self.runtime = pending.runtime;
                self.verification = pending.verification;
                self.verify_options = pending.verify_options;
                self.overrides_ended = false;
                self.remember_verified();
                self.configuration = pending.configuration;
                if let Some(toplevel) = pending.base {
                    self.base = Some(Base { toplevel });
                }
            }
            (StateEffect::Stranded, Some(mut pending)) => {
                pending.step = Step::Stranded;
                self.pending = Some(pending);
            }
            (StateEffect::AsBefore, _) | (_, None) => {}
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

/// Returns whether the kernel parameter `runtime-modules.overrides=0` is set, which makes this boot
/// ignore the overrides of earlier boots.
fn overrides_are_left_out(locations: &Locations) -> bool {
    let parameters = std::fs::read_to_string(locations.kernel_parameters()).unwrap_or_default();
    parameters
        .split_whitespace()
        .any(|word| word == "runtime-modules.overrides=0")
}

#[cfg(test)]
mod tests;
