//! Messages about evaluation: an unusable source, a failed evaluation, and an evaluator that ended
//! without an answer.

use std::fmt;

use crate::messages;

/// The action that failed, in the form that follows `cannot` in a message.
#[derive(Clone, Debug)]
pub enum EvaluationAction {
    /// Evaluates a system, such as `host 'box' with web`.
    Evaluate(String),
    /// Lists the modules of a system.
    ListModules(String),
    /// Lists the hosts of a flake.
    ListHosts,
    /// Evaluates the expression for an option.
    Express(String),
    /// Measures a value.
    Measure(String),
}

impl fmt::Display for EvaluationAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evaluate(system) => write!(f, "evaluate {system}"),
            Self::ListModules(system) => write!(f, "list the modules of {system}"),
            Self::ListHosts => f.write_str("list the hosts"),
            Self::Express(option) => write!(f, "evaluate the expression for {option}"),
            Self::Measure(value) => write!(f, "measure {value}"),
        }
    }
}

impl EvaluationAction {
    /// Makes the message for an error of Nix.
    pub fn failed(self, reason: String) -> EvaluationError {
        match self {
            Self::Evaluate(system) => EvaluationError::SystemFails { system, reason },
            Self::ListModules(system) => EvaluationError::ModulesFail { system, reason },
            Self::ListHosts => EvaluationError::HostsFail { reason },
            Self::Express(option) => EvaluationError::ExpressionFails { option, reason },
            Self::Measure(value) => EvaluationError::ValueFails { value, reason },
        }
    }
}

