//! Compares a whole toplevel with the running toplevel and its runtime files.
//!
//! The specialisations and `boot.json`, which describes the system to boot loaders, are not
//! compared, because they have no effect on the running system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::decide::needs_whole;
use super::effects::Effect;
use super::files::RuntimeFiles;
use super::toplevel::LINK_FOLDERS;

/// Files of a toplevel that have no effect until a reboot or another switch.
const NOT_RUNNING: [&str; 2] = ["boot.json", "specialisation"];

/// The path of the unit folder below the etc folder.
const UNITS: &str = "systemd/system";

/// A toplevel: its store path, and its location on disk.
#[derive(Clone, Debug)]
struct Toplevel {
    path: String,
    place: PathBuf,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// All differences between the toplevels, even those that the runtime files contain.
    pub effect: Effect,
    /// The differences between the new toplevel and the running toplevel with its runtime files,
    /// for messages. If there are none, activating the new toplevel would not change the running
    /// system.
    pub differences: Vec<String>,
}

/// Compares the running toplevel and its runtime files with a new toplevel. Both are store paths;
/// `place` returns the location of a store path on disk.
pub fn compare_in_store<E>(
    place: impl Fn(&str) -> Result<PathBuf, E>,
    running: &str,
    files: &RuntimeFiles,
    new: &str,
) -> Result<Comparison, E> {
    let toplevel = |path: &str| {
        place(path).map(|place| Toplevel {
            path: path.into(),
            place,
        })
    };
    Ok(compare(&toplevel(running)?, files, &toplevel(new)?))
}

fn compare(running: &Toplevel, files: &RuntimeFiles, new: &Toplevel) -> Comparison {
    let mut comparison = Comparison::default();
    comparison.toplevels(running, new);
    comparison.units(running, files, new);
    comparison.entries(running, files, new);
    comparison
}

impl Comparison {
    fn differ(&mut self, what: impl Into<String>) {
        self.differences.push(what.into());
    }

    /// Compares everything but `/etc`.
    fn toplevels(&mut self, running: &Toplevel, new: &Toplevel) {
        let (old, new) = (contents(running), contents(new));
        for name in differing(&old, &new) {
            self.effect.whole = true;
            self.differ(name);
        }
    }

    fn units(&mut self, running: &Toplevel, files: &RuntimeFiles, new: &Toplevel) {
        let folder = |toplevel: &Toplevel| units(&toplevel.place.join("etc").join(UNITS));
        let (old, new) = (folder(running), folder(new));
        for path in differing(&old, &new) {
            match unit_of(&path).filter(|_| old.contains_key(&path) && new.contains_key(&path)) {
                Some(name) => drop(self.effect.parts.units.insert(name)),
                None => self.effect.whole = true,
            }
        }
        let mut expected = old;
        for (path, text) in files.unit_paths() {
            expected.insert(path, text.to_string());
        }
        for path in differing(&expected, &new) {
            self.differ(path);
        }
    }

    fn entries(&mut self, running: &Toplevel, files: &RuntimeFiles, new: &Toplevel) {
        let (old, new) = (entries(running), entries(new));
        for name in differing(&old, &new) {
            let is_link = |side: &BTreeMap<String, String>| {
                side.get(&name).is_some_and(|value| value.starts_with(LINK))
            };
            if is_link(&old) && is_link(&new) && !needs_whole(&name) {
                self.effect.parts.etc.insert(name);
            } else {
                self.effect.whole = true;
            }
        }
        let mut expected = old;
        for (name, target) in &files.etc {
            expected.insert(name.clone(), format!("{LINK}{target}"));
        }
        for name in differing(&expected, &new) {
            self.differ(format!("/etc/{name}"));
        }
    }
}

/// Marks the value of an entry that is a link.
const LINK: &str = "link ";

