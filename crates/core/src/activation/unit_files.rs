//! The unit files of a system, with their drop-ins and dependencies. Only reads files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::partial::{LINK_FOLDERS, RuntimeFiles};

/// The keys of the section `Unit` whose changes are ignored, as in nixpkgs' switch program
/// (`compare_units`). Only the removal of `X-Reload-Triggers` is ignored: a new value triggers a
/// reload.
const IGNORED: [&str; 13] = [
    "X-Reload-Triggers",
    "Description",
    "Documentation",
    "OnFailure",
    "OnSuccess",
    "OnFailureJobMode",
    "IgnoreOnIsolate",
    "StopWhenUnneeded",
    "RefuseManualStart",
    "RefuseManualStop",
    "AllowIsolate",
    "CollectMode",
    "SourcePath",
];

/// The keys and values of a unit and its drop-ins, by section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit(BTreeMap<(String, String), Vec<String>>);

/// The difference between two versions of a unit.
pub(super) enum UnitDifference {
    /// No relevant difference.
    None,
    /// Only the keys that trigger a reload differ.
    Triggers,
    /// Other keys differ.
    Content,
}

impl Unit {
    fn add(&mut self, text: &str) {
        let mut section = String::new();
        // A backslash at the end of a line continues the line.
        for line in text.replace("\\\n", " ").lines().map(str::trim) {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                section = name.to_string();
            } else if let Some((key, value)) = line.split_once('=')
                && !line.starts_with(['#', ';'])
                && section != "Install"
            {
                let values = self
                    .0
                    .entry((section.clone(), key.trim().to_string()))
                    .or_default();
                match value.trim() {
                    "" => values.clear(),
                    value => values.push(value.to_string()),
                }
            }
        }
    }

    fn values(&self, section: &str, key: &str) -> &[String] {
        let values = self.0.get(&(section.to_string(), key.to_string()));
        values.map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns whether a key of a section is true, or `otherwise` if the key is not set.
    pub(super) fn is(&self, section: &str, key: &str, otherwise: bool) -> bool {
        let last = self.values(section, key).last();
        last.map_or(otherwise, |value| {
            matches!(value.as_str(), "1" | "yes" | "true" | "on")
        })
    }

    /// Returns the words in the value of a key.
    pub(super) fn words(&self, section: &str, key: &str) -> impl Iterator<Item = &str> {
        let values = self.values(section, key).iter();
        values.flat_map(|value| value.split_whitespace())
    }

    /// Returns the units that this unit's file wants or requires.
    fn wants(&self) -> impl Iterator<Item = &str> {
        let keys = ["Wants", "Requires", "BindsTo", "Upholds"];
        keys.into_iter().flat_map(|key| self.words("Unit", key))
    }

    /// Compares the unit with its new version.
    pub(super) fn change(&self, after: &Self) -> UnitDifference {
        let keys: BTreeSet<_> = self.0.keys().chain(after.0.keys()).collect();
        let mut difference = UnitDifference::None;
        for place in keys {
            let (old, new) = (self.0.get(place), after.0.get(place));
            if old == new {
                continue;
            }
            match (place.0.as_str(), place.1.as_str()) {
                ("Unit", "X-Reload-Triggers") if new.is_some() => {
                    difference = UnitDifference::Triggers;
                }
                ("Mount", "Options") if old.is_some() && new.is_some() => {
                    difference = UnitDifference::Triggers;
                }
                ("Unit", key) if IGNORED.contains(&key) => {}
                _ => return UnitDifference::Content,
            }
        }
        difference
    }
}

/// The units in a folder, and their dependencies.
#[derive(Clone, Default)]
pub(super) struct Folder {
    /// Unit files, by name.
    files: BTreeMap<String, String>,
    /// The drop-ins of each unit with their names, in the order in which they apply.
    parts: BTreeMap<String, BTreeMap<String, String>>,
    wants: BTreeMap<String, BTreeSet<String>>,
}

/// The target of a normal boot, unless the kernel command line names a different target.
pub(super) const DEFAULT: &str = "default.target";

impl Folder {
    pub(super) fn read(folder: &Path) -> Self {
        let mut found = Self::default();
        for name in entries(folder) {
            let path = folder.join(&name);
            if let Some(unit) = name.strip_suffix(".d") {
                let parts = entries(&path).into_iter();
                let parts = parts.filter(|part| part.ends_with(".conf"));
                let texts = parts.filter_map(|part| {
                    let text = fs::read_to_string(path.join(&part)).ok()?;
                    Some((part, text))
                });
                found.parts.insert(unit.to_string(), texts.collect());
            } else if let Some(unit) = LINK_FOLDERS.iter().find_map(|kind| name.strip_suffix(kind))
            {
                found.want(unit, entries(&path));
            } else if path.is_file()
                && let Ok(text) = fs::read_to_string(&path)
            {
                // A masked unit is a link to /dev/null, which is not a regular file, so masked
                // units are skipped.
                found.files.insert(name.clone(), text);
            }
            // Treat an alias, such as the default target, as a unit that wants the linked target.
            if let Some(real) = alias(&path).filter(|real| *real != name) {
                found.want(&name, [real]);
            }
        }
        found
    }

