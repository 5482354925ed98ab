//! Messages about the results of a switch. A message about the outcome of a transaction contains one
//! of these as its reason. If one is printed alone, the purpose of the change precedes it.

use crate::messages;

messages! {
    /// Results of a switch that changed nothing, or that left a running system with a problem.
    pub enum SwitchError {
        Refused {
            kind: Refused,
            text: "the switch program refused to switch, and changed nothing",
            means: "The switch program exited with status 1 before it began to switch, for example because a pre-switch check \
                failed.",
            next: "Read the output above the message and the log that the message names. Fix the cause, then try again.",
        }
        Exited { status: i32 } {
            kind: Refused,
            text: "the switch program exited with status {status} before it changed anything",
            means: "The switch program failed before it began. The running system is unchanged.",
            next: "Read the output above the message and the log that the message names. Fix the cause, then try again.",
        }
        NotStarted {
            kind: Refused,
            text: "the switch program could not start, or was killed before it changed anything",
            means: "The running system is unchanged.",
            next: "Read the output above the message and the log that the message names. Fix the cause, then try again.",
        }
        LockHeld {
            kind: Refused,
            text: "another switch is running and holds the lock of switch-to-configuration",
            means: "Another program, such as nixos-rebuild, is switching the system.",
            next: "Wait until it ends, or use `--wait 60s`.",
        }
        StillRunning { system: String } {
            kind: Refused,
            text: "switch-to-configuration reported success, but {system} is still running",
            means: "The switch program exited without an error, but did not activate the new system.",
            next: "Read the log that the message names. The cause is in `bin/switch-to-configuration` of the new \
                system.",
        }
        NothingRunning {
            kind: Refused,
            text: "switch-to-configuration reported success, but /run/current-system does not exist",
            means: "The switch program exited without an error, but the link `/run/current-system` does not exist.",
            next: "Read the log that the message names. The cause is in `bin/switch-to-configuration` of the new \
                system.",
        }
        Superseded { system: String } {
            kind: Refused,
            text: "an external switch activated {system} in the meantime, and that system stays active",
            means: "Another program, such as nixos-rebuild, activated a third system during this change. \
                runtime-module does not undo external switches.",
            next: "Run `runtime-module status` to see which system is running, then try again.",
        }
        InitChanged {
            kind: RebootNeeded,
            text: "not activated: the new system needs a different init than the running one",
            hint: "run `nixos-rebuild boot` and reboot; if a runtime module causes the change, import the module in \
                the host first, because the booted system has no runtime modules",
            means: "The new system requires a different init interface than the running systemd provides, so the \
                machine must be rebooted. Nothing was activated.",
            next: "Run `nixos-rebuild boot` and reboot. If a runtime module causes the change, import the module in \
                the host first, because the booted system has no runtime modules.",
        }
        SomeUnitsFailed {
            kind: UnitsFailed,
            text: "some units failed",
            means: "The interrupted change has ended, but some units of the active system failed.",
            next: "Run `systemctl status UNIT` to see why.",
        }
        OneUnitFailed {
            kind: UnitsFailed,
            text: "a unit failed",
            means: "The interrupted change has ended, but a unit of the active system failed.",
            next: "Run `systemctl status UNIT` to see why.",
        }
        UnitsFailed { count: usize } {
            kind: UnitsFailed,
            text: "{count} units failed",
            means: "The interrupted change has ended, but several units of the active system failed.",
            next: "Run `systemctl status UNIT` to see why.",
        }
    }
}

impl SwitchError {
    /// Returns the message for this number of failed units; 0 if their number is unknown.
    pub fn failed_units(count: usize) -> Self {
        match count {
            0 => Self::SomeUnitsFailed,
            1 => Self::OneUnitFailed,
            count => Self::UnitsFailed { count },
        }
    }
}
