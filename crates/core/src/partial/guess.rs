//! Guesses which units and etc entries an option changes.
//!
//! A guess may be wrong. The guessed units and entries are compared with the running system before
//! anything is applied, and the whole system is evaluated afterwards. An incomplete guess leads to
//! a second change. A guess that is too large only takes more time to evaluate.

use super::effects::{Effect, Effects};
use super::parts::Parts;
use crate::attributes::written;

/// The units of services whose names differ from the names in their option paths.
const UNITS: [(&str, &str); 4] = [
    ("grafana-image-renderer", "grafana-image-renderer.service"),
    ("journald", "systemd-journald.service"),
    ("logind", "systemd-logind.service"),
    ("openssh", "sshd.service"),
];

/// The last names of option paths that usually change more than the unit's own file.
const WHOLE: [&str; 9] = [
    "aliases",
    "enable",
    "group",
    "openFirewall",
    "package",
    "requiredBy",
    "upheldBy",
    "user",
    "wantedBy",
];

/// Returns the units and entries that an option probably changes, or the reason why a partial
/// change is not possible.
pub fn guess(path: &[String], effects: &Effects) -> Result<Parts, String> {
    match effects.of(path) {
        Some(Effect { whole: true, .. }) => Err(format!(
            "{} has changed more than units and files before",
            written(path)
        )),
        Some(Effect { parts, .. }) => Ok(parts.clone()),
        None => by_path(path)
            .ok_or_else(|| format!("{} may change more than units and files", written(path))),
    }
}

fn by_path(path: &[String]) -> Option<Parts> {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    if words.last().is_some_and(|last| WHOLE.contains(last)) {
        return None;
    }
    match words.as_slice() {
        ["systemd", kind, name, ..] => Some(unit(&format!("{name}.{}", unit_type(kind)?))),
        ["services", "openssh", ..] => Some(Parts {
            etc: ["ssh/sshd_config".to_string()].into(),
            ..unit("sshd.service")
        }),
        ["services", name, _, ..] => {
            let known = UNITS.iter().find(|(service, _)| service == name);
            Some(unit(&known.map_or_else(
                || format!("{name}.service"),
                |(_, unit)| (*unit).into(),
            )))
        }
        ["environment", "etc", name, "text" | "source"] => Some(Parts {
            etc: [(*name).to_string()].into(),
            ..Parts::default()
        }),
        ["boot", "kernel", "sysctl", ..] => Some(Parts {
            etc: ["sysctl.d/60-nixos.conf".to_string()].into(),
            ..unit("systemd-sysctl.service")
        }),
        ["nix", "settings", _, ..] => Some(Parts {
            etc: ["nix/nix.conf".to_string()].into(),
            ..unit("nix-daemon.service")
        }),
        _ => None,
    }
}

/// Returns the type of the units that `systemd.OPTION` defines.
fn unit_type(option: &str) -> Option<&'static str> {
    let types = [
        ("paths", "path"),
        ("services", "service"),
        ("slices", "slice"),
        ("sockets", "socket"),
        ("timers", "timer"),
    ];
    types
        .iter()
        .find(|(name, _)| *name == option)
        .map(|(_, kind)| *kind)
}

fn unit(name: &str) -> Parts {
    Parts {
        units: [name.to_string()].into(),
        ..Parts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        crate::attributes::parse(text).expect("a path")
    }

    fn words(text: &str) -> String {
        match guess(&path(text), &Effects::default()) {
            Ok(parts) => {
                let etc = parts.etc.iter().map(|name| format!("/etc/{name}"));
                let all: Vec<String> = parts.units.iter().cloned().chain(etc).collect();
                all.join(" ")
            }
            Err(_) => "whole".into(),
        }
    }

    #[test]
    fn parts_follow_from_the_path() {
        for (option, parts) in [
            ("services.nginx.clientMaxBodySize", "nginx.service"),
            (
                "services.openssh.ports",
                "sshd.service /etc/ssh/sshd_config",
            ),
            ("systemd.services.a.serviceConfig.MemoryMax", "a.service"),
            ("systemd.timers.\"a.b\".timerConfig.OnCalendar", "a.b.timer"),
            ("environment.etc.motd.text", "/etc/motd"),
            (
                "boot.kernel.sysctl.\"vm.swappiness\"",
                "systemd-sysctl.service /etc/sysctl.d/60-nixos.conf",
            ),
            ("services.nginx.enable", "whole"),
            ("services.nginx", "whole"),
            ("systemd.services.a.wantedBy", "whole"),
            ("systemd.user.services.a.script", "whole"),
            ("environment.etc.motd.mode", "whole"),
            ("networking.firewall.allowedTCPPorts", "whole"),
            ("users.users.ada.shell", "whole"),
        ] {
            assert_eq!(words(option), parts, "{option}");
        }
    }

    #[test]
    fn learned_effects_come_first() {
        let mut effects = Effects::default();
        let parts = Parts {
            etc: ["nginx/nginx.conf".to_string()].into(),
            ..unit("nginx.service")
        };
        let option = path("services.nginx.appendConfig");
        let learned = Effect {
            parts: parts.clone(),
            whole: false,
        };
        effects.learn(&option, learned);
        assert_eq!(guess(&option, &effects), Ok(parts.clone()));
        let learned = Effect { parts, whole: true };
        effects.learn(&option, learned);
        assert!(guess(&option, &effects).is_err());
    }
}
