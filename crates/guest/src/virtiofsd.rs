//! The command line of virtiofsd. There are two programs with this name: the one in Rust, and the
//! older one in C, which was part of QEMU before version 8.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use serde::{Deserialize, Serialize};

use crate::plan::Share;

/// The implementation of virtiofsd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Virtiofsd {
    Rust,
    C,
}

/// The number of open files that suffices for large source trees and a nixpkgs.
const ENOUGH_FILES: u64 = 200_000;

impl Virtiofsd {
    /// Returns a note if virtiofsd cannot keep many files open.
    pub fn note(self, is_root: bool, limit: Option<u64>) -> Option<String> {
        let limit = limit.filter(|limit| *limit < ENOUGH_FILES)?;
        // With file handles, virtiofsd does not keep files open.
        let advice = match (self, is_root) {
            (Self::Rust, true) => return None,
            (Self::C, true) => "install the newer virtiofsd, which has no such limit for root",
            (_, false) => {
                "raise the hard limit of open files, such as with LimitNOFILE= or in limits.conf"
            }
        };
        Some(format!(
            "a guest that reads more than {limit} files of a share can fail with `Too many open files`; {advice}"
        ))
    }

    /// Finds out which implementation a program is.
    pub fn of(program: &Path) -> Result<Self> {
        let output = Command::new(program)
            .arg("--help")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let help = String::from_utf8_lossy(&output.stdout);
        Ok(match help.contains("--shared-dir") {
            true => Self::Rust,
            false => Self::C,
        })
    }

    /// Returns the arguments for a share. virtiofsd gets the listening socket as its stdin.
    pub fn arguments(self, share: &Share, is_root: bool) -> Vec<OsString> {
        // The store and the modules do not change, except that paths are added.
        let cache = if share.read_only { "always" } else { "auto" };
        let mut all: Vec<OsString> = Vec::new();
        let mut add = |text: String| all.push(text.into());
        add("--fd=0".into());
        // The role `__child` has already raised the limit.
        add("--rlimit-nofile=0".into());
        match self {
            Self::Rust => {
                add(format!("--cache={cache}"));
                add("--xattr".into());
                if is_root {
                    add("--sandbox=chroot".into());
                    // With file handles, virtiofsd does not keep files open.
                    add("--inode-file-handles=prefer".into());
                    add("--modcaps=+dac_read_search".into());
                } else {
                    add("--sandbox=none".into());
                }
                let mut shared = OsString::from("--shared-dir=");
                shared.push(&share.folder);
                all.push(shared);
            }
            Self::C => {
                add("-f".into());
                for option in [
                    format!("cache={cache}"),
                    "xattr".into(),
                    "sandbox=chroot".into(),
                ] {
                    add("-o".into());
                    add(option);
                }
                let mut source = OsString::from("source=");
                source.push(&share.folder);
                all.extend(["-o".into(), source]);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_limit_of_open_files_is_noted() {
        let note = |kind: Virtiofsd, is_root| kind.note(is_root, Some(20_000));
        assert_eq!(note(Virtiofsd::Rust, true), None);
        for note in [note(Virtiofsd::C, true), note(Virtiofsd::Rust, false)] {
            assert!(note.expect("a note").contains("more than 20000 files"));
        }
        assert_eq!(Virtiofsd::C.note(false, Some(1 << 20)), None);
    }

    #[test]
    fn both_programs_get_the_folder_and_the_cache_mode() {
        let share = Share {
            tag: "store".into(),
            folder: "/nix/store".into(),
            read_only: true,
        };
        let text = |kind: Virtiofsd, is_root| {
            let words = kind.arguments(&share, is_root);
            words
                .join(&OsString::from(" "))
                .into_string()
                .expect("text")
        };
        let rust = text(Virtiofsd::Rust, false);
        assert!(rust.contains("--cache=always"), "{rust}");
        assert!(
            rust.ends_with("--sandbox=none --shared-dir=/nix/store"),
            "{rust}"
        );
        let c = text(Virtiofsd::C, true);
        assert!(c.contains("-o cache=always"), "{c}");
        assert!(c.ends_with("-o source=/nix/store"), "{c}");
    }
}
