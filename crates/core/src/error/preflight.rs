//! Messages that refuse a switch before it changes anything.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why a system is not activated.
    pub enum PreflightError {
        RunningSystemReplaced { purpose: Purpose, system: String } {
            kind: Refused,
            text: "cannot {purpose}: another system was activated in the meantime: {system}",
            hint: "run `runtime-module status` to see which modules are active, then try again",
            means: "An external switch activated a system after the plan was made.",
            next: "Run the command again to make a new plan.",
        }
        StateReplaced { purpose: Purpose, planned: u64, current: u64 } {
            kind: Refused,
            text: "cannot {purpose}: another change was made in the meantime: the plan is for state {planned}, but \
                the current state is {current}",
            hint: "run `runtime-module status` to see which modules are active, then try again",
            means: "Another run of runtime-module changed the system after the plan was made.",
            next: "Run the command again to make a new plan.",
        }
        WrongHost { purpose: Purpose, host: String, machine: String } {
            kind: Refused,
            text: "cannot {purpose}: the new system is for host '{host}', but this machine is '{machine}'",
            hint: "use --host to select this machine's entry of nixosConfigurations",
            means: "The host of the flake and this machine have different names, usually because the wrong host was \
                selected.",
            next: "Select the right host with `--host`. To activate this system anyway, use `--allow wrong-host`.",
        }
        UnsafeName { purpose: Purpose, name: String } {
            kind: Refused,
            text: "cannot {purpose}: '{name}' is neither the name of a unit nor the path of a file below /etc",
            hint: "use `--full` to make a whole toplevel instead",
            means: "The program only writes units with ordinary names, and files below `/etc`.",
            next: "Apply the override with `--full`.",
        }
        UnitMasked { purpose: Purpose, unit: String, file: String } {
            kind: Refused,
            text: "cannot {purpose}: {unit} is masked by {file}",
            hint: "run `systemctl unmask --runtime {unit}` first, or leave the option as it is",
            means: "The unit was masked, for example with `systemctl mask --runtime`. The unit file of an override \
                takes precedence over the mask, so the unit could start again.",
            next: "Unmask the unit with `systemctl unmask --runtime`, then run the command again.",
        }
        RuntimeUnitExists { purpose: Purpose, file: String, unit: String } {
            kind: Refused,
            text: "cannot {purpose}: {file} already exists and does not come from this program",
            hint: "run `systemctl revert {unit}` to remove it, then try again",
            means: "Another program or user has written this file to `/run/systemd/system.control`. It takes \
                precedence over the unit of the toplevel.",
            next: "Remove the file with `systemctl revert`. With `--full`, the override becomes part of the toplevel, \
                but the file still takes precedence.",
        }
        EntryReplaced { purpose: Purpose, file: String } {
            kind: Refused,
            text: "cannot {purpose}: {file} is no longer the file of the running system",
            hint: "move {file} aside, then run `runtime-module apply --force`",
            means: "Another program or user has replaced the file in `/etc`. The override would overwrite this \
                change.",
            next: "Move the file aside, and activate the system again with `runtime-module apply --force`.",
        }
        InhibitorsChanged { purpose: Purpose, names: String } {
            kind: Refused,
            text: "cannot {purpose}: switch inhibitors would change: {names}",
            hint: "run `nixos-rebuild boot` and reboot; if a runtime module causes the change, import the module in \
                the host first, because the booted system has no runtime modules",
            means: "A switch inhibitor has a different value in the new system, so NixOS requires a reboot.",
            next: "Run `nixos-rebuild boot` and reboot. If a runtime module causes the change, import the module in \
                the host first. To switch anyway, use `--allow inhibitors`.",
        }
        InitDiffers { purpose: Purpose, new: String, old: String } {
            kind: RebootNeeded,
            text: "cannot {purpose}: the new system needs a different init than the running one \
                (interface '{new}' instead of '{old}')",
            hint: "run `nixos-rebuild boot` and reboot; if a runtime module causes the change, import the module in \
                the host first, because the booted system has no runtime modules",
            means: "The new system requires a different init interface than the running systemd provides, so the \
                machine must be rebooted. Nothing was activated.",
            next: "Run `nixos-rebuild boot` and reboot. If a runtime module causes the change, import the module in \
                the host first, because the booted system has no runtime modules.",
        }
        NotSwitchable { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: the new system has no switch program (system.switch.enable is false)",
            hint: "set system.switch.enable = true in the configuration, then run `nixos-rebuild boot` and reboot",
            means: "NixOS can be built without a switch program, for images that are replaced as a whole. Such a \
                system cannot be activated while the machine runs.",
            next: "Set `system.switch.enable = true`, then run `nixos-rebuild boot` and reboot.",
        }
        Incomplete { purpose: Purpose, system: String, missing: String } {
            kind: Refused,
            text: "cannot {purpose}: {system} is not a complete NixOS system: it has no {missing}",
            means: "The configuration does not build a complete NixOS system, or files in the store were lost.",
            next: "Check `config.system.build.toplevel` and `system.switch.enable`. To restore lost files, run \
                `nix-store --verify --check-contents --repair`.",
        }
        Deleted { purpose: Purpose, system: String } {
            kind: Refused,
            text: "cannot {purpose}: {system} no longer exists",
            means: "The system to activate was deleted, usually by the garbage collector.",
            next: "Run the command again to make a new plan. If the command was `recover`, add or omit `--finish` to \
                activate the other system, or switch with nixos-rebuild.",
        }
        NotEnoughSpace { purpose: Purpose, folder: String, needed: String, free: String } {
            kind: Refused,
            text: "cannot {purpose}: {folder} has too little free space: {needed} is needed, but only {free} is \
                available",
            hint: "free some space; for the store, run `nix-collect-garbage`",
            means: "The file system has too little space for the build outputs or for the program's own files.",
            next: "Free some space, for example with `nix-collect-garbage`. To try anyway, use `--allow space`.",
        }
    }
}
