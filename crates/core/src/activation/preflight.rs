//! Finds objections to a switch before anything changes, by comparing the new system with the
//! running system and the booted one.
//!
//! The client runs these checks before the build, on the results of the evaluation. The activator
//! runs them again on the built system. The checks do not change anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::choice::Allow;
use crate::error::{Failed, Message as _, PreflightError};
use crate::facts::Facts;
use crate::locations::Locations;
use crate::progress::bytes;

/// The files that a toplevel must contain before it can be activated.
const ESSENTIAL: [&str; 6] = [
    "activate",
    "bin/switch-to-configuration",
    "etc",
    "init-interface-version",
    "nixos-version",
    "sw",
];

/// The facts about a system that the checks compare. `None` means unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    host: Option<String>,
    /// The switch inhibitors, by name: values that must not change while the machine is running.
    inhibitors: Option<BTreeMap<String, String>>,
    /// The version of the interface between the units and init.
    init_interface: Option<String>,
    /// The parts that take effect only at boot, by human-readable name.
    boot: BTreeMap<&'static str, String>,
    /// The kernel modules that the system loads.
    kernel_modules: BTreeSet<String>,
    /// Whether the system has a switch program. If the system is built, [`whole`] checks this
    /// instead.
    switchable: Option<bool>,
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

/// An objection to a switch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objection {
    /// The `--allow` value that overrides the objection; `None` if it cannot be overridden.
    pub allow: Option<Allow>,
    pub refusal: Failed,
}

/// The result of the checks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Objections to the switch.
    pub objections: Vec<Objection>,
    /// Warnings about changes that take effect only after a reboot.
    pub warnings: Vec<String>,
}

impl Findings {
    /// Returns a warning for each objection that the user overrides. Fails with the first objection
    /// that the user does not override.
    pub fn pass(&self, allowed: &[Allow]) -> Result<Vec<String>, Failed> {
        let mut passed = Vec::new();
        for Objection { allow, refusal } in &self.objections {
            match allow {
                Some(name) if allowed.contains(name) => {
                    passed.push(format!(
                        "--allow {} overrides a refusal: {}",
                        name.name(),
                        refusal.message
                    ));
                }
                Some(name) => {
                    return Err(refusal
                        .clone()
                        .hint(format!("use --allow {} to do it anyway", name.name())));
                }
                None => return Err(refusal.clone()),
            }
        }
        Ok(passed)
    }

    /// Adds an objection that cannot be overridden, and makes it the first one.
    pub fn refuse(&mut self, refusal: Failed) {
        let objection = Objection {
            allow: None,
            refusal,
        };
        self.objections.insert(0, objection);
    }

    /// Adds an objection, with the `--allow` value that overrides it.
    pub fn object(&mut self, allow: Option<Allow>, refusal: impl Into<Failed>) {
        let refusal = refusal.into();
        self.objections.push(Objection { allow, refusal });
    }
}

/// The machine on which a system is to be activated.
pub struct Machine {
    pub running: Profile,
    /// The booted system; `None` if it is unknown.
    booted: Option<PathBuf>,
    name: Option<String>,
}

impl Machine {
    /// Reads the facts of the machine. `running` is the running system's path after following
    /// links.
    pub fn look(locations: &Locations, running: Option<&Path>) -> Self {
        let running = running.map(Profile::of).unwrap_or_default();
        let file = fs::read_to_string(locations.root().join("etc/hostname")).ok();
        let own = || {
            let name = unix::unistd::gethostname().ok()?;
            Some(name.to_string_lossy().into_owned())
        };
        let name = running
            .host
            .clone()
            .or_else(|| file.map(|text| text.trim().to_string()))
            .or_else(|| own().filter(|_| locations.is_real()));
        Self {
            name: name.filter(|name| !name.is_empty()),
            booted: fs::canonicalize(locations.booted_system()).ok(),
            running,
        }
    }
}

/// Compares the new system with the machine.
pub fn compare(purpose: &str, to: &Profile, machine: &Machine) -> Findings {
    let mut findings = Findings::default();
    if to.switchable == Some(false) {
        let purpose = purpose.into();
        findings.object(None, PreflightError::NotSwitchable { purpose });
    }
    wrong_host(purpose, to, machine, &mut findings);
    inhibited(purpose, to, &machine.running, &mut findings);
    if let (Some(new), Some(old)) = (&to.init_interface, &machine.running.init_interface)
        && new != old
    {
        let error = PreflightError::InitDiffers {
            purpose: purpose.into(),
            new: new.clone(),
            old: old.clone(),
        };
        findings.object(None, error);
    }
    if let Some(booted) = &machine.booted {
        at_boot(to, booted, &mut findings);
    }
    findings
}

fn wrong_host(purpose: &str, to: &Profile, machine: &Machine, findings: &mut Findings) {
    if let (Some(new), Some(here)) = (&to.host, &machine.name)
        && new != here
    {
        let error = PreflightError::WrongHost {
            purpose: purpose.into(),
            host: new.clone(),
            machine: here.clone(),
        };
        findings.object(Some(Allow::WrongHost), error);
    }
}

