//! Published tables that can be measured again on any host.
//!
//! The figures are from the "modular dynamicism" RFD. Its author measured `nix-instantiate --eval
//! --json --strict` with hyperfine on another machine, so only the proportions can be compared with
//! ours.

use runtime_module_core::choice::Preset;

/// A value that a preset measures, with its published time if there is one.
#[derive(Clone, Copy, Debug)]
pub struct PresetRow {
    /// Attribute path of the value to force.
    pub path: &'static str,
    /// Attribute path that is left out of the value.
    pub without: Option<&'static str>,
    /// Published time in milliseconds.
    pub published: Option<f64>,
}

const fn row(path: &'static str, published: f64) -> PresetRow {
    PresetRow {
        path,
        without: None,
        published: Some(published),
    }
}

const fn bare(path: &'static str) -> PresetRow {
    PresetRow {
        path,
        without: None,
        published: None,
    }
}

/// Attribute path of the first row of each table, with which the other rows are compared.
const TOPLEVEL: &str = "system.build.toplevel.outPath";

const JENKINS: [PresetRow; 3] = [
    row(TOPLEVEL, 3257.0),
    row("systemd.units.\"jenkins.service\".text", 773.3),
    row("services.jenkins.jobBuilder", 401.0),
];

const GRAFANA: [PresetRow; 4] = [
    row(TOPLEVEL, 2224.0),
    row("systemd.units.\"grafana.service\".text", 1320.0),
    PresetRow {
        path: "services.grafana.settings",
        without: Some("paths.provisioning"),
        published: Some(718.0),
    },
    row("services.grafana.settings", 1230.0),
];

const GOTOSOCIAL: [PresetRow; 3] = [
    row(TOPLEVEL, 1704.0),
    row("systemd.units.\"gotosocial.service\".text", 880.7),
    row("services.gotosocial.settings", 445.3),
];

const GENERATED: [PresetRow; 8] = [
    bare(TOPLEVEL),
    bare("boot.kernel.sysctl"),
    bare("environment.etc.\"sysctl.d/60-nixos.conf\".text"),
    bare("fileSystems"),
    bare("environment.etc.fstab.text"),
    bare("services.openssh.settings"),
    bare("systemd.services.sshd.runner.text"),
    bare("systemd.units.\"sshd.service\".text"),
];

/// Returns the rows of a preset.
pub fn rows(preset: Preset) -> &'static [PresetRow] {
    match preset {
        Preset::Jenkins => &JENKINS,
        Preset::Grafana => &GRAFANA,
        Preset::Gotosocial => &GOTOSOCIAL,
        Preset::Generated => &GENERATED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime_module_core::attributes::parse;

    #[test]
    fn every_row_has_a_valid_path() {
        for preset in [
            Preset::Jenkins,
            Preset::Grafana,
            Preset::Gotosocial,
            Preset::Generated,
        ] {
            for row in rows(preset) {
                parse(row.path).expect("a path");
                parse(row.without.unwrap_or("x")).expect("a path");
            }
        }
    }
}
