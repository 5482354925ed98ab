//! Reads the guests that the NixOS option `guests.machines` declares (`nixos/guests/machines.nix`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::command::{GuestOptions, RunOptions, SystemChoice};
use crate::error::GuestError;
use crate::milestones::Milestone;
use crate::name::GuestName;

/// The version of the file that this program reads.
const SCHEMA: u64 = 1;

#[derive(Deserialize)]
struct Document {
    schema: u64,
    machines: BTreeMap<String, Machine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    system: String,
    kernel: Option<PathBuf>,
    modules: Option<PathBuf>,
    #[serde(default)]
    shares: BTreeMap<String, PathBuf>,
    memory: u64,
    cpus: u32,
    ssh_port: Option<u16>,
    #[serde(default)]
    kernel_params: Vec<String>,
}

/// Reads the declared guests, in the order of their names. `defaults` are the options that a
/// declaration cannot set.
pub fn read(
    path: &Path,
    defaults: &GuestOptions,
) -> Result<Vec<(GuestName, RunOptions)>, GuestError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => GuestError::NothingDeclared {
            path: shown.clone(),
        },
        _ => GuestError::BadDeclaration {
            path: shown.clone(),
            reason: error.to_string(),
        },
    })?;
    let document: Document =
        serde_json::from_str(&text).map_err(|error| GuestError::BadDeclaration {
            path: shown.clone(),
            reason: error.to_string(),
        })?;
    if document.schema != SCHEMA {
        let reason = format!(
            "its schema is {}, and this program reads {SCHEMA}",
            document.schema
        );
        return Err(GuestError::BadDeclaration {
            path: shown,
            reason,
        });
    }
    let machines = document.machines.into_iter();
    machines
        .map(|(name, machine)| Ok((GuestName::new(&name)?, options(&name, machine, defaults))))
        .collect()
}

fn options(name: &str, machine: Machine, defaults: &GuestOptions) -> RunOptions {
    RunOptions {
        system: SystemChoice::Named(machine.system),
        modules: Vec::new(),
        name: Some(name.into()),
        guest: GuestOptions {
            kernel: machine.kernel,
            modules: machine.modules,
            shares: machine.shares.into_iter().collect(),
            memory: machine.memory,
            cpus: machine.cpus,
            ssh: machine.ssh_port,
            append: machine.kernel_params,
            ..defaults.clone()
        },
        wait_for: Milestone::MultiUser,
        timeout: None,
        systemd: true,
        declared: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_guests_are_read() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"{"schema": 1, "machines": {"vm1": {"system": "/nix/store/x", "kernel": "/k",
            "modules": null, "shares": {"src": "/src"}, "memory": 512, "cpus": 1, "sshPort": 2201,
            "kernelParams": ["quiet"]}}}"#;
        std::fs::write(file.path(), text).expect("written");
        let machines = read(file.path(), &GuestOptions::default()).expect("valid");
        let [(name, options)] = machines.as_slice() else {
            panic!("{machines:?}")
        };
        assert_eq!(name.as_str(), "vm1");
        assert_eq!(options.guest.ssh, Some(2201));
        assert_eq!(
            options.guest.shares,
            [("src".into(), PathBuf::from("/src"))]
        );
        for other in [
            text.replace("1, \"machines", "2, \"machines"),
            text.replace("vm1", "a b"),
            "[]".into(),
        ] {
            std::fs::write(file.path(), other).expect("written");
            read(file.path(), &GuestOptions::default()).expect_err("refused");
        }
        read(Path::new("/nonexistent"), &GuestOptions::default()).expect_err("missing");
    }
}
