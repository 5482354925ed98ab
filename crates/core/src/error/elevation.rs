//! Messages about root privileges, which only the activator needs.

use std::process::ExitStatus;

use crate::messages;

messages! {
    /// Reasons why the activator cannot be started as root.
    pub enum ElevationError {
        Forbidden {
            kind: Refused,
            text: "cannot get root privileges: elevation is disabled (--elevate none)",
            hint: "run the command with sudo, or use --elevate auto",
            means: "Only root can change the system. `--elevate`, `RUNTIME_MODULE_ELEVATE` or the configuration \
                disables elevation.",
            next: "Run the command with sudo, or use `--elevate auto`.",
        }
        NoProgram {
            kind: Refused,
            text: "cannot get root privileges: no usable elevation program was found (sudo, run0 or doas)",
            hint: "run the command as root, or install one of these programs and use --elevate auto",
            means: "`PATH` contains none of sudo, run0 and doas, or does not contain the program that `--elevate` selects.",
            next: "Run the command as root, or install one of these programs. `--elevate auto` uses the first one \
                that is installed.",
        }
        ProgramFailed { program: String, status: ExitStatus } {
            kind: Refused,
            text: "cannot get root privileges: {program} failed ({status})",
            hint: "run the command as root, or choose another elevation program with --elevate",
            means: "sudo, run0 or doas refused, failed or was interrupted.",
            next: "Check the password and the permissions of this user, then try again. Alternatively, run the \
                command as root, or choose another program with `--elevate`.",
        }
        ActivatorExited {
            kind: Refused,
            text: "cannot connect to the activator: the activator exited before it answered",
            hint: "try again; the activator was probably killed",
            means: "The activator, which runs as root, ended before the client could connect to it.",
            next: "Try again. If the error persists, please report it.",
        }
    }
}
