//! Messages about usage errors, except for option overrides and sources.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why the arguments of a command are refused.
    pub enum ArgumentError {
        UnknownModule { module: String } {
            kind: Usage,
            text: "there is no module named {module}",
            means: "Neither `services.runtimeModules.modules` nor the flake's output `runtimeModules` declares a \
                module with this name.",
            next: "Use one of the suggested names, or run `runtime-module list`. A newly declared module is known only \
                after `runtime-module rebuild`.",
        }
        UnknownModules { modules: String } {
            kind: Usage,
            text: "there are no modules named {modules}",
            means: "Neither `services.runtimeModules.modules` nor the flake's output `runtimeModules` declares \
                modules with these names.",
            next: "Use the suggested names, or run `runtime-module list`. A newly declared module is known only after \
                `runtime-module rebuild`.",
        }
        NotUtf8 { argument: String } {
            kind: Usage,
            text: "cannot parse the argument '{argument}': the argument is not valid UTF-8",
            hint: "if the argument is a path, use a symbolic link whose path is valid UTF-8",
            means: "Names and flake references must be valid UTF-8.",
            next: "If the argument is a path, use a symbolic link whose path is valid UTF-8.",
        }
        NoTerminal {
            kind: Usage,
            text: "cannot use --ask: no terminal is available",
            hint: "run the command in a terminal, or omit --ask",
            means: "`--ask` reads the answer from the terminal, even if stdin is redirected.",
            next: "Run the command in a terminal, or omit `--ask`.",
        }
        NoSuchState { number: u64 } {
            kind: Usage,
            text: "cannot roll back to state {number}: the history has no such state, or its system is no longer kept",
            means: "The history of this boot has no state with this number, or the system of that state is no longer \
                kept.",
            next: "Run `runtime-module history` to list the states, then choose one of the numbers in the hint.",
        }
        NoEffect { purpose: Purpose, option: String } {
            kind: Usage,
            text: "cannot {purpose} with {option}: the option has no effect on this command",
            hint: "omit {option}, or use it with `apply` or `enable`",
            means: "`reset` returns to the system without modules, and `rollback` to an earlier system. Neither adds \
                a module or chooses a specialisation.",
            next: "Omit the option, or use it with `apply` or `enable`.",
        }
        EmptyNameInPath { path: String } {
            kind: Usage,
            text: "cannot parse the attribute path {path}: the path contains an empty name",
            hint: "separate names with dots, and quote a name that contains a dot: \
                'systemd.units.\"sshd.service\".text'",
            means: "An attribute path begins with a dot, or has two dots in a row.",
            next: "Remove the dot. Separate names with dots, and quote a name that contains a dot: \
                `'systemd.units.\"sshd.service\".text'`.",
        }
        DotAtEndOfPath { path: String } {
            kind: Usage,
            text: "cannot parse the attribute path {path}: the path ends with a dot",
            hint: "separate names with dots, and quote a name that contains a dot: \
                'systemd.units.\"sshd.service\".text'",
            means: "A name must follow each dot in an attribute path.",
            next: "Remove the dot, or add the name. Quote a name that contains a dot: \
                `'systemd.units.\"sshd.service\".text'`.",
        }
        UnclosedQuoteInPath { path: String } {
            kind: Usage,
            text: "cannot parse the attribute path {path}: a quoted name has no closing quote",
            hint: "separate names with dots, and quote a name that contains a dot: \
                'systemd.units.\"sshd.service\".text'",
            means: "The path contains an odd number of quotes. The shell removes quotes that are not quoted \
                themselves.",
            next: "Close the quote, and quote the whole path for the shell: `'systemd.units.\"sshd.service\".text'`.",
        }
        NoDotAfterQuoteInPath { path: String } {
            kind: Usage,
            text: "cannot parse the attribute path {path}: a quoted name is not followed by a dot",
            hint: "separate names with dots, and quote a name that contains a dot: \
                'systemd.units.\"sshd.service\".text'",
            means: "A character other than a dot follows the closing quote of a name, as in `\"a\"b`.",
            next: "Quote the whole name, or put a dot between two names: `'systemd.units.\"sshd.service\".text'`.",
        }
        NoEarlierState {
            kind: Refused,
            text: "cannot roll back: this boot has no earlier state",
            hint: "run `runtime-module history` to list the changes of this boot",
            means: "The history of this boot has no other state to which the system can return.",
            next: "Run `runtime-module history` to list the changes.",
        }
    }
}
