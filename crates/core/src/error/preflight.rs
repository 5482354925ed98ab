//! Messages that refuse a switch before it changes anything.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why a system is not activated.
    pub enum PreflightError {
        RunningSystemReplaced { purpose: Purpose, system: String } {
            kind: Refused,
            text: "cannot {purpose}: the system changed in the meantime: the running system is now {system}",
            hint: "run `runtime-module status` to see which modules are active, then try again",
            means: "Another program activated a system after the plan was made.",
            next: "Run the command again; it makes a new plan.",
        }
        StateReplaced { purpose: Purpose, planned: u64, current: u64 } {
            kind: Refused,
            text: "cannot {purpose}: the system changed in the meantime: \
                the plan was made for state {planned}, but the state is now {current}",
            hint: "run `runtime-module status` to see which modules are active, then try again",
            means: "Another run of runtime-module changed the system after the plan was made.",
            next: "Run the command again; it makes a new plan.",
        }
        WrongHost { purpose: Purpose, host: String, machine: String } {
            kind: Refused,
            text: "cannot {purpose}: the new system is for host '{host}', but this machine is '{machine}'",
            hint: "name this machine's entry of nixosConfigurations with --host",
            means: "The flake's host and this machine have different names, usually because the wrong host was named.",
            next: "Name the right host with `--host`. To activate this system anyway, use `--allow wrong-host`.",
        }
        InhibitorsChanged { purpose: Purpose, names: String } {
            kind: Refused,
            text: "cannot {purpose}: switch inhibitors would change: {names}",
            hint: "run `nixos-rebuild boot` and reboot; if a runtime module needs the reboot, \
                import it in the host first, because the booted system contains no runtime modules",
            means: "A switch inhibitor has another value in the new system than in the running one.",
            next: "Run `nixos-rebuild boot` and reboot. If a runtime module needs the reboot, import it in the host \
                first. To switch anyway, use `--allow inhibitors`.",
        }
        InitDiffers { purpose: Purpose, new: String, old: String } {
            kind: RebootNeeded,
            text: "cannot {purpose}: the new system needs a different init than the running one \
                (interface '{new}' instead of '{old}')",
            hint: "run `nixos-rebuild boot` and reboot; if a runtime module needs the reboot, \
                import it in the host first, because the booted system contains no runtime modules",
            means: "The interface between the units and systemd has changed. Nothing was activated.",
            next: "Run `nixos-rebuild boot` and reboot.",
        }
        NotSwitchable { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: the system has no switch program (system.switch.enable is false), \
                so it cannot be changed while it runs",
            hint: "set system.switch.enable = true in the configuration, then run nixos-rebuild boot and reboot",
            means: "NixOS can be built without a switch program, for images that are replaced as a whole.",
            next: "Set `system.switch.enable = true`, then run `nixos-rebuild boot` and reboot.",
        }
        Incomplete { purpose: Purpose, system: String, missing: String } {
            kind: Refused,
            text: "cannot {purpose}: {system} is not a complete NixOS system: it has no {missing}",
            means: "The built system lacks parts of a NixOS system.",
            next: "Check that the configuration builds a NixOS system.",
        }
        Deleted { purpose: Purpose, system: String } {
            kind: Refused,
            text: "cannot {purpose}: {system} no longer exists",
            means: "The garbage collector deleted the system to activate.",
            next: "Run `runtime-module recover`, with or without `--finish`, to activate the other system, or switch \
                with nixos-rebuild.",
        }
        NotEnoughSpace { purpose: Purpose, folder: String, needed: String, free: String } {
            kind: Refused,
            text: "cannot {purpose}: there is not enough space in {folder}: \
                {needed} is needed, but only {free} is free",
            hint: "free some space; for the store, run `nix-collect-garbage`",
            means: "The file system has too little space for the build outputs or for the program's own files.",
            next: "Run `nix-collect-garbage`. To try anyway, use `--allow space`.",
        }
    }
}
