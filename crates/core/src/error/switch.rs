//! Messages about the results of a switch. Each is also the reason in the messages about the outcome
//! of a transaction. If it is a message of its own, the purpose of the change precedes it.

use crate::messages;

messages! {
    /// Results of a switch that changed nothing, or that left a running system with a problem.
    pub enum SwitchError {
        Refused {
            kind: Refused,
            text: "the switch program refused before it changed anything",
            means: "The switch program refused. The running system is unchanged.",
            next: "Read the lines above and the log named in the message, then try again.",
        }
        Exited { status: i32 } {
            kind: Refused,
            text: "the switch program exited with status {status} before it changed anything",
            means: "The switch program ended with an error before it began. The running system is unchanged.",
            next: "Read the lines above and the log named in the message, then try again.",
        }
        NotStarted {
            kind: Refused,
            text: "the switch program could not start, or was killed before it changed anything",
            means: "The switch program could not start, or was killed before it began. \
                The running system is unchanged.",
            next: "Read the lines above and the log named in the message, then try again.",
        }
        LockHeld {
            kind: Refused,
            text: "another switch is running: it holds the lock of switch-to-configuration",
            means: "Another program, such as nixos-rebuild, is switching the system.",
            next: "Wait until it ends, or use `--wait 60s`.",
        }
        StillRunning { system: String } {
            kind: Refused,
            text: "switch-to-configuration reported success, but {system} is still running",
            means: "The switch program exited without an error, but did not activate the new system.",
            next: "Read the log named in the message. The fault is in `bin/switch-to-configuration` of the new \
                system.",
        }
        NothingRunning {
            kind: Refused,
            text: "switch-to-configuration reported success, but no system is running",
            means: "The switch program exited without an error, but the link `/run/current-system` does not exist.",
            next: "Read the log named in the message. The fault is in `bin/switch-to-configuration` of the new \
                system.",
        }
        Superseded { system: String } {
            kind: Refused,
            text: "another switch activated {system} in the meantime; that system is left active",
            means: "An external switch activated a third system while this change was running. \
                The program does not undo that.",
            next: "Check which system is running, then try again.",
        }
        InitChanged {
            kind: RebootNeeded,
            text: "not activated: the new system needs a different init than the running one",
            hint: "run `nixos-rebuild boot` and reboot; if a runtime module needs the reboot, \
                import it in the host first, because the booted system contains no runtime modules",
            means: "The interface between the units and systemd has changed. Nothing was activated.",
            next: "Run `nixos-rebuild boot` and reboot.",
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
