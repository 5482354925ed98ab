//! Shows the effect of a partial change in advance: the differences of its files, and the units
//! that would restart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;
use similar::TextDiff;

use super::System;
use super::unit_lines::unit_lines;
use crate::activation::{UnitChanges, unit_changes_of_files};
use crate::host::Situation;
use crate::partial::{RuntimeFiles, ToplevelFiles, unit_path};
use crate::session::Session;

/// The maximum size of a file whose lines are compared, in bytes.
const COMPARED: u64 = 1 << 20;

/// The number of unchanged lines around each difference.
const CONTEXT: usize = 3;

/// The predicted effect of a partial change.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The files that differ from those in force.
    pub differences: Vec<FileDifference>,
    /// The units that would be restarted or reloaded.
    #[schemars(with = "serde_json::Value")]
    pub units: UnitChanges,
}

/// The difference between two versions of a file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FileDifference {
    /// The name of the unit, or the path of the etc entry.
    pub name: String,
    /// The difference as a unified diff. Empty if the content is not known before the build, or is
    /// not text.
    pub difference: String,
}

impl Preview {
    /// Compares the files in force with those of a system.
    pub fn of(session: &Session, situation: &Situation, system: &System) -> Result<Self> {
        let toplevel = system.store.real_path(&system.toplevel)?;
        let (old, new) = (&situation.state.runtime, &system.runtime);
        let running = ToplevelFiles::of(&toplevel);
        let mut files = unit_differences(&running, old, new);
        let on_disk = |path: &str| text(&system.store.real_path(path).ok()?);
        let entries = entry_differences(&running, old, new, on_disk, &system.texts);
        files.extend(entries);
        Ok(Self {
            differences: files,
            units: unit_changes_of_files(&session.locations, &toplevel, old, new),
        })
    }

    /// Formats the preview as human-readable text.
    pub fn human(&self) -> String {
        let files = self
            .differences
            .iter()
            .map(|file| match file.difference.as_str() {
                "" => format!("would change: {}\n", file.name),
                difference => difference.to_string(),
            });
        files.collect::<String>() + &unit_lines(&self.units)
    }
}

fn unit_differences(
    running: &ToplevelFiles,
    old: &RuntimeFiles,
    new: &RuntimeFiles,
) -> Vec<FileDifference> {
    let names = old.units.keys().chain(new.units.keys());
    let names: BTreeSet<&String> = names.collect();
    let of_toplevel = |name: &str| running.written(name).unwrap_or_default();
    let differences = names.into_iter().filter_map(|name| {
        let before = old.units.get(name).cloned();
        let before = before.unwrap_or_else(|| of_toplevel(name));
        let after = new.units.get(name).cloned();
        let after = after.unwrap_or_else(|| of_toplevel(name));
        (before != after).then(|| {
            let shown = unit_path(name, after.drop_in);
            FileDifference {
                difference: unified(&shown, &before.text, &after.text),
                name: name.clone(),
            }
        })
    });
    differences.collect()
}

fn entry_differences(
    running: &ToplevelFiles,
    old: &RuntimeFiles,
    new: &RuntimeFiles,
    read: impl Fn(&str) -> Option<String>,
    texts: &BTreeMap<String, String>,
) -> Vec<FileDifference> {
    let names = old.etc.keys().chain(new.etc.keys());
    let names: BTreeSet<&String> = names.collect();
    let target = |files: &RuntimeFiles, name: &String| {
        let own = files.etc.get(name).cloned();
        own.or_else(|| running.entry(name))
    };
    let differences = names.into_iter().filter_map(|name| {
        let (before, after) = (target(old, name), target(new, name));
        if before == after {
            return None;
        }
        let shown = format!("/etc/{name}");
        let new_text = texts.get(name).cloned();
        let new_text = new_text.or_else(|| read(after.as_deref()?));
        let both = before.as_deref().and_then(&read).zip(new_text);
        Some(FileDifference {
            difference: both.map_or_else(String::new, |(before, after)| {
                unified(&shown, &before, &after)
            }),
            name: shown,
        })
    });
    differences.collect()
}

/// Reads a text file. Returns `None` if the file does not exist, is too large or is not text.
fn text(place: &Path) -> Option<String> {
    let size = fs::metadata(place).ok()?.len();
    (size <= COMPARED)
        .then(|| fs::read_to_string(place).ok())
        .flatten()
}

fn unified(name: &str, before: &str, after: &str) -> String {
    let difference = TextDiff::from_lines(before, after);
    let mut unified = difference.unified_diff();
    unified.context_radius(CONTEXT).header(name, name);
    unified.to_string()
}
