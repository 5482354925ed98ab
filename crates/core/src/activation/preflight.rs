//! Finds objections to a switch before anything changes, by comparing the new system with the
//! running system and the booted one.
//!
//! The client runs these checks before the build, on the results of the evaluation. The activator
//! runs them again on the built system. The checks do not change anything.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::findings::Findings;
use crate::choice::Allow;
use crate::error::{Failed, Message as _, PreflightError};
use crate::host::{Machine, Profile};
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

/// Warns about parts of the new system that take effect only after a reboot.
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

/// Refuses a toplevel that was deleted, with the hint `if_gone`. Also refuses a toplevel that lacks
/// a file that every NixOS system has.
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
