//! Finds the programs that a guest needs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use unix::unistd::{AccessFlags, access};

use crate::error::GuestError;

pub const QEMU: (&str, &str) = ("qemu-system-x86_64", "QEMU (qemu-system-x86 on Debian)");
pub const VIRTIOFSD: (&str, &str) = ("virtiofsd", "virtiofsd (qemu-system-common on Debian 12)");
pub const SSH: (&str, &str) = ("ssh", "OpenSSH (openssh-client on Debian)");
pub const SSH_KEYGEN: (&str, &str) = ("ssh-keygen", "OpenSSH (openssh-client on Debian)");
pub const SYSTEMD_RUN: (&str, &str) = ("systemd-run", "systemd");

/// Folders outside PATH in which distributions install virtiofsd.
const FOLDERS: [&str; 3] = ["/usr/libexec", "/usr/lib", "/usr/lib/qemu"];

/// The search path for programs.
#[derive(Clone, Debug)]
pub struct SearchPath(Vec<PathBuf>);

impl SearchPath {
    /// Takes the value of PATH.
    pub fn new(path: Option<&OsStr>) -> Self {
        Self(path.map_or_else(Vec::new, |path| std::env::split_paths(path).collect()))
    }

    /// Returns the path of a program.
    pub fn find(&self, (program, package): (&str, &str)) -> Result<PathBuf, GuestError> {
        let folders = self.0.iter().map(PathBuf::as_path);
        let found = folders
            .chain(FOLDERS.map(Path::new))
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(program))
            .find(|path| path.is_file() && access(path, AccessFlags::X_OK).is_ok());
        found.ok_or_else(|| GuestError::ProgramMissing {
            program: program.into(),
            package: package.into(),
        })
    }
}