messages! {
    /// Reasons why a system or value cannot be evaluated.
    pub enum EvaluationError {
        SetOfHosts { action: EvaluationAction } {
            kind: Usage,
            text: "cannot {action}: this is a set of hosts, not a host",
            means: "The name refers to a set of hosts, for example the hosts of one system.",
            next: "Name one of the listed hosts, such as `--host x86_64-linux.box`.",
        }
        UnknownHost { action: EvaluationAction, flake: String } {
            kind: Usage,
            text: "cannot {action}: the flake {flake} has no host of this name",
            means: "The name of `--host`, or of the pinned host, is not in the flake's `nixosConfigurations`.",
            next: "Name one of the listed hosts.",
        }
        NoModulesInHost { action: EvaluationAction } {
            kind: Usage,
            text: "cannot {action}: the host declares no runtime modules (it has no option services.runtimeModules), \
                and the flake has no output runtimeModules",
            hint: "import nixosModules.default of the runtime-module flake in the host, \
                and declare modules in services.runtimeModules.modules",
            means: "The configuration declares no runtime modules.",
            next: "Import `nixosModules.default` of the runtime-module flake in the host and declare modules \
                (docs/modules.md).",
        }
        NoModulesInFile { action: EvaluationAction } {
            kind: Usage,
            text: "cannot {action}: the file declares no runtime modules (it has no option services.runtimeModules)",
            hint: "import nixos/runtime-modules of the runtime-module repository in the file, \
                and declare modules in services.runtimeModules.modules",
            hint: "or add the file of a module with --module FILE",
            means: "The system in the file declares no runtime modules.",
            next: "Import `nixos/runtime-modules` of the runtime-module repository in it and declare modules \
                (docs/modules.md), or add one with `--module FILE`.",
        }
        NoSuchExtraModule { action: EvaluationAction, module: String } {
            kind: Usage,
            text: "cannot {action}: --module {module}: that flake has no such module",
            hint: "after the #, write the full path of an output, or the name of an entry of nixosModules or \
                runtimeModules; the default is `default`",
            means: "The flake was fetched, but has no output of that name.",
            next: "Use one of the suggested names.",
        }
        UnknownSpecialisation { action: EvaluationAction, name: String } {
            kind: Usage,
            text: "cannot {action}: there is no specialisation '{name}'",
            hint: "use --specialisation '' for the host itself",
            means: "The configuration declares no specialisation of this name.",
            next: "Use one of the listed names.",
        }
        NoValue { action: EvaluationAction, name: String } {
            kind: Usage,
            text: "cannot {action}: there is no '{name}'",
            means: "The value to measure does not exist.",
            next: "Use one of the suggested names.",
        }
        NoAttribute { action: EvaluationAction, name: String, place: String } {
            kind: Usage,
            text: "cannot {action}: there is no '{name}' in {place}",
            means: "The path of `--attr`, or of a value to measure, names an attribute that does not exist.",
            next: "Use one of the suggested names.",
        }
        NotASet { action: EvaluationAction, value: String, type_name: String } {
            kind: Usage,
            text: "cannot {action}: {value} has no attributes (its type is {type_name})",
            means: "The path continues below a value that is not a set.",
            next: "End the path at that value, or quote a name that contains a dot.",
        }
        FunctionForced { action: EvaluationAction } {
            kind: Usage,
            text: "cannot {action}: a function cannot be forced deeply",
            hint: "use --shallow to force only the top of the value",
            means: "The value is a function, so there is nothing inside it to measure.",
            next: "Name the result of the function, or use `--shallow`.",
        }
        NoConfigurations { action: EvaluationAction, flake: String } {
            kind: Evaluation,
            text: "cannot {action}: the flake {flake} has no output nixosConfigurations",
            hint: "use --flake to name the flake that has your NixOS configuration",
            means: "The flake has no NixOS configuration.",
            next: "Name the flake that has your configuration with `--flake`.",
        }
        HostNotExtensible { action: EvaluationAction, host: String } {
            kind: Evaluation,
            text: "cannot {action}: nixosConfigurations.{host} cannot be extended (it has no extendModules)",
            hint: "define the host with nixpkgs.lib.nixosSystem",
            means: "The entry of `nixosConfigurations` was not made by `nixosSystem`.",
            next: "Make it with `nixpkgs.lib.nixosSystem`.",
        }
        NotASystem { action: EvaluationAction, type_name: String } {
            kind: Evaluation,
            text: "cannot {action}: the value is not a system (its type is {type_name})",
            means: "The file, or the attribute that `--attr` names, does not contain a system. Without `--attr`, \
                the file may also be a NixOS module.",
            next: "Use `--attr` to name the result of `nixosSystem`, `eval-config.nix` or `lib.evalModules`. \
                The hint lists systems inside the value.",
        }
        FileNotExtensible { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the configuration cannot be extended (it has no extendModules)",
            hint: "`import <nixpkgs/nixos> {{ … }}` returns such a configuration: use \
                `import <nixpkgs/nixos/lib/eval-config.nix> {{ modules = [ … ]; }}` instead",
            means: "`import <nixpkgs/nixos> { … }` returns a configuration that cannot be extended.",
            next: "Use `import <nixpkgs/nixos/lib/eval-config.nix> { modules = [ … ]; }` instead.",
        }
        RequiredArguments { action: EvaluationAction, arguments: String } {
            kind: Evaluation,
            text: "cannot {action}: the function has required arguments: {arguments}",
            hint: "give each argument a name and a default, or name an attribute that is a system",
            means: "The program calls a function only if all its arguments have names and defaults.",
            next: "Give all arguments defaults, or name an attribute that is a system.",
        }
        NoNixpkgs { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: a NixOS module needs <nixpkgs>, which was not found",
            hint: "give the location of nixpkgs: NIX_PATH=nixpkgs=FOLDER, or --option nix-path nixpkgs=FOLDER",
            hint: "if `sudo nix-channel --list` shows channels, fetch them with `sudo nix-channel --update`",
            hint: "if NIX_PATH is set and you use sudo, keep it with sudo --preserve-env=NIX_PATH",
            means: "The program evaluates a plain configuration with the `<nixpkgs>` of `NIX_PATH`, of the setting \
                `nix-path`, or of the channels.",
            next: "Set `NIX_PATH=nixpkgs=FOLDER`, or use `--option nix-path nixpkgs=FOLDER`. If the machine has \
                channels, fetch them with `nix-channel --update` as root.",
        }
        NoToplevel { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the configuration has no config.system.build.toplevel",
            hint: "check that this is a NixOS configuration",
            means: "The configuration does not describe a system.",
            next: "Check that it is a NixOS configuration.",
        }
        DeclaredTwice { action: EvaluationAction, module: String } {
            kind: Evaluation,
            text: "cannot {action}: the module '{module}' is declared twice",
            hint: "rename one of the two modules",
            means: "Two declarations have the same name. The message shows both.",
            next: "Rename one of them.",
        }
        AssertionFailed { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: an assertion failed",
            means: "The configuration checks itself, and one check failed.",
            next: "Follow the message of the assertion, or leave the module disabled.",
        }
        AssertionsFailed { action: EvaluationAction, count: usize } {
            kind: Evaluation,
            text: "cannot {action}: {count} assertions failed",
            means: "The configuration checks itself, and several checks failed.",
            next: "Follow the messages of the assertions, or leave the module disabled.",
        }
        OutOfMemory { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator ran out of memory",
            hint: "use --low-memory to evaluate in less memory",
            means: "The garbage collector could not get more memory.",
            next: "Use `--low-memory` (see docs/performance.md).",
        }
        Killed { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator was killed, probably because memory ran out",
            hint: "use --low-memory to evaluate in less memory; \
                run `dmesg` to see whether the kernel killed the evaluator",
            means: "A SIGKILL ended the evaluator. `dmesg` shows whether the kernel sent it.",
            next: "Use `--low-memory`, or add memory.",
        }
        Aborted { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator aborted, probably because memory ran out",
            hint: "use --low-memory to evaluate in less memory",
            means: "libnix called `abort`.",
            next: "Use `--low-memory`, or add memory.",
        }
        NoAnswer { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator exited without an answer, probably because memory ran out",
            hint: "use --low-memory to evaluate in less memory",
            means: "The process exited without reporting a cause.",
            next: "Use `--low-memory`. If the error persists, please report it.",
        }
        KilledBySignal { action: EvaluationAction, signal: String } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator was killed by {signal}",
            hint: "try again; if the error persists, please report it with the output above",
            means: "A signal ended the evaluator.",
            next: "Try again. If the error persists, please report it.",
        }
        StackOverflow { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluation overflowed its stack",
            hint: "a value or function probably depends on itself: use --option max-call-depth 1000 to get an error \
                with the position",
            means: "A function calls itself endlessly, or a value depends on itself.",
            next: "Use `--option max-call-depth 1000` to get an error that names the location.",
        }
        HostsFail { reason: String } {
            kind: Evaluation,
            text: "cannot list the hosts: {reason}",
            means: "The outputs of the flake could not be read, so its hosts are unknown.",
            next: "Look at the position in the message, or use `--show-trace`.",
        }
        ModulesFail { system: String, reason: String } {
            kind: Evaluation,
            text: "cannot list the modules of {system}: {reason}",
            means: "The evaluation of the module list failed, with a message from Nix or nixpkgs.",
            next: "Look at the position in the message, or use `--show-trace`.",
        }
        ExpressionFails { option: String, reason: String } {
            kind: Evaluation,
            text: "cannot evaluate the expression for {option}: {reason}",
            means: "The expression of `set --nix` throws an error. The rest of the message comes from Nix.",
            next: "Correct the expression, or use `--show-trace`.",
        }
        SystemFails { system: String, reason: String } {
            kind: Evaluation,
            text: "cannot evaluate {system}: {reason}",
            means: "The evaluation of a host, or of a system in a file (`--file`), failed. The rest of the message \
                comes from Nix or nixpkgs. Hints for frequent errors are below.",
            next: "Look at the position in the message, or use `--show-trace`.",
        }
        ValueFails { value: String, reason: String } {
            kind: Evaluation,
            text: "cannot measure {value}: {reason}",
            means: "The evaluation of a value to measure failed, with a message from Nix or nixpkgs.",
            next: "Look at the position in the message, or use `--show-trace`.",
        }
        UnknownProblem { action: EvaluationAction, problem: String } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator reported the unknown problem '{problem}'",
            hint: "this is a bug in runtime-module: please report it",
            means: "The program does not know a problem that its own expression reported.",
            next: "Please report it.",
        }
    }
}
