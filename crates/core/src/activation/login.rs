//! Finds changes that take effect only at the next login: new group memberships and changed session
//! variables.
//!
//! Compares the machine before and after a switch. Does not change anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::locations::Locations;

/// The files below `/etc` that define the initial environment of a session.
const SESSION: [&str; 2] = ["set-environment", "pam/environment"];

/// The settings that a session reads only at login.
pub(super) struct Sessions {
    groups: BTreeMap<String, BTreeSet<String>>,
    variables: Vec<Option<String>>,
}

impl Sessions {
    /// Reads the current values.
    pub(super) fn read(locations: &Locations) -> Self {
        let etc = locations.root().join("etc");
        let read = |name: &str| fs::read_to_string(etc.join(name)).ok();
        Self {
            groups: groups(&read("group").unwrap_or_default()),
            variables: SESSION.iter().map(|name| read(name)).collect(),
        }
    }

    /// Returns warnings about the group memberships that were added and the session variables that
    /// changed since these values were read.
    pub(super) fn compare(&self, locations: &Locations) -> Vec<String> {
        let now = Self::read(locations);
        let mut notes = Vec::new();
        for (user, groups) in &now.groups {
            let before = self.groups.get(user);
            let new: Vec<&str> = groups
                .iter()
                .filter(|group| before.is_none_or(|before| !before.contains(*group)))
                .map(String::as_str)
                .collect();
            // A user who cannot log in, such as a service user, has no session.
            if !new.is_empty() && has_session(user, locations) {
                let groups = if new.len() == 1 { "group" } else { "groups" };
                notes.push(format!(
                    "{user} was added to {groups} {}; log in again for this to take effect",
                    new.join(", ")
                ));
            }
        }
        if self.variables != now.variables {
            notes.push("session variables changed; log in again for this to take effect".into());
        }
        notes
    }
}

/// Parses a file like `/etc/group` into the groups of each user.
fn groups(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(members)) = (fields.next(), fields.nth(2)) else {
            continue;
        };
        for member in members.split(',').filter(|member| !member.is_empty()) {
            groups
                .entry(member.to_string())
                .or_default()
                .insert(name.to_string());
        }
    }
    groups
}

/// Returns whether a user can log in. Only such a user can have a session.
fn has_session(user: &str, locations: &Locations) -> bool {
    let passwd = fs::read_to_string(locations.root().join("etc/passwd")).unwrap_or_default();
    let line = passwd
        .lines()
        .find(|line| line.split(':').next() == Some(user));
    let shell = line
        .and_then(|line| line.rsplit(':').next())
        .unwrap_or_default();
    let name = Path::new(shell).file_name().and_then(|name| name.to_str());
    !matches!(name, None | Some("nologin" | "false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(group: &str, environment: &str) -> (tempfile::TempDir, Locations) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let etc = dir.path().join("etc");
        fs::create_dir(&etc).expect("etc");
        fs::write(etc.join("group"), group).expect("group");
        fs::write(etc.join("set-environment"), environment).expect("environment");
        let passwd =
            "ann:x:1000:100::/home/ann:/run/current-system/sw/bin/bash\nd:x:9:9::/:/bin/nologin\n";
        fs::write(etc.join("passwd"), passwd).expect("passwd");
        let locations = Locations::new(dir.path(), dir.path());
        (dir, locations)
    }

    #[test]
    fn new_group_warns_users_but_not_services() {
        let (dir, locations) = machine("users:x:100:ann\n", "A=1\n");
        let before = Sessions::read(&locations);
        assert!(before.compare(&locations).is_empty());
        let etc = dir.path().join("etc");
        fs::write(etc.join("group"), "users:x:100:ann\ndocker:x:5:ann,d\n").expect("group");
        fs::write(etc.join("set-environment"), "A=2\n").expect("environment");
        assert_eq!(
            before.compare(&locations),
            [
                "ann was added to group docker; log in again for this to take effect",
                "session variables changed; log in again for this to take effect",
            ]
        );
    }
}
