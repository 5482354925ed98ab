//! What a switch will do to units, from the unit files of both systems: what NixOS's switch program decides, as far as
//! files tell. Reads; asks nobody and changes nothing.
//!
//! Facts: nixpkgs' `switch-to-configuration`, 24.05 and later: a unit that is gone is stopped, one that changed is stopped
//! and started, or restarted, reloaded or left alone where it says so, and one that is wanted and not up is started.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::systemd;
use crate::locations::Locations;

/// Keys of the section Unit whose change is none.
const IGNORED: [&str; 15] = [
    "X-Reload-Triggers",
    "Description",
    "Documentation",
    "OnFailure",
    "OnSuccess",
    "OnFailureJobMode",
    "IgnoreOnIsolate",
    "StopWhenUnneeded",
    "RefuseManualStart",
    "RefuseManualStop",
    "AllowIsolate",
    "CollectMode",
    "SourcePath",
    "X-StopOnRemoval",
    "X-OnlyManualStart",
];

/// What will be done to units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitChanges {
    /// Stopped.
    pub stop: Vec<String>,
    /// Stopped and started, or restarted.
    pub restart: Vec<String>,
    /// Told to reload.
    pub reload: Vec<String>,
    /// Started.
    pub start: Vec<String>,
    /// Changed, and left as they are until somebody restarts them.
    pub left: Vec<String>,
    /// Units of users that came, went or changed.
    pub user: Vec<String>,
}

/// What will be done to units when `to` takes the place of `from`; both are real paths.
pub fn unit_changes(from: Option<&Path>, to: &Path, locations: &Locations) -> UnitChanges {
    let up = systemd::runs(locations)
        .then(|| systemd::units("active,activating,reloading"))
        .flatten();
    let system = "etc/systemd/system";
    let old = from.map(|from| from.join(system));
    let mut changes = compare(old.as_deref(), &to.join(system), up);
    let user = "etc/systemd/user";
    let old = from
        .map(|from| Folder::read(&from.join(user)))
        .unwrap_or_default();
    let new = Folder::read(&to.join(user));
    let names: BTreeSet<&String> = old.units.keys().chain(new.units.keys()).collect();
    let differ = |name: &&&String| old.units.get(**name) != new.units.get(**name);
    changes.user = names
        .iter()
        .filter(differ)
        .map(ToString::to_string)
        .collect();
    changes
}

fn compare(old: Option<&Path>, new: &Path, up: Option<Vec<String>>) -> UnitChanges {
    let old = old.map(Folder::read).unwrap_or_default();
    let new = Folder::read(new);
    let (up, roots): (BTreeSet<String>, BTreeSet<String>) = match up {
        Some(up) => {
            let up: BTreeSet<String> = up.into_iter().collect();
            (up.clone(), up)
        }
        // Where nobody says what is up, it is what is wanted.
        None => {
            let roots: BTreeSet<String> = old.roots().chain(new.roots()).collect();
            (old.wanted(&roots), roots)
        }
    };
    let mut changes = UnitChanges::default();
    for name in &up {
        let Some(before) = old.get(name) else {
            continue;
        };
        match new.get(name) {
            None if before.is("X-StopOnRemoval", true) => changes.stop.push(name.clone()),
            None => {}
            Some(after) => modified(name, before, after, &mut changes),
        }
    }
    let start = new.wanted(&roots);
    changes.start = start.difference(&up).cloned().collect();
    changes
}

fn modified(name: &str, before: &Unit, after: &Unit, changes: &mut UnitChanges) {
    let quiet = [".target", ".slice", ".path", ".socket"];
    if quiet.iter().any(|kind| name.ends_with(kind)) {
        return;
    }
    let list = match before.change(after) {
        Difference::None => return,
        Difference::Triggers => &mut changes.reload,
        Difference::Content if name == "-.mount" || name == "nix.mount" => &mut changes.reload,
        Difference::Content if after.is("X-ReloadIfChanged", false) => &mut changes.reload,
        Difference::Content
            if !after.is("X-RestartIfChanged", true) || after.is("RefuseManualStop", false) =>
        {
            &mut changes.left
        }
        Difference::Content => &mut changes.restart,
    };
    list.push(name.to_string());
}

/// Keys and values of a unit, its drop-ins' among them, by section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unit(BTreeMap<(String, String), Vec<String>>);

enum Difference {
    None,
    /// Nothing but what asks for a reload.
    Triggers,
    Content,
}