    /// Replaces units of the folder by runtime files.
    pub(super) fn replace(&mut self, files: &RuntimeFiles) {
        for (name, unit) in &files.units {
            let text = unit.text.clone();
            match unit.drop_in {
                true => {
                    let parts = self.parts.entry(name.clone()).or_default();
                    parts.insert("overrides.conf".into(), text);
                }
                false => drop(self.files.insert(name.clone(), text)),
            }
        }
    }

    fn want(&mut self, unit: &str, others: impl IntoIterator<Item = String>) {
        let wants = self.wants.entry(unit.to_string()).or_default();
        wants.extend(others);
    }

    /// Returns whether a unit has its own file.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Returns the unit `name` with the file of `base`, which is the unit itself or its template.
    pub(super) fn unit(&self, base: &str, name: &str) -> Option<Unit> {
        let mut unit = Unit::default();
        unit.add(self.files.get(base)?);
        let own = Some(name).filter(|name| *name != base);
        let parts = [Some(base), own].into_iter().flatten();
        let parts = parts.filter_map(|name| self.parts.get(name));
        for text in parts.flat_map(BTreeMap::values) {
            unit.add(text);
        }
        Some(unit)
    }

    /// Returns a unit. An instance without its own file gets the file of its template.
    pub(super) fn get(&self, name: &str) -> Option<Unit> {
        let template = || self.unit(&template_of(name)?, name);
        self.unit(name, name).or_else(template)
    }

    /// Returns the units that differ between the two folders, or exist in only one of them.
    pub(super) fn differ(&self, other: &Self) -> BTreeSet<String> {
        let lists = [self, other].into_iter();
        let names = lists.flat_map(|folder| folder.files.keys().chain(folder.parts.keys()));
        let all = |folder: &Self, name: &str| {
            let mut unit = Unit::default();
            let texts = folder.files.get(name).into_iter();
            texts
                .chain(
                    folder
                        .parts
                        .get(name)
                        .into_iter()
                        .flat_map(BTreeMap::values),
                )
                .for_each(|text| unit.add(text));
            unit
        };
        names
            .filter(|name| self.has(name) != other.has(name) || all(self, name) != all(other, name))
            .cloned()
            .collect()
    }

    /// Returns the roots of the dependency graph: the default target or, if there is none, all
    /// units that want other units.
    pub(super) fn roots(&self) -> Box<dyn Iterator<Item = String> + '_> {
        match self.wants.contains_key(DEFAULT) || self.files.contains_key(DEFAULT) {
            true => Box::new(std::iter::once(DEFAULT.to_string())),
            false => Box::new(self.wants.keys().cloned()),
        }
    }

    /// Returns the inactive units that start together with `begun`, directly or through other
    /// units.
    pub(super) fn wanted(
        &self,
        begun: &BTreeSet<String>,
        up: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut wanted = BTreeSet::new();
        let mut left: Vec<String> = begun.iter().cloned().collect();
        while let Some(name) = left.pop() {
            for other in self.wants_of(&name) {
                let known = begun.contains(&other) || up.contains(&other);
                if !known && self.get(&other).is_some() && wanted.insert(other.clone()) {
                    left.push(other);
                }
            }
        }
        wanted
    }

    /// Returns the units that a unit wants, according to its file and to folders such as `.wants`.
    fn wants_of(&self, name: &str) -> Vec<String> {
        let template = template_of(name);
        let folders = [Some(name), template.as_deref()].into_iter().flatten();
        let folders = folders.filter_map(|name| self.wants.get(name)).flatten();
        let unit = self.get(name).unwrap_or_default();
        let files = unit.wants().map(String::from);
        folders.cloned().chain(files).collect()
    }
}

/// Returns the template of an instance.
pub(super) fn template_of(name: &str) -> Option<String> {
    let (template, rest) = name.split_once('@')?;
    let kind = rest.rsplit('.').next()?;
    Some(format!("{template}@.{kind}"))
}

/// Returns the name of the target unit that an alias links to.
fn alias(path: &Path) -> Option<String> {
    let real = fs::read_link(path).ok()?;
    let name = real.file_name()?.to_str()?;
    name.ends_with(".target").then(|| name.to_string())
}

/// Returns the names in a folder, sorted.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
