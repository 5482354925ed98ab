//! Reads the boot.json of a system: nixpkgs' bootspec (NixOS RFC 125), with the extension that
//! `nixos/guests/boot-json.nix` adds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::GuestError;

/// The name of the file in a system.
const NAME: &str = "boot.json";

/// The only platform whose machine `qemu.rs` describes.
const PLATFORM: &str = "x86_64-linux";

/// The parts of boot.json that a guest needs.
#[derive(Clone, Debug)]
pub struct BootJson {
    pub label: String,
    pub init: String,
    pub initrd: Option<String>,
    /// The kernel of the system. Imageless systems have none.
    pub kernel: Option<String>,
    pub kernel_params: Vec<String>,
    /// The virtiofs tags that the guest mounts, with their mount points.
    pub virtiofs: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "org.nixos.bootspec.v1")]
    bootspec: Bootspec,
    #[serde(rename = "runtime-module.guest.v1")]
    guest: Option<Guest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bootspec {
    system: String,
    #[serde(default)]
    label: String,
    init: String,
    initrd: Option<String>,
    kernel: Option<String>,
    #[serde(default)]
    kernel_params: Vec<String>,
}

#[derive(Deserialize)]
struct Guest {
    virtiofs: BTreeMap<String, String>,
}

impl BootJson {
    /// Reads the boot.json of a system. `system` is the folder on disk.
    pub fn read(system: &Path) -> Result<Self, GuestError> {
        let path = system.join(NAME);
        let shown = system.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                GuestError::NoBootJson {
                    system: shown.clone(),
                }
            }
            _ => GuestError::BadBootJson {
                path: path.display().to_string(),
                reason: error.to_string(),
            },
        })?;
        let document = serde_json::from_str(&text).map_err(|error| GuestError::BadBootJson {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        Self::of(document, shown)
    }

    fn of(document: Document, system: String) -> Result<Self, GuestError> {
        let Document { bootspec, guest } = document;
        if bootspec.system != PLATFORM {
            let platform = bootspec.system;
            return Err(GuestError::OtherPlatform { system, platform });
        }
        let Some(Guest { virtiofs }) = guest else {
            return Err(GuestError::NotImageless { system });
        };
        Ok(Self {
            label: bootspec.label,
            init: bootspec.init,
            initrd: bootspec.initrd,
            kernel: bootspec.kernel,
            kernel_params: bootspec.kernel_params,
            virtiofs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BootJson, GuestError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(NAME), text).expect("written");
        BootJson::read(folder.path())
    }

    #[test]
    fn document_of_the_backend_is_read() {
        let boot = read(
            r#"{
              "org.nixos.bootspec.v1": {
                "system": "x86_64-linux", "label": "NixOS", "toplevel": "/nix/store/x",
                "init": "/nix/store/x/init", "initrd": "/nix/store/i/initrd", "kernelParams": ["loglevel=4"]
              },
              "org.nixos.specialisation.v1": {},
              "runtime-module.guest.v1": { "root": "tmpfs", "virtiofs": { "store": "/nix/store" } }
            }"#,
        )
        .expect("valid");
        assert_eq!(boot.init, "/nix/store/x/init");
        assert_eq!(boot.kernel, None);
        assert_eq!(boot.virtiofs["store"], "/nix/store");
    }

    #[test]
    fn other_documents_are_refused() {
        let other = r#"{"org.nixos.bootspec.v1": {"system": "x86_64-linux", "init": "/i"}}"#;
        assert!(matches!(read(other), Err(GuestError::NotImageless { .. })));
        let other = r#"{"org.nixos.bootspec.v1": {"system": "riscv64-linux", "init": "/i"}}"#;
        assert!(matches!(read(other), Err(GuestError::OtherPlatform { .. })));
        for text in ["", "{}", "[]", "null", r#"{"org.nixos.bootspec.v1": 1}"#] {
            assert!(
                matches!(read(text), Err(GuestError::BadBootJson { .. })),
                "{text}"
            );
        }
        let empty = tempfile::tempdir().expect("a folder");
        let missing = BootJson::read(empty.path());
        assert!(matches!(missing, Err(GuestError::NoBootJson { .. })));
    }
}
