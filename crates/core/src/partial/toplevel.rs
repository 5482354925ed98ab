//! Reads the units and etc entries of a toplevel on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{RuntimeUnit, unit_path};

/// The suffixes of folders whose links make one unit depend on another.
pub const LINK_FOLDERS: [&str; 3] = [".wants", ".requires", ".upholds"];

/// The etc folder and the unit folder of a toplevel.
#[derive(Clone, Debug)]
pub struct ToplevelFiles {
    etc: PathBuf,
    units: PathBuf,
}

/// A unit of a toplevel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToplevelUnit {
    /// The unit's drop-in `overrides.conf` if it exists, otherwise the unit file.
    Written(RuntimeUnit),
    /// The unit is masked: its file is a link to `/dev/null`.
    Masked,
    /// The toplevel has no readable file of the unit.
    Absent,
}

impl ToplevelFiles {
    /// Returns the files of the toplevel at this path on disk.
    pub fn of(toplevel: &Path) -> Self {
        let etc = toplevel.join("etc");
        Self {
            units: etc.join("systemd/system"),
            etc,
        }
    }

    pub fn unit(&self, name: &str) -> ToplevelUnit {
        let read = |drop_in| {
            let file = self.units.join(unit_path(name, drop_in));
            let text = fs::read_to_string(&file)
                .ok()
                .filter(|_| is_from_configuration(&file))?;
            Some(ToplevelUnit::Written(RuntimeUnit { text, drop_in }))
        };
        let masked = fs::canonicalize(self.units.join(name))
            .is_ok_and(|path| path == Path::new("/dev/null"));
        match masked {
            true => ToplevelUnit::Masked,
            // If there is a drop-in, NixOS writes only the drop-in, and the unit file comes from a
            // package.
            false => read(true)
                .or_else(|| read(false))
                .unwrap_or(ToplevelUnit::Absent),
        }
    }

    /// Reads a unit. Returns `None` if it is masked or absent.
    pub fn written(&self, name: &str) -> Option<RuntimeUnit> {
        match self.unit(name) {
            ToplevelUnit::Written(unit) => Some(unit),
            ToplevelUnit::Masked | ToplevelUnit::Absent => None,
        }
    }

    /// Returns the paths of the links to a unit below the unit folder: its aliases, and its links
    /// in folders such as `multi-user.target.wants`.
    pub fn links(&self, name: &str) -> BTreeSet<String> {
        let mut links = BTreeSet::new();
        for entry in fs::read_dir(&self.units).into_iter().flatten().flatten() {
            let Ok(other) = entry.file_name().into_string() else {
                continue;
            };
            if LINK_FOLDERS.iter().any(|kind| other.ends_with(kind)) {
                if entry.path().join(name).is_symlink() {
                    links.insert(format!("{other}/{name}"));
                }
            } else if other != name
                && fs::read_link(entry.path()).is_ok_and(|to| is_alias(&to, name))
            {
                links.insert(other);
            }
        }
        links
    }

    /// Returns the target of an etc entry. Returns `None` if there is no such entry, or if the
    /// entry is copied instead of linked.
    pub fn entry(&self, name: &str) -> Option<String> {
        let path = self.etc.join(name);
        let copied = self.etc.join(format!("{name}.mode")).exists();
        let target = fs::read_link(path).ok().filter(|_| !copied)?;
        Some(target.to_string_lossy().into_owned())
    }
}

/// Returns whether a unit file comes from the configuration instead of a package. NixOS writes each
/// unit into a store path with the name `unit-NAME` (nixpkgs, `nixos/lib/systemd-lib.nix`).
fn is_from_configuration(file: &Path) -> bool {
    let Ok(target) = fs::read_link(file) else {
        return true;
    };
    target.iter().any(|part| {
        let name = part.to_str().and_then(|part| part.split_once('-'));
        name.is_some_and(|(_, name)| name.starts_with("unit-"))
    })
}

/// Returns whether a link in the unit folder points to the unit `name` in the same folder.
fn is_alias(target: &Path, name: &str) -> bool {
    target == Path::new(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn toplevel() -> (tempfile::TempDir, ToplevelFiles) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let units = dir.path().join("etc/systemd/system");
        for folder in ["multi-user.target.wants", "b.service.d"] {
            fs::create_dir_all(units.join(folder)).expect("a folder");
        }
        fs::write(units.join("a.service"), "[Service]\n").expect("a file");
        fs::write(units.join("b.service"), "of a package\n").expect("a file");
        let package = dir.path().join("0123-systemd");
        fs::create_dir_all(&package).expect("a folder");
        fs::write(package.join("e.service"), "[Service]\n").expect("a file");
        symlink(package.join("e.service"), units.join("e.service")).expect("a link");
        fs::write(units.join("b.service.d/overrides.conf"), "[Unit]\n").expect("a file");
        symlink("/dev/null", units.join("c.service")).expect("a link");
        symlink(
            "../a.service",
            units.join("multi-user.target.wants/a.service"),
        )
        .expect("a link");
        symlink("a.service", units.join("alias.service")).expect("a link");
        symlink("/nix/store/x-motd", dir.path().join("etc/motd")).expect("a link");
        fs::write(dir.path().join("etc/copied.mode"), "0600").expect("a file");
        symlink("/nix/store/x-copied", dir.path().join("etc/copied")).expect("a link");
        let files = ToplevelFiles::of(dir.path());
        (dir, files)
    }

    #[test]
    fn units_are_whole_drop_ins_masked_or_absent() {
        let (_dir, files) = toplevel();
        let written = |text: &str, drop_in| {
            let text = text.into();
            ToplevelUnit::Written(RuntimeUnit { text, drop_in })
        };
        assert_eq!(files.unit("a.service"), written("[Service]\n", false));
        assert_eq!(files.unit("b.service"), written("[Unit]\n", true));
        assert_eq!(files.unit("c.service"), ToplevelUnit::Masked);
        assert_eq!(files.unit("d.service"), ToplevelUnit::Absent);
        // NixOS would add a drop-in to this unit, which comes from a package.
        assert_eq!(files.unit("e.service"), ToplevelUnit::Absent);
    }

    #[test]
    fn links_are_aliases_and_dependencies() {
        let (_dir, files) = toplevel();
        let links: Vec<String> = files.links("a.service").into_iter().collect();
        assert_eq!(
            links,
            ["alias.service", "multi-user.target.wants/a.service"]
        );
        assert!(files.links("b.service").is_empty());
    }

    #[test]
    fn copied_entries_have_no_target() {
        let (_dir, files) = toplevel();
        assert_eq!(files.entry("motd").as_deref(), Some("/nix/store/x-motd"));
        assert_eq!(files.entry("copied"), None);
        assert_eq!(files.entry("absent"), None);
    }
}
