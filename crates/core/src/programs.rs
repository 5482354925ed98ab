//! Finds the two programs. Each program looks for the other only relative to itself, so that no
//! other executable can be substituted.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::error::{Failed, ProgramError};

/// The name of the program that users run. It contains the elevated roles and does not link libnix.
const LIGHT: &str = "runtime-module";

/// The name of the program that evaluates and builds.
const FULL: &str = "runtime-module-nix";

/// The version of this program. Both programs must have the same version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns the path of the program that users run.
pub fn light() -> Result<PathBuf> {
    let own = own()?;
    Ok(match own.ends_with(FULL) {
        true => installed_program(&own, "bin", LIGHT),
        false => own,
    })
}

/// Returns the path of the program that evaluates and builds.
pub fn full() -> Result<PathBuf> {
    let own = own()?;
    Ok(match own.ends_with(FULL) {
        true => own,
        false => installed_program(&own, "libexec", FULL),
    })
}

fn own() -> Result<PathBuf> {
    std::env::current_exe().context("cannot find our own executable")
}

/// Returns `../FOLDER/NAME` relative to the folder of `own`, which is the location in an installed
/// package. If this file does not exist, returns `NAME` in the folder of `own`, which is the
/// location in cargo's build directory.
fn installed_program(own: &Path, folder: &str, name: &str) -> PathBuf {
    let here = own.parent().unwrap_or(Path::new("/"));
    let installed = here.parent().map(|up| up.join(folder).join(name));
    let installed = installed.filter(|path| path.exists());
    installed.unwrap_or_else(|| here.join(name))
}

/// The prefix of the version in `argv[0]` if one program started the other.
const CALLED_BY: &str = "runtime-module ";

/// Returns the `argv[0]` with which to start the other program. This name contains our version, so
/// the arguments and the environment need not contain it.
pub fn caller() -> String {
    format!("{CALLED_BY}{VERSION}")
}

/// Fails if the other program started this one and their versions differ. Succeeds if a user
/// started this program directly.
pub fn check_caller() -> Result<(), Failed> {
    let name = std::env::args_os().next().unwrap_or_default();
    check_version(&name.to_string_lossy())
}

fn check_version(name: &str) -> Result<(), Failed> {
    match name.strip_prefix(CALLED_BY) {
        Some(version) if version != VERSION => Err(ProgramError::OtherVersion {
            light: version.into(),
            full: VERSION.into(),
        }
        .into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_find_each_other() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let at = |path: &str| dir.path().join(path);
        for folder in ["bin", "libexec"] {
            std::fs::create_dir(at(folder)).expect("a folder");
        }
        let own = at("bin/runtime-module");
        assert_eq!(
            installed_program(&own, "libexec", FULL),
            at("bin/runtime-module-nix")
        );
        std::fs::write(at("libexec/runtime-module-nix"), "").expect("written");
        assert_eq!(
            installed_program(&own, "libexec", FULL),
            at("libexec/runtime-module-nix")
        );
    }

    #[test]
    fn another_version_is_refused() {
        check_version(&caller()).expect("our own version");
        check_version("/run/current-system/sw/bin/runtime-module-nix").expect("by hand");
        let failed = check_version("runtime-module 9.9.9").expect_err("another version");
        assert!(failed.message.contains("9.9.9"), "{failed}");
    }
}
