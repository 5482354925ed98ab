//! Messages about root privileges, which only the activator needs.

use std::process::ExitStatus;

use crate::messages;

messages! {
    /// Reasons why the activator cannot be started as root.
    pub enum ElevationError {
        Forbidden {
            kind: Refused,
            text: "activation needs root, but --elevate none forbids elevation",
            hint: "run the command with sudo, or omit --elevate none",
            means: "Changing the system needs root.",
            next: "Run the command with sudo, or omit `--elevate none`.",
        }
        NoProgram {
            kind: Refused,
            text: "activation needs root, and none of sudo, run0 or doas is installed",
            hint: "run the command as root, or install sudo, run0 or doas",
            means: "The program found no way to become root.",
            next: "Run the command as root.",
        }
        ProgramFailed { program: String, status: ExitStatus } {
            kind: Refused,
            text: "cannot get root privileges: {program} failed ({status})",
            hint: "run the command as root, or choose another elevation program with --elevate",
            means: "sudo, run0 or doas refused, failed or was interrupted.",
            next: "Try again with the right password, or ask the administrator of this machine for permission.",
        }
        ActivatorExited {
            kind: Refused,
            text: "cannot get root privileges: the activator has exited",
            hint: "run the command as root, or choose another elevation program with --elevate",
            means: "The process that runs as root ended before this process could connect to it.",
            next: "Run the command as root, or choose another elevation program with `--elevate`.",
        }
    }
}