impl Unit {
    fn add(&mut self, text: &str) {
        let mut section = String::new();
        // A line that ends with a backslash goes on.
        for line in text.replace("\\\n", " ").lines().map(str::trim) {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                section = name.to_string();
            } else if let Some((key, value)) = line.split_once('=')
                && !line.starts_with(['#', ';'])
                && section != "Install"
            {
                let values = self
                    .0
                    .entry((section.clone(), key.trim().to_string()))
                    .or_default();
                match value.trim() {
                    "" => values.clear(),
                    value => values.push(value.to_string()),
                }
            }
        }
    }

    fn is(&self, key: &str, otherwise: bool) -> bool {
        let found = self
            .0
            .iter()
            .find(|((section, name), _)| section == "Unit" && name == key);
        let last = found.and_then(|(_, values)| values.last());
        last.map_or(otherwise, |value| {
            matches!(value.as_str(), "1" | "yes" | "true" | "on")
        })
    }

    /// Units that its file wants.
    fn wants(&self) -> impl Iterator<Item = &str> {
        let lists = self.0.iter().filter(|((section, key), _)| {
            section == "Unit"
                && matches!(key.as_str(), "Wants" | "Requires" | "BindsTo" | "Upholds")
        });
        lists.flat_map(|(_, values)| values.iter().flat_map(|value| value.split_whitespace()))
    }

    fn change(&self, after: &Self) -> Difference {
        let keys: BTreeSet<_> = self.0.keys().chain(after.0.keys()).collect();
        let mut difference = Difference::None;
        for (section, key) in keys
            .into_iter()
            .filter(|key| self.0.get(*key) != after.0.get(*key))
        {
            let place = (section.as_str(), key.as_str());
            match place {
                ("Unit", "X-Reload-Triggers") | ("Mount", "Options") => {
                    difference = Difference::Triggers;
                }
                ("Unit", key) if IGNORED.contains(&key) => {}
                _ => return Difference::Content,
            }
        }
        difference
    }
}

/// The units of a folder, and whom each one wants.
#[derive(Default)]
struct Folder {
    units: BTreeMap<String, Unit>,
    wants: BTreeMap<String, BTreeSet<String>>,
}

/// The target that everything is up for, unless the kernel's command line says otherwise.
const DEFAULT: &str = "default.target";

impl Folder {
    fn read(folder: &Path) -> Self {
        let mut found = Self::default();
        let mut names = entries(folder);
        names.sort();
        for name in &names {
            let path = folder.join(name);
            if let Some(unit) = name.strip_suffix(".d") {
                let mut parts = entries(&path);
                parts.sort();
                for part in parts.iter().filter(|part| part.ends_with(".conf")) {
                    found.add(unit, &path.join(part));
                }
            } else if let Some(unit) = [".wants", ".requires"]
                .iter()
                .find_map(|kind| name.strip_suffix(kind))
            {
                found.want(unit, entries(&path));
            } else if path.is_file() {
                found.add(name, &path);
            }
            // An alias, as the default target is.
            if let Some(real) = alias(&path).filter(|real| real != name) {
                found.want(name, [real]);
            }
        }
        found
    }

    fn want(&mut self, unit: &str, others: impl IntoIterator<Item = String>) {
        let wants = self.wants.entry(unit.to_string()).or_default();
        wants.extend(others);
    }

    /// Where all that is wanted begins: at the default target, or where there is none with whoever wants something.
    fn roots(&self) -> Box<dyn Iterator<Item = String> + '_> {
        match self.wants.contains_key(DEFAULT) || self.units.contains_key(DEFAULT) {
            true => Box::new(std::iter::once(DEFAULT.to_string())),
            false => Box::new(self.wants.keys().cloned()),
        }
    }

    /// What is up or will be where these are, but for themselves: what they want, and what that wants. A unit that is started
    /// by hand alone is wanted in vain.
    fn wanted(&self, roots: &BTreeSet<String>) -> BTreeSet<String> {
        let mut wanted = BTreeSet::new();
        let mut left: Vec<&str> = roots.iter().map(String::as_str).collect();
        while let Some(name) = left.pop() {
            for other in self.wants_of(name, roots) {
                let starts = self
                    .get(other)
                    .is_some_and(|unit| !unit.is("X-OnlyManualStart", false));
                if starts && !roots.contains(other) && wanted.insert(other.to_string()) {
                    left.push(other);
                }
            }
        }
        wanted
    }

    /// Whom a unit wants: by its folders, and by its file, where it is a target, which a switch starts again, or will be
    /// started itself.
    fn wants_of<'a>(&'a self, name: &str, roots: &BTreeSet<String>) -> Vec<&'a str> {
        let template = template_of(name);
        let folders = [Some(name), template.as_deref()].into_iter().flatten();
        let folders = folders.filter_map(|name| self.wants.get(name)).flatten();
        let started = name.ends_with(".target") || !roots.contains(name);
        let file = self.get(name).filter(|_| started);
        let file = file.into_iter().flat_map(Unit::wants);
        folders.map(String::as_str).chain(file).collect()
    }

    fn add(&mut self, unit: &str, file: &Path) {
        // A masked unit is a link to /dev/null, which is no file.
        if let Ok(text) = fs::read_to_string(file) {
            self.units.entry(unit.to_string()).or_default().add(&text);
        }
    }

    /// A unit; that of the template, for an instance.
    fn get(&self, name: &str) -> Option<&Unit> {
        let template = || self.units.get(&template_of(name)?);
        self.units.get(name).or_else(template)
    }
}

/// The template of an instance.
fn template_of(name: &str) -> Option<String> {
    let (template, rest) = name.split_once('@')?;
    let kind = rest.rsplit('.').next()?;
    Some(format!("{template}@.{kind}"))
}

