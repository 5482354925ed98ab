//! Reads the units and etc entries of a toplevel on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{RuntimeUnit, unit_path};

/// The folders of links that systemd reads for a unit.
const LINK_FOLDERS: [&str; 3] = [".wants", ".requires", ".upholds"];

/// The etc folder and the unit folder of a toplevel.
#[derive(Clone, Debug)]
pub struct ToplevelFiles {
    etc: PathBuf,
    units: PathBuf,
}

/// A unit of a toplevel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToplevelUnit {
    /// NixOS writes this file.
    Written(RuntimeUnit),
    /// The unit is masked: its file is a link to `/dev/null`.
    Masked,
    /// The toplevel does not have the unit, or NixOS does not write its file.
    Absent,
}

impl ToplevelFiles {
    /// Describes the files of the toplevel at this path on disk.
    pub fn of(toplevel: &Path) -> Self {
        let etc = toplevel.join("etc");
        Self {
            units: etc.join("systemd/system"),
            etc,
        }
    }

    /// Reads a unit.
    pub fn unit(&self, name: &str) -> ToplevelUnit {
        let read = |drop_in| {
            let text = fs::read_to_string(self.units.join(unit_path(name, drop_in))).ok()?;
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

    /// Reads a unit whose file NixOS writes.
    pub fn written(&self, name: &str) -> Option<RuntimeUnit> {
        match self.unit(name) {
            ToplevelUnit::Written(unit) => Some(unit),
            ToplevelUnit::Masked | ToplevelUnit::Absent => None,
        }
    }

    /// Returns the paths of the links to a unit below the folder of all units: its aliases, and its
    /// links in folders such as `multi-user.target.wants`.
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

/// Returns whether a link in the folder of units points to the unit `name` in the same folder.
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