fn inhibited(purpose: &str, to: &Profile, running: &Profile, findings: &mut Findings) {
    let (Some(new), Some(old)) = (&to.inhibitors, &running.inhibitors) else {
        return;
    };
    // Like NixOS, ignore names that only one of the two systems has.
    let changed: Vec<_> = new
        .iter()
        .filter_map(|(name, value)| Some((name, old.get(name)?, value)))
        .filter(|(_, old, new)| old != new)
        .collect();
    if changed.is_empty() {
        return;
    }
    let names: Vec<&str> = changed.iter().map(|(name, ..)| name.as_str()).collect();
    let mut refusal = Failed::from(PreflightError::InhibitorsChanged {
        purpose: purpose.into(),
        names: names.join(", "),
    });
    for (name, old, new) in changed {
        refusal = refusal.detail(format!("{name}: '{old}' would become '{new}'"));
    }
    findings.object(Some(Allow::Inhibitors), refusal);
}

/// Warns about parts that take effect only after a reboot.
fn at_boot(to: &Profile, booted: &Path, findings: &mut Findings) {
    let before = Profile::of(booted);
    let differ: Vec<&str> = to
        .boot
        .iter()
        .filter(|(name, value)| before.boot.get(*name).is_some_and(|old| old != *value))
        .map(|(name, _)| *name)
        .collect();
    if !differ.is_empty() {
        findings.warnings.push(format!(
            "these parts take effect only after a reboot into the new system: {}",
            differ.join(", ")
        ));
    }
    let lacking = lacking(&to.kernel_modules, booted);
    if !lacking.is_empty() {
        findings.warnings.push(format!(
            "the running kernel lacks these modules: {}; services that need them work only after a reboot into the new system",
            lacking.join(", ")
        ));
    }
}

/// Returns the required kernel modules that the booted kernel lacks.
fn lacking(wanted: &BTreeSet<String>, booted: &Path) -> Vec<String> {
    let Ok(folders) = fs::read_dir(booted.join("kernel-modules/lib/modules")) else {
        return Vec::new();
    };
    let mut known = BTreeSet::new();
    let mut aliases = Vec::new();
    for folder in folders.flatten().map(|entry| entry.path()) {
        let lines = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        for line in (lines("modules.dep") + &lines("modules.builtin")).lines() {
            let file = line.split(':').next().unwrap_or_default();
            let name = file.rsplit('/').next().unwrap_or_default();
            known.insert(plain(name.split('.').next().unwrap_or_default()));
        }
        for line in lines("modules.alias").lines() {
            aliases.extend(line.split(' ').nth(1).map(plain));
        }
    }
    if known.is_empty() {
        return Vec::new();
    }
    let has = |name: &String| known.contains(&plain(name)) || aliases.contains(&plain(name));
    wanted.iter().filter(|name| !has(name)).cloned().collect()
}

/// Replaces `-` with `_`, because the kernel treats both as the same character in module names.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// Finds objections to a system in the store. Unlike a check of evaluation results, this check also
/// detects missing files.
pub fn examine(purpose: &str, toplevel: &Path, machine: &Machine) -> Findings {
    let mut findings = compare(purpose, &Profile::of(toplevel), machine);
    if let Err(refusal) = whole(purpose, toplevel, PLAN_AGAIN) {
        findings.refuse(refusal);
    }
    findings
}

/// The hint for a system that was deleted after the plan was made.
pub const PLAN_AGAIN: &str = "run the command again to make a new plan";

/// Refuses a toplevel that was deleted, with the hint `if_gone`. Also refuses one that lacks one of
/// the files that every NixOS system has.
pub fn whole(purpose: &str, toplevel: &Path, if_gone: &str) -> Result<(), Failed> {
    let (purpose, system) = (purpose.into(), toplevel.display().to_string());
    if !toplevel.exists() {
        return Err(PreflightError::Deleted { purpose, system }.hint(if_gone));
    }
    let missing: Vec<&str> = ESSENTIAL
        .into_iter()
        .filter(|name| !toplevel.join(name).exists())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let error = PreflightError::Incomplete {
        purpose,
        system,
        missing: missing.join(", no "),
    };
    Err(error.hint(hint_for_missing(&missing)))
}

fn hint_for_missing(files: &[&str]) -> &'static str {
    if files == ["bin/switch-to-configuration"] {
        "set system.switch.enable = true: \
         without a switch program the system cannot be changed while it runs"
    } else if files.contains(&"activate") && files.contains(&"bin/switch-to-configuration") {
        "check config.system.build.toplevel: \
         a NixOS system contains activate and bin/switch-to-configuration"
    } else {
        "run `nix-store --verify --check-contents --repair` to find and restore lost files"
    }
}

/// Adds an objection if the file system of `place` has less than `needed` bytes of free space.
pub fn space(purpose: &str, place: &Path, needed: u64, findings: &mut Findings) {
    let Ok(found) = unix::sys::statvfs::statvfs(place) else {
        return;
    };
    let free = found
        .blocks_available()
        .saturating_mul(found.fragment_size());
    if free >= needed {
        return;
    }
    let error = PreflightError::NotEnoughSpace {
        purpose: purpose.into(),
        folder: place.display().to_string(),
        needed: bytes(needed),
        free: bytes(free),
    };
    findings.object(Some(Allow::Space), error);
}
