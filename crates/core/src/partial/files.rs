//! The unit files and etc entries that apply option overrides without a new toplevel.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Unit files in `/run/systemd/system.control` and links in `/etc` that replace those of the
/// running toplevel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeFiles {
    /// The units, by name. Each differs from the unit of the toplevel.
    pub units: BTreeMap<String, RuntimeUnit>,
    /// The store path to which each entry of `/etc` links, by the path of the entry below `/etc`.
    pub etc: BTreeMap<String, String>,
    /// The store paths that the units and entries need.
    pub store_paths: BTreeSet<String>,
}

/// A unit file that replaces a file of the running toplevel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeUnit {
    /// The content of the file.
    pub text: String,
    /// Whether the file is the drop-in `overrides.conf` instead of the whole unit. NixOS writes a
    /// drop-in for a unit whose file comes from a package.
    pub drop_in: bool,
}

impl RuntimeFiles {
    pub fn is_empty(&self) -> bool {
        self.units.is_empty() && self.etc.is_empty()
    }

    /// Returns the path of each unit file below the directory of runtime units, and its content.
    pub fn unit_paths(&self) -> impl Iterator<Item = (String, &str)> {
        let units = self.units.iter();
        units.map(|(name, unit)| (unit_path(name, unit.drop_in), unit.text.as_str()))
    }

    /// Returns the names of the units and entries for messages.
    pub fn words(&self) -> String {
        let entries = self.etc.keys().map(|name| format!("/etc/{name}"));
        let names: Vec<String> = self.units.keys().cloned().chain(entries).collect();
        names.join(", ")
    }

    /// Adds the units and entries of `other` that this value lacks.
    pub fn add_missing(&mut self, other: &Self) {
        for (name, unit) in &other.units {
            self.units
                .entry(name.clone())
                .or_insert_with(|| unit.clone());
        }
        for (name, path) in &other.etc {
            self.etc.entry(name.clone()).or_insert_with(|| path.clone());
        }
        self.store_paths.extend(other.store_paths.iter().cloned());
    }
}

/// Returns the path of a unit file or its drop-in below a directory of units.
pub fn unit_path(name: &str, drop_in: bool) -> String {
    match drop_in {
        true => format!("{name}.d/overrides.conf"),
        false => name.into(),
    }
}

/// Returns whether a path leads to a file below `/etc`.
pub fn is_below_etc(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_below_etc() {
        for name in ["motd", "nginx/nginx.conf", "a.b"] {
            assert!(is_below_etc(name), "{name}");
        }
        for name in [
            "",
            "a//b",
            "./motd",
            "/etc/motd",
            "../passwd",
            "a/../../b",
            ".",
        ] {
            assert!(!is_below_etc(name), "{name}");
        }
    }
}
