//! The facts about a system that the checks before a switch compare, from the store or from the
//! results of an evaluation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::Facts;

/// The facts about a system that the checks compare. A field is `None` if the fact is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The host name.
    pub host: Option<String>,
    /// The switch inhibitors, by name: values that must not change while the machine is running.
    pub inhibitors: Option<BTreeMap<String, String>>,
    /// The version of the interface between the system and init.
    pub init_interface: Option<String>,
    /// The parts of the system that take effect only at boot, by human-readable name.
    pub boot: BTreeMap<&'static str, String>,
    /// The kernel modules that the system loads.
    pub kernel_modules: BTreeSet<String>,
    /// Whether the system will have a switch program. `None` for a built system, because the
    /// preflight checks its files instead.
    pub switchable: Option<bool>,
}

impl Profile {
    /// Reads the facts of a system in the store.
    pub fn of(toplevel: &Path) -> Self {
        let text = |name: &str| {
            let text = fs::read_to_string(toplevel.join(name)).ok()?;
            Some(text.trim().to_string()).filter(|text| !text.is_empty())
        };
        let link = |name: &str| fs::read_link(toplevel.join(name)).ok();
        let folder = |path: PathBuf| path.parent().map(Path::to_path_buf);
        let firmware = |path: PathBuf| path.ancestors().nth(2).map(Path::to_path_buf);
        let boot = [
            ("kernel", link("kernel").and_then(folder)),
            ("kernel modules", link("kernel-modules")),
            ("initrd", link("initrd").and_then(folder)),
            ("firmware", link("firmware").and_then(firmware)),
        ];
        let mut boot: BTreeMap<&'static str, String> = boot
            .into_iter()
            .filter_map(|(name, path)| Some((name, path?.to_string_lossy().into_owned())))
            .collect();
        let parameters = fs::read_to_string(toplevel.join("kernel-params")).ok();
        boot.extend(parameters.map(|text| ("kernel parameters", text.trim().to_string())));
        Self {
            host: text("etc/hostname"),
            inhibitors: text("switch-inhibitors").map(|text| inhibitors(&text)),
            init_interface: text("init-interface-version"),
            boot,
            kernel_modules: text("etc/modules-load.d/nixos.conf")
                .map(|text| module_names(&text))
                .unwrap_or_default(),
            switchable: None,
        }
    }

    /// Reads the facts of a system that was evaluated and may not be built yet.
    pub fn expected(facts: &Facts) -> Self {
        let boot = [
            ("kernel", facts.kernel.clone()),
            ("kernel modules", facts.modules_tree.clone()),
            ("initrd", facts.initrd.clone()),
            ("firmware", facts.firmware.clone()),
            (
                "kernel parameters",
                facts.kernel_params.as_ref().map(|words| words.join(" ")),
            ),
        ];
        let inhibitors = facts.switch_inhibitors.as_ref();
        Self {
            host: facts.host_name.clone().filter(|name| !name.is_empty()),
            inhibitors: inhibitors.map(inhibitors_of),
            init_interface: None,
            boot: boot
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            kernel_modules: facts.kernel_modules.iter().flatten().cloned().collect(),
            switchable: facts.switchable,
        }
    }
}

/// Parses the file `switch-inhibitors`: a JSON object of names and values or, in older releases,
/// one value per line.
fn inhibitors(text: &str) -> BTreeMap<String, String> {
    match serde_json::from_str(text) {
        Ok(value) => inhibitors_of(&value),
        Err(_) => BTreeMap::from([("the list of inhibitors".to_string(), text.to_string())]),
    }
}

fn inhibitors_of(value: &serde_json::Value) -> BTreeMap<String, String> {
    match value {
        serde_json::Value::Object(values) => values
            .iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), String::from),
                )
            })
            .collect(),
        serde_json::Value::Array(values) if values.is_empty() => BTreeMap::new(),
        other => BTreeMap::from([("the list of inhibitors".to_string(), other.to_string())]),
    }
}

fn module_names(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(String::from)
        .collect()
}
