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
            text: "cannot {action}: the name refers to a set of hosts, not to a host",
            means: "`nixosConfigurations` contains sets of hosts, for example one for each platform.",
            next: "Use the path of one of the listed hosts, such as `--host x86_64-linux.box`.",
        }
        UnknownHost { action: EvaluationAction, flake: String } {
            kind: Usage,
            text: "cannot {action}: the flake {flake} has no host with this name",
            means: "The name comes from `--host`, the flake reference, the pin, or the host name of this machine.",
            next: "Select one of the listed hosts with `--host`.",
        }
        NoModulesInHost { action: EvaluationAction } {
            kind: Usage,
            text: "cannot {action}: the host declares no runtime modules (it has no option services.runtimeModules), \
                and the flake has no output runtimeModules",
            hint: "import nixosModules.default of the runtime-module flake in the host, \
                and declare modules in services.runtimeModules.modules",
            means: "Runtime modules are declared in the option `services.runtimeModules.modules` or in the flake's \
                output `runtimeModules`.",
            next: "Import `nixosModules.default` of the runtime-module flake in the host and declare modules \
                (docs/modules.md).",
        }
        NoModulesInFile { action: EvaluationAction } {
            kind: Usage,
            text: "cannot {action}: the file declares no runtime modules (it has no option services.runtimeModules)",
            hint: "import nixos/runtime-modules of the runtime-module repository in the file, \
                and declare modules in services.runtimeModules.modules",
            hint: "or add the file of a module with --module FILE",
            means: "In a file, runtime modules are declared in the option `services.runtimeModules.modules`.",
            next: "In the file, import `nixos/runtime-modules` from the runtime-module repository, and declare modules \
                (docs/modules.md). Or add a module with `--module FILE`.",
        }
        NoSuchExtraModule { action: EvaluationAction, module: String } {
            kind: Usage,
            text: "cannot {action}: the flake of --module {module} has no such module",
            hint: "after the #, write the full path of an output, or the name of an entry of nixosModules or \
                runtimeModules; without a #, the module is `default`",
            means: "The flake was fetched, but has no output of that name.",
            next: "Use one of the listed names.",
        }
        UnknownSpecialisation { action: EvaluationAction, name: String } {
            kind: Usage,
            text: "cannot {action}: the host has no specialisation '{name}'",
            hint: "use one of the available names, or --specialisation '' for the host itself",
            means: "The name comes from `--specialisation` or from the running system.",
            next: "Use one of the listed names, or `--specialisation ''` for the host itself.",
        }
        NoValue { action: EvaluationAction, name: String } {
            kind: Usage,
            text: "cannot {action}: the attribute '{name}' does not exist",
            means: "The path of the value to measure begins with a name that does not exist.",
            next: "Use one of the listed or suggested names.",
        }
        NoAttribute { action: EvaluationAction, name: String, place: String } {
            kind: Usage,
            text: "cannot {action}: {place} has no attribute '{name}'",
            means: "The name comes from the path of `--attr`, or of a value to measure.",
            next: "Use one of the listed or suggested names.",
        }
        NotASet { action: EvaluationAction, value: String, type_name: String } {
            kind: Usage,
            text: "cannot {action}: {value} has no attributes (its type is {type_name})",
            means: "The path continues below a value that is not an attribute set.",
            next: "End the path at that value, or quote a name that contains a dot.",
        }
        FunctionForced { action: EvaluationAction } {
            kind: Usage,
            text: "cannot {action}: the value is a function, which cannot be converted to JSON",
            hint: "measure the result of a call instead, or use `bench options --shallow` to force the value only \
                to weak head normal form",
            means: "Benchmarks force a value deeply, as JSON, and a function has no JSON form.",
            next: "Measure the result of a call instead, or use `bench options --shallow`.",
        }
        NoConfigurations { action: EvaluationAction, flake: String } {
            kind: Evaluation,
            text: "cannot {action}: the flake {flake} has no output nixosConfigurations",
            hint: "use --flake to specify the flake that has your NixOS configuration",
            means: "The flake can be evaluated, but contains no NixOS configuration.",
            next: "Specify the flake that has your configuration with `--flake`.",
        }
        HostNotExtensible { action: EvaluationAction, host: String } {
            kind: Evaluation,
            text: "cannot {action}: nixosConfigurations.{host} cannot be extended (it has no extendModules)",
            hint: "define the host with nixpkgs.lib.nixosSystem",
            means: "The entry of `nixosConfigurations` was not made by `nixosSystem`.",
            next: "Define the host with `nixpkgs.lib.nixosSystem`.",
        }
        NotASystem { action: EvaluationAction, type_name: String } {
            kind: Evaluation,
            text: "cannot {action}: the value is not a NixOS system (its type is {type_name})",
            means: "The file, or the attribute that `--attr` names, does not contain a system. Without `--attr`, \
                the file may also be a NixOS module.",
            next: "Use `--attr` to select the result of `nixosSystem`, `eval-config.nix` or `lib.evalModules`. The \
                hint lists systems inside the value.",
        }
        FileNotExtensible { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the configuration cannot be extended (it has no extendModules)",
            hint: "instead of `import <nixpkgs/nixos> {{ … }}`, use `import <nixpkgs/nixos/lib/eval-config.nix> {{ \
                modules = [ … ]; }}`",
            means: "The result of `import <nixpkgs/nixos> { … }`, for example, has no `extendModules`.",
            next: "Use `import <nixpkgs/nixos/lib/eval-config.nix> { modules = [ … ]; }` instead.",
        }
        RequiredArguments { action: EvaluationAction, arguments: String } {
            kind: Evaluation,
            text: "cannot {action}: the function has required arguments: {arguments}",
            hint: "give each argument a name and a default, or use --attr to select an attribute that is a system",
            means: "The program calls a function only if all its arguments have names and defaults.",
            next: "Give all arguments defaults, or use `--attr` to select an attribute that is a system.",
        }
        NoNixpkgs { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: <nixpkgs> was not found, and a NixOS module needs it",
            hint: "set NIX_PATH=nixpkgs=FOLDER, or use --option nix-path nixpkgs=FOLDER",
            hint: "if `sudo nix-channel --list` shows channels, fetch them with `sudo nix-channel --update`",
            hint: "if NIX_PATH is set and you use sudo, keep the variable with `sudo --preserve-env=NIX_PATH`",
            means: "The program evaluates a NixOS module with `<nixpkgs>` from `NIX_PATH`, from the setting \
                `nix-path`, or from the channels.",
            next: "Set `NIX_PATH=nixpkgs=FOLDER`, or use `--option nix-path nixpkgs=FOLDER`. If the machine has \
                channels, fetch them with `nix-channel --update` as root.",
        }
        NoToplevel { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the configuration has no config.system.build.toplevel",
            hint: "check that the configuration is a NixOS configuration",
            means: "Every NixOS configuration has this attribute, which is the system itself.",
            next: "Check that the configuration is a NixOS configuration.",
        }
        DeclaredTwice { action: EvaluationAction, module: String } {
            kind: Evaluation,
            text: "cannot {action}: the module '{module}' is declared twice",
            hint: "rename one of the two modules",
            means: "Two declarations have the same name. The lines below the message show where.",
            next: "Rename one of the two modules.",
        }
        AssertionFailed { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: an assertion failed",
            means: "The configuration, or a module that it imports, requires a condition that does not hold.",
            next: "Follow the message of the assertion, or leave the module disabled.",
        }
        AssertionsFailed { action: EvaluationAction, count: usize } {
            kind: Evaluation,
            text: "cannot {action}: {count} assertions failed",
            means: "The configuration, or modules that it imports, require conditions that do not hold.",
            next: "Follow the messages of the assertions, or leave the module disabled.",
        }
        OutOfMemory { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator ran out of memory",
            hint: "use --low-memory to evaluate with less memory",
            means: "The evaluator requested memory that the machine did not have.",
            next: "Use `--low-memory` (see docs/performance.md).",
        }
        Killed { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator was killed, probably because memory ran out",
            hint: "use --low-memory to evaluate with less memory; run `dmesg` to see whether the kernel killed the \
                evaluator",
            means: "The evaluator ended with SIGKILL. `dmesg` shows whether the kernel sent the signal.",
            next: "Use `--low-memory`, or add memory to the machine.",
        }
        Aborted { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator aborted, probably because memory ran out",
            hint: "use --low-memory to evaluate with less memory",
            means: "The evaluator ended with SIGABRT, which usually means that an allocation failed.",
            next: "Use `--low-memory`, or add memory to the machine.",
        }
        NoAnswer { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator exited without an answer, probably because memory ran out",
            hint: "use --low-memory to evaluate with less memory",
            means: "The process exited without reporting a cause.",
            next: "Use `--low-memory`. If the error persists, please report it.",
        }
        KilledBySignal { action: EvaluationAction, signal: String } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator was killed by {signal}",
            hint: "try again; if the error persists, please report it with the output above",
            means: "A lack of memory does not usually cause this signal.",
            next: "Try again. If the error persists, please report it.",
        }
        StackOverflow { action: EvaluationAction } {
            kind: Evaluation,
            text: "cannot {action}: the evaluation overflowed its stack",
            hint: "use --option max-call-depth 1000 to get an error with its position; a value or function probably \
                depends on itself",
            means: "A function calls itself endlessly, or a value depends on itself.",
            next: "Use `--option max-call-depth 1000` to get an error with its position.",
        }
        HostsFail { reason: String } {
            kind: Evaluation,
            text: "cannot list the hosts: {reason}",
            means: "The flake's output `nixosConfigurations` could not be evaluated. The reason comes from Nix.",
            next: "Look at the position that the message shows, or use `--show-trace`.",
        }
        ModulesFail { system: String, reason: String } {
            kind: Evaluation,
            text: "cannot list the modules of {system}: {reason}",
            means: "The evaluation of the module list failed. The reason comes from Nix or nixpkgs.",
            next: "Look at the position that the message shows, or use `--show-trace`.",
        }
        ExpressionFails { option: String, reason: String } {
            kind: Evaluation,
            text: "cannot evaluate the expression for {option}: {reason}",
            means: "The expression of `set --nix` throws an error. The reason comes from Nix.",
            next: "Correct the expression, or use `--show-trace`.",
        }
        SystemFails { system: String, reason: String } {
            kind: Evaluation,
            text: "cannot evaluate {system}: {reason}",
            means: "The evaluation of a host, or of a system in a file, failed. The reason comes from Nix or nixpkgs. \
                Hints for frequent errors are below.",
            next: "Look at the position that the message shows, or use `--show-trace`.",
        }
        ValueFails { value: String, reason: String } {
            kind: Evaluation,
            text: "cannot measure {value}: {reason}",
            means: "The evaluation of a value to measure failed. The reason comes from Nix or nixpkgs.",
            next: "Look at the position that the message shows, or use `--show-trace`.",
        }
        UnknownProblem { action: EvaluationAction, problem: String } {
            kind: Evaluation,
            text: "cannot {action}: the evaluator reported the unknown problem '{problem}'",
            hint: "please report this bug in runtime-module",
            means: "One of the built-in Nix expressions reported a problem that this program does not recognise.",
            next: "Please report this bug in runtime-module.",
        }
    }
}
