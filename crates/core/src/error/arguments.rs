//! Messages about wrong usage, except for option overrides and sources.

use crate::error::Purpose;
use crate::messages;

messages! {
    /// Reasons why the arguments of a command are refused.
    pub enum ArgumentError {
        UnknownModule { module: String } {
            kind: Usage,
            text: "there is no module called {module}",
            means: "Neither `services.runtimeModules.modules` nor the flake's output `runtimeModules` has a module of \
                this name.",
            next: "Use one of the suggested names, or run `runtime-module list`. A newly declared module is known only \
                after `runtime-module rebuild`.",
        }
        UnknownModules { modules: String } {
            kind: Usage,
            text: "there are no modules called {modules}",
            means: "Neither `services.runtimeModules.modules` nor the flake's output `runtimeModules` has modules of \
                these names.",
            next: "Use the suggested names, or run `runtime-module list`. A newly declared module is known only after \
                `runtime-module rebuild`.",
        }
        NotUtf8 { argument: String } {
            kind: Usage,
            text: "cannot use the argument '{argument}': the argument is not UTF-8",
            hint: "if a directory has such a name, make a symbolic link to it with another name",
            means: "Names and flake references are text, but this argument is not valid UTF-8.",
            next: "If a directory has such a name, make a symbolic link to it with another name.",
        }
        NoTerminal {
            kind: Usage,
            text: "cannot use --ask: there is no terminal",
            hint: "run the command in a terminal, or without --ask",
            means: "`--ask` needs a terminal for its question.",
            next: "Run the command in a terminal, or without `--ask`.",
        }
        NoSuchState { number: u64 } {
            kind: Usage,
            text: "cannot roll back to state {number}: this boot has no such state",
            means: "The history has no state with this number, or the system cannot return to it.",
            next: "Run `runtime-module history` to list the states.",
        }
        NoEffect { purpose: Purpose, option: String } {
            kind: Usage,
            text: "cannot {purpose}: {option} has no effect on this command",
            hint: "use {option} with `apply` or `enable`",
            means: "`reset` and `rollback` return to a system that is known, so they add no module and choose no \
                specialisation.",
            next: "Omit the option, or use it with `apply` or `enable`.",
        }
        EmptyNameInPath { path: String } {
            kind: Usage,
            text: "cannot parse the path {path}: a name is empty",
            hint: "separate names by dots, and quote a name that contains a dot: \
                'systemd.units.\"sshd.service\".text'",
            means: "An attribute path begins with a dot, or has two dots in a row.",
            next: "Remove the dot. Separate names by dots, and quote a name that contains a dot: \
                `'systemd.units.\"sshd.service\".text'`.",
        }
        DotAtEndOfPath { path: String } {
            kind: Usage,
            text: "cannot parse the path {path}: the path ends with a dot",
            hint: "separate names by dots, and quote a name that contains a dot: \
                'systemd.units.\"sshd.service\".text'",
            means: "A name must follow each dot in an attribute path.",
            next: "Remove the dot, or add the name. Quote a name that contains a dot: \
                `'systemd.units.\"sshd.service\".text'`.",
        }
        UnclosedQuoteInPath { path: String } {
            kind: Usage,
            text: "cannot parse the path {path}: a quote is not closed",
            hint: "separate names by dots, and quote a name that contains a dot: \
                'systemd.units.\"sshd.service\".text'",
            means: "A quoted name in an attribute path has no closing quote. The shell removes quotes that are not \
                quoted themselves.",
            next: "Close the quote, and quote the whole path for the shell: `'systemd.units.\"sshd.service\".text'`.",
        }
        NoDotAfterQuoteInPath { path: String } {
            kind: Usage,
            text: "cannot parse the path {path}: a quoted name must be followed by a dot",
            hint: "separate names by dots, and quote a name that contains a dot: \
                'systemd.units.\"sshd.service\".text'",
            means: "Text follows a quoted name in an attribute path directly.",
            next: "Quote the whole name, or separate two names by a dot: `'systemd.units.\"sshd.service\".text'`.",
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