/// Returns the keys whose values differ, or that only one side has.
fn differing(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> BTreeSet<String> {
    let keys = old.keys().chain(new.keys());
    let differ = keys.filter(|key| old.get(*key) != new.get(*key));
    differ.cloned().collect()
}

/// Returns the unit whose file or drop-in has this path below the unit folder. Returns `None` for
/// all other paths, such as a link in a `.wants` folder.
fn unit_of(path: &str) -> Option<String> {
    match path.split_once('/') {
        None => Some(path.into()),
        Some((folder, "overrides.conf")) => folder.strip_suffix(".d").map(String::from),
        Some(_) => None,
    }
}

/// Reads the files of a toplevel that affect the running system, except `/etc`. Replaces the store
/// paths of the toplevel and of its etc folder in these files, because they always differ.
fn contents(toplevel: &Toplevel) -> BTreeMap<String, String> {
    let etc = fs::read_link(toplevel.place.join("etc")).unwrap_or_default();
    let etc = etc.to_string_lossy().into_owned();
    let neutral = |text: String| {
        let text = text.replace(&toplevel.path, "TOPLEVEL");
        match etc.is_empty() {
            true => text,
            false => text.replace(&etc, "ETC"),
        }
    };
    let mut all = BTreeMap::new();
    read_tree(&toplevel.place, "", &mut |name, path| {
        let first = name.split('/').next().unwrap_or_default();
        if first != "etc" && !NOT_RUNNING.contains(&first) {
            all.insert(name.to_string(), neutral(content(path)));
        }
    });
    all
}

/// Reads the units in a folder. The value of a link in a folder such as `.wants` is empty, because
/// the unit file that it points to is read separately.
fn units(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    read_tree(folder, "", &mut |name, path| {
        let parent = name.split_once('/').map(|(parent, _)| parent);
        let is_link = parent.is_some_and(|one| LINK_FOLDERS.iter().any(|kind| one.ends_with(kind)));
        let value = match is_link {
            true => String::new(),
            // A relative link points to another unit in the folder, so it is an alias.
            false => match fs::read_link(path)
                .ok()
                .filter(|target| target.is_relative())
            {
                Some(alias) => alias.to_string_lossy().into_owned(),
                None => fs::read_to_string(path).unwrap_or_else(|_| content(path)),
            },
        };
        all.insert(name.to_string(), value);
    });
    all
}

/// Reads the entries of the etc folder, except the units.
fn entries(toplevel: &Toplevel) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    read_tree(&toplevel.place.join("etc"), "", &mut |name, path| {
        if name != UNITS && !name.starts_with(&format!("{UNITS}/")) {
            all.insert(name.to_string(), content(path));
        }
    });
    // An entry with a mode file is copied to `/etc` instead of linked.
    let modes: Vec<String> = all
        .keys()
        .filter_map(|name| name.strip_suffix(".mode"))
        .map(String::from)
        .collect();
    for name in modes {
        if let Some(value) = all.get_mut(&name) {
            *value = format!("copy of {value}");
        }
    }
    all
}

/// Returns the target of a link or the content of a file.
fn content(path: &Path) -> String {
    match fs::read_link(path) {
        Ok(target) => format!("{LINK}{}", target.to_string_lossy()),
        Err(_) => fs::read(path).map_or_else(
            |error| format!("unreadable: {error}"),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        ),
    }
}