/// The target that another name stands for: where a link leads, beside it or in a folder of its own.
fn alias(path: &Path) -> Option<String> {
    let real = fs::read_link(path).ok()?;
    let name = real.file_name()?.to_str()?;
    name.ends_with(".target").then(|| name.to_string())
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(units: &[(&str, &str)], wanted: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in units {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        for name in wanted {
            let (by, name) = name
                .split_once('/')
                .unwrap_or(("multi-user.target.wants", name));
            fs::create_dir_all(dir.path().join(by)).expect("made");
            fs::write(dir.path().join(by).join(name), "").expect("written");
        }
        dir
    }

    /// What is started when this folder takes the place of an empty one.
    fn started(new: &tempfile::TempDir, up: Option<&[&str]>) -> Vec<String> {
        let up = up.map(|up| up.iter().map(ToString::to_string).collect());
        compare(None, new.path(), up).start
    }

    #[test]
    fn what_is_not_up_has_nothing_started() {
        let service = "[Service]\nExecStart=a\n";
        let new = folder(
            &[
                ("multi-user.target", "[Unit]\nRequires=basic.target\n"),
                ("basic.target", ""),
                ("suspend.target", ""),
                ("new.target", "[Unit]\nWants=by-file.service gone.service\n"),
                ("new.service", service),
                ("basic.service", service),
                ("by-new.service", service),
                ("by-file.service", service),
                ("by-instance.service", service),
                ("shell@.service", service),
                ("by-hand.service", "[Unit]\nX-OnlyManualStart=true\n"),
                ("by-by-hand.service", service),
                ("before-sleep.service", service),
                ("rescue.service", service),
            ],
            &[
                "new.service",
                "new.target",
                "by-hand.service",
                "basic.target.wants/basic.service",
                "new.target.requires/by-new.service",
                "by-hand.service.wants/by-by-hand.service",
                "shell@.service.wants/by-instance.service",
                "suspend.target.requires/before-sleep.service",
                "rescue.target.wants/rescue.service",
            ],
        );
        let all = [
            "basic.service",
            "by-file.service",
            "by-instance.service",
            "by-new.service",
            "new.service",
            "new.target",
        ];
        let up = ["basic.target", "multi-user.target", "shell@one.service"];
        assert_eq!(started(&new, Some(&up)), all);
        assert_eq!(
            started(&new, Some(&["suspend.target"])),
            ["before-sleep.service"]
        );
        assert_eq!(started(&new, Some(&[])), [""; 0]);
        // Nobody says what is up: it is what the default target wants.
        std::os::unix::fs::symlink("multi-user.target", new.path().join(DEFAULT)).expect("linked");
        let mut wanted = all.to_vec();
        wanted.retain(|name| *name != "by-instance.service");
        wanted.insert(0, "basic.target");
        let mut found = started(&new, None);
        found.retain(|name| name != "multi-user.target");
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }

    #[test]
    fn each_unit_is_treated_as_its_file_says() {
        let old = folder(
            &[
                ("gone.service", "[Service]\nExecStart=a\n"),
                (
                    "same.service",
                    "[Unit]\nDescription=one\n[Service]\nExecStart=a\n",
                ),
                ("changed.service", "[Service]\nExecStart=a\n"),
                (
                    "reloads.service",
                    "[Unit]\nX-ReloadIfChanged=true\n[Service]\nExecStart=a\n",
                ),
                (
                    "left.service",
                    "[Unit]\nX-RestartIfChanged=false\n[Service]\nExecStart=a\n",
                ),
                ("shell@.service", "[Service]\nExecStart=a\n"),
                ("down.service", "[Service]\nExecStart=a\n"),
            ],
            &[],
        );
        let new = folder(
            &[
                (
                    "same.service",
                    "[Unit]\nDescription=two\n[Service]\nExecStart=a\n",
                ),
                ("changed.service", "[Service]\nExecStart=a\n"),
                (
                    "changed.service.d/overrides.conf",
                    "[Service]\nExecStart=\nExecStart=b\n",
                ),
                (
                    "reloads.service",
                    "[Unit]\nX-ReloadIfChanged=true\n[Service]\nExecStart=b\n",
                ),
                (
                    "left.service",
                    "[Unit]\nX-RestartIfChanged=false\n[Service]\nExecStart=b\n",
                ),
                ("shell@.service", "[Service]\nExecStart=b\n"),
                ("new.service", "[Service]\nExecStart=a\n"),
                ("down.service", "[Service]\nExecStart=b\n"),
            ],
            &["new.service"],
        );
        let up = ["gone", "same", "changed", "reloads", "left", "shell@one"];
        let up = up.iter().map(|name| format!("{name}.service"));
        let up = up.chain(["multi-user.target".to_string()]).collect();
        let changes = compare(Some(old.path()), new.path(), Some(up));
        assert_eq!(
            changes,
            UnitChanges {
                stop: vec!["gone.service".into()],
                restart: vec!["changed.service".into(), "shell@one.service".into()],
                reload: vec!["reloads.service".into()],
                start: vec!["new.service".into()],
                left: vec!["left.service".into()],
                user: Vec::new(),
            }
        );
    }
}
