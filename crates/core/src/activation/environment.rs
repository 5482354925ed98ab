//! The environment of programs that run as root.

use std::process::Command;

use crate::locations::Locations;

/// The search path of programs that run as root, for commands that they do not call by store path.
pub(super) const PATH: &str = "/run/current-system/sw/bin:/run/wrappers/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Clears the environment of a command, except for a fixed `PATH`, as elevation programs do. Keeps
/// the environment if the machine's root is a test directory.
pub(super) fn clean<'a>(command: &'a mut Command, locations: &Locations) -> &'a mut Command {
    if locations.is_real() {
        command.env_clear().env("PATH", PATH);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the environment of a program that was started after `clean`.
    fn environment(root: &str) -> Vec<String> {
        let mut command = Command::new("env");
        command.env("OF_THE_CALLER", "1");
        let done = clean(&mut command, &Locations::new(root, root)).output();
        let text = String::from_utf8(done.expect("env").stdout).expect("valid UTF-8");
        text.lines().map(String::from).collect()
    }

    #[test]
    fn callers_environment_does_not_reach_root() {
        assert_eq!(environment("/"), [format!("PATH={PATH}")]);
        // With a test root, the activator must see the variables that a test sets.
        assert!(environment("/scratch").contains(&"OF_THE_CALLER=1".to_string()));
    }
}
