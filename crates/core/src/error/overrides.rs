//! Messages about option overrides: their paths, values, priorities and generations.

use crate::messages;

messages! {
    /// Reasons why options cannot be overridden.
    pub enum OverrideError {
        EmptyPath {
            kind: Usage,
            text: "cannot override an option: the path of the option is empty",
            hint: "specify an option, such as services.openssh.settings.PermitRootLogin",
            means: "The argument for the option is empty, for example because a shell variable is not set.",
            next: "Specify an option, such as `services.openssh.settings.PermitRootLogin`.",
        }
        ModuleArguments { path: String } {
            kind: Usage,
            text: "cannot override {path}: _module is reserved for the module system",
            hint: "set module arguments in the configuration, then run `runtime-module rebuild`",
            means: "The names below `_module` configure the module system itself, for example its module arguments.",
            next: "Set module arguments in the configuration, then run `runtime-module rebuild`.",
        }
        InterpretedName { path: String } {
            kind: Usage,
            text: "cannot override {path}: the path contains _type or _module, which the module system would interpret",
            hint: "use a path without the names _type and _module",
            means: "The names `_type` and `_module` have a special meaning for the module system.",
            next: "Use a path without these names.",
        }
        ControlCharacterInPath { path: String, found: u32 } {
            kind: Usage,
            text: "cannot override {path}: the path contains the control character U+{found:04X}",
            hint: "remove the control character from the path",
            means: "Option names contain no control characters. Such a character often comes from pasted text.",
            next: "Remove the control character, or type the path again.",
        }
        NoValue { option: String, quoted: String } {
            kind: Usage,
            text: "cannot set {option}: the value is missing",
            hint: "add a value after the option: `runtime-module set {quoted} VALUE`",
            means: "`set` takes pairs of an option and a value, but the last option has no value.",
            next: "Add a value after the option: JSON, or a Nix expression with `--nix`.",
        }
        NamedTwice { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option is given twice",
            hint: "give each option once, or use --merge to merge both values",
            means: "One of the two values would have no effect.",
            next: "Give each option once, or use `--merge` to merge both values.",
        }
        NotJson { option: String, value: String, reason: String } {
            kind: Usage,
            text: "cannot set {option}: the value '{value}' is not valid JSON: {reason}",
            means: "Without `--nix`, values are JSON, so a string needs its own quotes.",
            next: "Quote a string for JSON and for the shell: `'\"text\"'`. To use a Nix expression, add `--nix`.",
        }
        NothingOnStdin {
            kind: Usage,
            text: "cannot set options: stdin contains no options",
            hint: "write an option and its value in JSON on each line: services.nginx.enable true",
            means: "`set -` reads pairs of an option and a value from stdin. It ignores empty lines and lines that \
                begin with `#`.",
            next: "Write an option and its value in JSON on each line.",
        }
        LineWithoutValue { number: usize, line: String } {
            kind: Usage,
            text: "cannot parse line {number} of stdin: {line} has no value",
            hint: "write an option and its value in JSON on each line: services.nginx.enable true",
            means: "`set -` expects an option and its value on each line, separated by a space.",
            next: "Write the value in JSON after the option and a space.",
        }
        StdinTooLong {
            kind: Usage,
            text: "cannot set options: stdin contains more than 16 MiB",
            hint: "split the lines across several runs of `runtime-module set -`",
            means: "`set -` reads at most 16 MiB.",
            next: "Split the lines across several runs.",
        }
        VerifiedStateLost {
            kind: Refused,
            text: "cannot undo unverified overrides: the last verified state is no longer in the history",
            hint: "run `runtime-module overrides reset` to remove all overrides",
            means: "The overrides in force are wrong or incomplete. The history keeps only a limited number of states.",
            next: "Remove the overrides with `runtime-module unset` or `runtime-module overrides reset`.",
        }
        NeverVerified {
            kind: Refused,
            text: "cannot verify overrides: the system changed during each attempt",
            hint: "run `runtime-module overrides verify` when no other command changes overrides",
            means: "Changes to the system follow each other faster than the whole system can be evaluated.",
            next: "Run `runtime-module overrides verify` later. The overrides stay in force.",
        }
        NothingToRollBack {
            kind: Refused,
            text: "cannot roll back overrides: no option has been overridden since boot",
            hint: "run `runtime-module overrides` to list the overridden options",
            means: "This boot has no earlier generation of overrides to return to.",
            next: "Run `runtime-module overrides` to list the overridden options.",
        }
        ValueTooLarge { option: String } {
            kind: Usage,
            text: "cannot set {option}: the value is larger than 1 MiB in JSON",
            hint: "if the option accepts a path, put the data in a file; otherwise, change the configuration",
            means: "The recorded overrides must stay small. If the value is merged into another override, the limit \
                applies to the merged value.",
            next: "If the option accepts a path, put the data in a file. Otherwise, change the configuration.",
        }
        TypeInValue { option: String, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value contains _type{place}, which the module system would interpret",
            hint: "write the plain value without mkIf, mkForce, mkMerge or similar; use --priority or --merge instead",
            means: "Values must be plain data, unlike the results of `mkIf`, `mkForce`, `mkMerge` and similar \
                functions.",
            next: "Write the plain value. Use `--priority` instead of `mkForce`, and `--merge` instead of `mkMerge`.",
        }
        ModuleInValue { option: String, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value contains _module{place}, which the module system would interpret",
            hint: "remove _module from the value, and set module arguments in the configuration",
            means: "Values must be plain data, so they cannot set module arguments.",
            next: "Remove `_module` from the value, and set module arguments in the configuration.",
        }
        ControlCharacterInValue { option: String, found: u32, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value contains the control character U+{found:04X}{place}",
            hint: "remove the control character; only line breaks (\\n) and tabs (\\t) are allowed",
            means: "Strings and names may contain line breaks and tabs, but no other control characters.",
            next: "Remove the control character.",
        }
        IntegerTooLarge { option: String, integer: u64, place: String } {
            kind: Usage,
            text: "cannot set {option}: the integer {integer}{place} is too large for Nix",
            hint: "use an integer up to 9223372036854775807, or a string if the option accepts one: '\"{integer}\"'",
            means: "Nix integers are signed 64-bit numbers.",
            next: "Use a smaller integer, or a string if the option accepts one.",
        }
        NestedTooDeeply { option: String, levels: usize } {
            kind: Usage,
            text: "cannot set {option}: the value is nested more than {levels} levels deep",
            hint: "use a longer option path to set only a part of the value, or change the configuration",
            means: "Lists and attribute sets in a value may be nested at most 100 levels deep.",
            next: "Use a longer option path to set only a part of the value, or change the configuration.",
        }
        InsideList { option: String, above: String, quoted: String } {
            kind: Usage,
            text: "cannot set {option}: {above} is set to a list, and a path cannot name an element of a list",
            hint: "set the whole list: `runtime-module set {quoted} VALUE`",
            means: "The path continues inside a list, and a list can be overridden only as a whole.",
            next: "Set the whole list, or add to it with `set --merge`.",
        }
        NoAttributes { option: String, above: String, kind: &'static str, quoted: String } {
            kind: Usage,
            text: "cannot set {option}: {above} is set to {kind}, which has no attributes",
            hint: "set the whole value: `runtime-module set {quoted} VALUE`",
            means: "The path continues below a value that is not an attribute set.",
            next: "Set the outer option to a complete value with `runtime-module set`.",
        }
        InsidePersistent { option: String, above: String } {
            kind: Usage,
            text: "cannot set {option} without --persist: {above} is overridden as a whole with --persist",
            hint: "add --persist, or set {above} again without it",
            means: "The value would become a part of another override, which is persistent. The parts of an override \
                are either all persistent or all temporary.",
            next: "Add `--persist`, or set the other option again without it.",
        }
        InsideTemporary { option: String, above: String } {
            kind: Usage,
            text: "cannot set {option} with --persist: {above} is overridden as a whole without --persist",
            hint: "omit --persist, or set {above} again with it",
            means: "The value would become a part of another override, which is temporary. The parts of an override \
                are either all persistent or all temporary.",
            next: "Omit `--persist`, or set the other option again with it.",
        }
        PriorityOfPart { option: String, priority: i64, above: String } {
            kind: Usage,
            text: "cannot set {option} at priority {priority}: {above} is overridden as a whole",
            hint: "omit --priority; the value then becomes a part of the override of {above}",
            means: "The value would become a part of another override, whose priority applies to all of its parts.",
            next: "Omit `--priority`.",
        }
        PriorityTooWeak { option: String, priority: i64, present: i64 } {
            kind: Usage,
            text: "cannot set {option} at priority {priority}: the existing override has priority {present}",
            means: "A new override must be stronger than the existing one. A smaller number is stronger.",
            next: "Use a smaller number, or omit `--priority`.",
        }
        NoStrongerPriority { option: String, other: String, priority: i64, quoted: String } {
            kind: Usage,
            text: "cannot set {option}: the override of {other} has the strongest possible priority, {priority}",
            hint: "run `runtime-module unset {quoted}`, then set {other} again with a larger number as its priority",
            means: "A new override must be stronger than all others, but no integer is smaller than this priority.",
            next: "Unset the other option, then set it again with a larger number as its priority.",
        }
        PriorityOfMerge { option: String, priority: i64 } {
            kind: Usage,
            text: "cannot merge into {option} at priority {priority}: a merge uses the existing priority of the option",
            hint: "omit --priority or --merge",
            means: "A merge cannot have a priority of its own.",
            next: "Omit `--priority` or `--merge`.",
        }
        TooManyMerges { option: String, merges: usize, quoted: String } {
            kind: Usage,
            text: "cannot merge into {option}: the option already has {merges} merged values",
            hint: "set the whole value instead: `runtime-module set {quoted} VALUE`",
            means: "Each merge slows down evaluation, so their number is limited.",
            next: "Set the whole value with `runtime-module set`, which replaces the merged values.",
        }
        PartOfOverride { option: String, above: String, quoted: String } {
            kind: Usage,
            text: "cannot unset {option}: the option is a part of the override of {above}",
            hint: "set {above} to a value without this part, or run `runtime-module unset {quoted}`",
            means: "An override can be removed only as a whole.",
            next: "Set the outer option to a value without this part, or unset the outer option.",
        }
        NotOverridden { option: String } {
            kind: Usage,
            text: "cannot unset {option}: the option is not overridden",
            means: "No override sets this option or an option below it.",
            next: "Run `runtime-module overrides` to list the overridden options.",
        }
        UnknownGeneration { number: u64, first: u64, last: u64 } {
            kind: Usage,
            text: "cannot find generation {number}: no such generation is recorded (first: {first}, last: {last})",
            hint: "run `runtime-module overrides history` to list the generations",
            means: "The history of overrides starts again at each boot, so generations of earlier boots are gone.",
            next: "Run `runtime-module overrides history` to list the generations.",
        }
        NoGeneration { number: u64 } {
            kind: Usage,
            text: "cannot find generation {number}: no option has been overridden since boot",
            hint: "run `runtime-module set OPTION VALUE` to override an option",
            means: "The history of overrides is empty. The first `set` of this boot creates generation 1.",
            next: "Run `runtime-module set OPTION VALUE` to override an option.",
        }
        EarlierGenerationMissing { number: u64, missing: u64 } {
            kind: Refused,
            text: "cannot reconstruct generation {number}: generation {missing} is missing from the history",
            hint: "choose a generation before {missing}, or one after a later rollback or reset; run `runtime-module \
                overrides history` to list them",
            means: "A generation is reconstructed from the changes since the last rollback or reset of the \
                overrides. One of these changes was not recorded, or the history file was moved.",
            next: "Choose a generation before the missing one, or one after a later rollback or reset. Run \
                `runtime-module overrides history` to list them.",
        }
    }
}
