//! The keys of a guest: one with which its user logs in, and one with which the guest identifies
//! itself. Both exist only while the guest runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::error::{GuestError, not_written};
use crate::name::GuestName;
use crate::runtime_folder::RuntimeFolder;

/// The file with the user's private key.
pub const USER_KEY: &str = "id";

/// The file with the guest's private key.
pub const HOST_KEY: &str = "host_key";

/// The file that tells ssh the guest's public key.
pub const KNOWN_HOSTS: &str = "known_hosts";

/// The keys that the guest gets.
#[derive(Clone, Debug)]
pub struct GuestKeys {
    pub authorized_keys: Vec<u8>,
    pub host_key: Vec<u8>,
    pub host_key_public: Vec<u8>,
}

/// Makes both keys in the folder of the guest.
pub fn make(folder: &RuntimeFolder, name: &GuestName, ssh_keygen: &Path) -> Result<GuestKeys> {
    let start = |file: &str| {
        Command::new(ssh_keygen)
            .args(["-q", "-t", "ed25519", "-N", "", "-C"])
            .arg(format!("runtime-guest {name}"))
            .arg("-f")
            .arg(folder.file(file))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", ssh_keygen.display()))
    };
    for process in [start(USER_KEY)?, start(HOST_KEY)?] {
        let output = process
            .wait_with_output()
            .context("cannot wait for ssh-keygen")?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_string();
            if reason.contains("No space left on device") {
                return Err(not_written(folder.path(), &full_disk()));
            }
            return Err(GuestError::KeysNotMade { reason }.into());
        }
    }
    let keys = GuestKeys {
        authorized_keys: read(&public(&folder.file(USER_KEY)))?,
        host_key: read(&folder.file(HOST_KEY))?,
        host_key_public: read(&public(&folder.file(HOST_KEY)))?,
    };
    let known = [format!("{name} ").as_bytes(), &keys.host_key_public].concat();
    folder.write(KNOWN_HOSTS, &known)?;
    Ok(keys)
}

fn public(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    match bytes.is_empty() {
        // ssh-keygen does not notice that the disk is full.
        true => Err(not_written(path, &full_disk())),
        false => Ok(bytes),
    }
}

fn full_disk() -> std::io::Error {
    unix::errno::Errno::ENOSPC.into()
}
