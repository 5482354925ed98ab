//! Messages about the program itself: its two executables, its output, its internal commands and
//! its interruption outside an activation.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Failures of the program itself, and results that scripts read from its exit code.
    pub enum ProgramError {
        NoManualPage { page: String } {
            kind: Usage,
            text: "cannot print the manual page {page:?}: there is no such page",
            means: "`__man`, which is for packaging, has no page of this name.",
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
            text: "cannot list faults: this is a release build",
            hint: "use a debug build",
            means: "Only debug builds can inject faults.",
            next: "Use a debug build.",
        }
        ModuleNotActive { module: String } {
            kind: NotActive,
            text: "{module} is not active",
            means: "`status NAME`: the named module is not active. This exit code is for scripts.",
            next: "Run `runtime-module enable NAME`.",
        }
        ModulesNotActive { modules: String } {
            kind: NotActive,
            text: "{modules} are not active",
            means: "`status NAME…`: several of the named modules are not active. This exit code is for scripts.",
            next: "Run `runtime-module enable NAME…`.",
        }
        Detached {
            kind: Interrupted,
            text: "detached; activation continues in the background",
            hint: "run `runtime-module status` to see how it ends",
            means: "The user pressed Ctrl-C during activation, which ends only the client.",
            next: "Run `runtime-module status` to see how it ends.",
        }
        OtherProgramNotStarted { program: String, reason: String } {
            kind: Internal,
            text: "cannot start {program}: {reason}",
            hint: "install both programs from the same package; until then, `status`, `rollback`, `reset`, `confirm` \
                and `recover` still work",
            means: "The other program in the package, `runtime-module-nix`, is missing or cannot be run.",
            next: "Install both programs from the same package. `status`, `rollback`, `reset`, `confirm` and `recover` \
                work without it.",
        }
        OtherVersion { light: String, full: String } {
            kind: Internal,
            text: "cannot use the two programs together: runtime-module is version {light}, but runtime-module-nix is \
                version {full}",
            hint: "install both programs from the same package",
            means: "The two programs come from different packages.",
            next: "Install both programs from the same package.",
        }
        ResultNotWritten { reason: String } {
            kind: Internal,
            text: "cannot write the result to stdout: {reason}",
            hint: "run `runtime-module status` to see which modules are active; only the output was lost",
            means: "The file or pipe is full or closed. Only the output was lost: a change that the command made stays \
                active.",
            next: "Run `runtime-module status` to see which modules are active.",
        }
    }
}