/// Visits all files and links below a folder. The folder itself may be a link.
fn read_tree(folder: &Path, below: &str, visit: &mut impl FnMut(&str, &Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => read_tree(&entry.path(), &format!("{name}/"), visit),
            _ => visit(&name, &entry.path()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::RuntimeUnit;
    use super::*;

    /// A toplevel with a unit, a drop-in, etc entries and a script that names the toplevel.
    struct Built {
        dir: tempfile::TempDir,
        path: String,
    }

    impl Built {
        fn new(path: &str) -> Self {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let built = Self {
                dir,
                path: path.into(),
            };
            built.write("activate", &format!("systemConfig={path}\n"));
            built.write("etc/systemd/system/a.service", "a");
            built.write("etc/systemd/system/b.service", "of a package");
            built.write("etc/systemd/system/b.service.d/overrides.conf", "b");
            built.write("etc/systemd/system/multi-user.target.wants/a.service", path);
            built.link("etc/motd", "/nix/store/motd");
            built.link("sw", "/nix/store/sw");
            built.write("specialisation/x", path);
            built
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }

        fn link(&self, name: &str, target: &str) {
            let path = self.dir.path().join(name);
            let _ = fs::remove_file(&path);
            symlink(target, path).expect("a link");
        }

        fn toplevel(&self) -> Toplevel {
            Toplevel {
                path: self.path.clone(),
                place: self.dir.path().into(),
            }
        }
    }

    fn compared(files: &RuntimeFiles, change: impl Fn(&Built)) -> Comparison {
        let (old, new) = (Built::new("/nix/store/old"), Built::new("/nix/store/new"));
        change(&new);
        compare(&old.toplevel(), files, &new.toplevel())
    }

    fn unit_file(name: &str, text: &str, drop_in: bool) -> RuntimeFiles {
        let text = text.into();
        RuntimeFiles {
            units: [(name.to_string(), RuntimeUnit { text, drop_in })].into(),
            ..RuntimeFiles::default()
        }
    }

    #[test]
    fn own_store_path_makes_no_difference() {
        assert_eq!(
            compared(&RuntimeFiles::default(), |_| {}),
            Comparison::default()
        );
    }

    #[test]
    fn applied_unit_makes_no_difference() {
        let change = |new: &Built| new.write("etc/systemd/system/a.service", "a2");
        let missed = compared(&RuntimeFiles::default(), change);
        assert_eq!(missed.differences, ["a.service"]);
        assert_eq!(missed.effect.parts.units, ["a.service".to_string()].into());
        assert!(!missed.effect.whole);

        let applied = compared(&unit_file("a.service", "a2", false), change);
        assert!(applied.differences.is_empty(), "{applied:?}");
        let wrong = compared(&unit_file("a.service", "a3", false), change);
        assert_eq!(wrong.differences, ["a.service"]);
    }

    #[test]
    fn applied_drop_in_makes_no_difference() {
        let change = |new: &Built| new.write("etc/systemd/system/b.service.d/overrides.conf", "b2");
        let applied = compared(&unit_file("b.service", "b2", true), change);
        assert!(applied.differences.is_empty(), "{applied:?}");
        assert_eq!(applied.effect.parts.units, ["b.service".to_string()].into());
    }

    #[test]
    fn file_that_should_not_have_changed_is_a_difference() {
        let applied = compared(&unit_file("a.service", "a2", false), |_| {});
        assert_eq!(applied.differences, ["a.service"]);
        assert_eq!(applied.effect, Effect::default());
    }

    #[test]
    fn entries_are_compared_by_their_target() {
        let change = |new: &Built| new.link("etc/motd", "/nix/store/motd2");
        let mut files = RuntimeFiles::default();
        assert_eq!(compared(&files, change).differences, ["/etc/motd"]);
        files.etc.insert("motd".into(), "/nix/store/motd2".into());
        let applied = compared(&files, change);
        assert!(applied.differences.is_empty(), "{applied:?}");
        assert_eq!(applied.effect.parts.etc, ["motd".to_string()].into());
    }

    #[test]
    fn everything_else_needs_the_whole_toplevel() {
        type Change = fn(&Built);
        let changes: [(&str, Change); 6] = [
            ("sw", |new| new.link("sw", "/nix/store/sw2")),
            ("activate", |new| new.write("activate", "more")),
            ("c.service", |new| {
                new.write("etc/systemd/system/c.service", "c")
            }),
            ("x.target.wants/a.service", |new| {
                new.write("etc/systemd/system/x.target.wants/a.service", "");
            }),
            ("/etc/sudoers", |new| {
                new.link("etc/sudoers", "/nix/store/sudoers")
            }),
            ("/etc/new", |new| new.link("etc/new", "/nix/store/new")),
        ];
        for (difference, change) in changes {
            let found = compared(&RuntimeFiles::default(), change);
            assert_eq!(found.differences, [difference]);
            assert!(found.effect.whole, "{difference}");
        }
    }
}
