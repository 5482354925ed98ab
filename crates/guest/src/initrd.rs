//! The initrd of a guest: the system's own, followed by an archive with the keys of the guest.
//!
//! The kernel unpacks all archives of an initrd (Linux, `init/initramfs.c`), so the keys need no
//! driver and are not visible on a command line. `nixos/guests/keys.nix` copies them to /run.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::error::not_written;
use crate::keys::GuestKeys;
use crate::runtime_folder::RuntimeFolder;

/// The name of the combined initrd.
const NAME: &str = "initrd";

/// The folder of the archive.
const FOLDER: &str = "runtime-guest";

const DIRECTORY: u32 = 0o040_755;
const PUBLIC: u32 = 0o100_644;
const PRIVATE: u32 = 0o100_600;

/// Writes the combined initrd into the folder of the guest.
pub fn combine(folder: &RuntimeFolder, initrd: Option<&Path>, keys: &GuestKeys) -> Result<PathBuf> {
    let mut bytes = Vec::new();
    if let Some(initrd) = initrd {
        File::open(initrd)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .with_context(|| format!("cannot read {}", initrd.display()))?;
    }
    // An archive must begin at a multiple of four bytes.
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(archive(keys));
    let path = folder.file(NAME);
    let mut file = folder.create_log(NAME)?;
    file.write_all(&bytes)
        .map_err(|error| not_written(&path, &error))?;
    Ok(path)
}

fn archive(keys: &GuestKeys) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.entry(FOLDER, DIRECTORY, &[]);
    for (name, mode, content) in [
        ("authorized_keys", PUBLIC, &keys.authorized_keys),
        ("ssh_host_ed25519_key", PRIVATE, &keys.host_key),
        ("ssh_host_ed25519_key.pub", PUBLIC, &keys.host_key_public),
    ] {
        archive.entry(&format!("{FOLDER}/{name}"), mode, content);
    }
    archive.entry("TRAILER!!!", 0, &[]);
    archive.bytes
}

/// An archive in the format `newc` (Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`).
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.inode += 1;
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let fields = [
            self.inode,
            mode,
            0,
            0,
            1,
            0,
            length(content.len()),
            0,
            0,
            0,
            0,
            length(name.len() + 1),
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
    }

    fn align(&mut self) {
        let length = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_follows_the_initrd_of_the_system() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = RuntimeFolder::open(dir.path());
        let initrd = dir.path().join("original");
        std::fs::write(&initrd, b"12345").expect("written");
        let keys = GuestKeys {
            authorized_keys: b"ssh-ed25519 A\n".to_vec(),
            host_key: b"secret\n".to_vec(),
            host_key_public: b"ssh-ed25519 B\n".to_vec(),
        };
        let combined = combine(&folder, Some(&initrd), &keys).expect("combined");
        let bytes = std::fs::read(combined).expect("read");
        assert!(bytes.starts_with(b"12345\0\0\x00070701"));
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("runtime-guest/ssh_host_ed25519_key\0"));
        assert!(text.contains("secret"));
    }
}
