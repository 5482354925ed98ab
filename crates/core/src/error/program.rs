//! Messages about the program itself: its two executables, its output, its internal commands and
//! its interruption outside an activation.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Failures of the program itself, and results that scripts read from its exit code.
    pub enum ProgramError {
        NoManualPage { page: String } {
            kind: Usage,
            text: "cannot print the manual page '{page}': the page does not exist",
            hint: "run `runtime-module __man` to list the pages",
            means: "`__man`, which is for packaging, has no page with this name.",
            next: "Run `runtime-module __man` to list the pages.",
        }
        AnsweredNo { purpose: Purpose } {
            kind: Refused,
            text: "cannot {purpose}: you answered no; nothing was changed",
            means: "The answer to the question of `--ask` was not `y` or `yes`.",
            next: "Run the command again if you want the change.",
        }
        NoFaults {
            kind: Refused,
            text: "cannot list fault points: release builds cannot inject faults",
            hint: "use a debug build",
            means: "Only debug builds can inject faults.",
            next: "Use a debug build.",
        }
        ModuleNotActive { module: String } {
            kind: NotActive,
            text: "{module} is not active",
            means: "This is the result of `status NAME`, not a failure. Its exit code is for scripts.",
            next: "To enable the module, run `runtime-module enable NAME`.",
        }
        ModulesNotActive { modules: String } {
            kind: NotActive,
            text: "{modules} are not active",
            means: "This is the result of `status NAME…`, not a failure. Its exit code is for scripts.",
            next: "To enable the modules, run `runtime-module enable NAME…`.",
        }
        Detached {
            kind: Interrupted,
            text: "detached; activation continues in the background",
            hint: "run `runtime-module status` to see how it ends",
            means: "Ctrl-C during activation ends only the client. The activator, which runs as root, continues.",
            next: "Run `runtime-module status` to see how it ends.",
        }
        OtherProgramNotStarted { program: String, reason: String } {
            kind: Internal,
            text: "cannot start {program}: {reason}",
            hint: "install both programs from the same package; until then, `status`, `rollback`, `reset`, `confirm` \
                and `recover` still work",
            means: "The program `runtime-module-nix`, which evaluates and builds, is missing or cannot be run.",
            next: "Install both programs from the same package. `status`, `rollback`, `reset`, `confirm` and `recover` \
                work without it.",
        }
        OtherVersion { light: String, full: String } {
            kind: Internal,
            text: "cannot use runtime-module with runtime-module-nix: their versions differ ({light} and \
                {full})",
            hint: "install both programs from the same package",
            means: "`runtime-module` starts `runtime-module-nix`, and both must be from the same release.",
            next: "Install both programs from the same package.",
        }
        ResultNotWritten { reason: String } {
            kind: Internal,
            text: "cannot write the result to stdout: {reason}",
            hint: "run `runtime-module status` to see which modules are active; only the output was lost",
            means: "The disk is full, or the reader of the pipe has exited. A change that the command made stays \
                active.",
            next: "Run `runtime-module status` to see which modules are active.",
        }
    }
}
