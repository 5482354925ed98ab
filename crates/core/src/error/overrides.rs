//! Messages about option overrides: their paths, values, priorities and generations.

use crate::messages;

messages! {
    /// Reasons why options cannot be overridden.
    pub enum OverrideError {
        EmptyPath {
            kind: Usage,
            text: "cannot override an option: the path is empty",
            hint: "name an option, such as services.openssh.settings.PermitRootLogin",
            means: "A command that changes overrides got an empty path.",
            next: "Name an option, such as `services.openssh.settings.PermitRootLogin`.",
        }
        ModuleArguments { path: String } {
            kind: Usage,
            text: "cannot override {path}: _module is not an option",
            hint: "set module arguments in the configuration, and activate it with `runtime-module rebuild`",
            means: "Module arguments cannot be overridden on the running system.",
            next: "Set them in the configuration and run `runtime-module rebuild`.",
        }
        InterpretedName { path: String } {
            kind: Usage,
            text: "cannot override {path}: the module system interprets _type and _module",
            hint: "use a path without the names _type and _module",
            means: "The path contains a name that has a special meaning for the module system.",
            next: "Use a path without the names `_type` and `_module`.",
        }
        ControlCharacterInPath { path: String, found: u32 } {
            kind: Usage,
            text: "cannot override {path}: the path contains the control character U+{found:04X}",
            hint: "remove the control character from the path",
            means: "A name in the path contains a control character.",
            next: "Remove the control character.",
        }
        NoValue { option: String, quoted: String } {
            kind: Usage,
            text: "cannot set {option}: no value was given",
            hint: "add a value in JSON after the option: `runtime-module set {quoted} VALUE`",
            means: "`set` takes pairs of an option and a value.",
            next: "Add a value in JSON after the option.",
        }
        NamedTwice { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option is named twice",
            hint: "name each option once, or use --merge to merge both values",
            means: "One of the two values would have no effect.",
            next: "Name each option once, or use `--merge` to merge both values.",
        }
        NotJson { option: String, value: String, reason: String } {
            kind: Usage,
            text: "cannot set {option}: the value {value} is not JSON: {reason}",
            means: "Values are written in JSON, so strings need their quotes.",
            next: "Write the value as the hint shows.",
        }
        NothingOnStdin {
            kind: Usage,
            text: "cannot set options: stdin contains no options",
            hint: "write an option and its value in JSON on each line: services.nginx.enable true",
            means: "`set -` reads pairs of an option and a value from stdin, but stdin contained no pair.",
            next: "Write an option and its value in JSON on each line.",
        }
        LineWithoutValue { number: usize, line: String } {
            kind: Usage,
            text: "cannot read line {number} of stdin: {line} has no value",
            hint: "write an option and its value in JSON on each line: services.nginx.enable true",
            means: "`set -` takes an option and its value on each line.",
            next: "Write the value in JSON after the option and a space.",
        }
        StdinTooLong {
            kind: Usage,
            text: "cannot read options and values from stdin: stdin contains more than 16 MiB",
            hint: "divide the lines among several runs of `runtime-module set -`",
            means: "`set -` reads at most 16 MiB.",
            next: "Divide the pairs among several runs.",
        }
        NothingToRollBack {
            kind: Refused,
            text: "cannot roll back overrides: no option has been overridden since boot",
            hint: "run `runtime-module overrides` to list the overridden options",
            means: "There is no earlier generation.",
            next: "Run `runtime-module overrides` to list the overridden options.",
        }
        ValueTooLarge { option: String } {
            kind: Usage,
            text: "cannot set {option}: the value is larger than 1 MiB of JSON",
            hint: "put the data in a file and set the option to its path, or change the configuration",
            means: "The value is too large for the record. If it is merged into another override, the limit applies to \
                the merged value.",
            next: "Put the data in a file and set the option to its path, or change the configuration.",
        }
        TypeInValue { option: String, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value contains _type{place}, which the module system would interpret",
            hint: "write the plain value without mkIf, mkForce, mkMerge or similar; use --priority or --merge instead",
            means: "Values are plain data. The result of `mkIf`, `mkForce`, `mkMerge` and similar functions is not.",
            next: "Write the plain value. Use `--priority` or `--merge`.",
        }
        ModuleInValue { option: String, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value contains _module{place}, which the module system would interpret",
            hint: "remove _module; set module arguments in the configuration",
            means: "Values are plain data and cannot set module arguments.",
            next: "Remove `_module` from the value.",
        }
        ControlCharacterInValue { option: String, found: u32, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value contains the control character U+{found:04X}{place}",
            hint: "remove the control character; strings may contain line breaks (\\n) and tabs (\\t), but no other \
                control characters",
            means: "Strings and names may contain line breaks and tabs, but no other control characters.",
            next: "Remove the control character.",
        }
        IntegerTooLarge { option: String, integer: u64, place: String } {
            kind: Usage,
            text: "cannot set {option}: the integer {integer}{place} is too large for Nix",
            hint: "use an integer up to 9223372036854775807, or a string if the option accepts one: '\"{integer}\"'",
            means: "Nix integers are signed and have 64 bits.",
            next: "Use a smaller integer, or a string if the option accepts one.",
        }
        NestedTooDeeply { option: String, levels: usize } {
            kind: Usage,
            text: "cannot set {option}: the value is nested more than {levels} levels deep",
            hint: "use a longer option path to set only a part of the value, or change the configuration",
            means: "Lists and attribute sets in a value may be 100 levels deep.",
            next: "Set a part of the option by a longer path, or change the configuration.",
        }
        InsideList { option: String, above: String, quoted: String } {
            kind: Usage,
            text: "cannot set {option}: {above} is set to a list, and a path cannot name an element of a list",
            hint: "set the whole value: `runtime-module set {quoted} VALUE`",
            means: "The path continues inside a list, which is overridden as a whole.",
            next: "Set the whole list, as the hint says.",
        }
        NoAttributes { option: String, above: String, kind: &'static str, quoted: String } {
            kind: Usage,
            text: "cannot set {option}: {above} is set to {kind}, which has no attributes",
            hint: "set the whole value: `runtime-module set {quoted} VALUE`",
            means: "The path continues inside a value without attributes, which is overridden as a whole.",
            next: "Set the whole value, as the hint says.",
        }
        InsidePersistent { option: String, above: String } {
            kind: Usage,
            text: "cannot set {option}: {above} is overridden as a whole, with --persist",
            hint: "add --persist, or set {above} again",
            means: "The value would become a part of another override, which is persistent. Either all parts of an \
                override are persistent, or none are.",
            next: "Add `--persist`, or set the other option again without it.",
        }
        InsideTemporary { option: String, above: String } {
            kind: Usage,
            text: "cannot set {option}: {above} is overridden as a whole, without --persist",
            hint: "leave out --persist, or set {above} again",
            means: "The value would become a part of another override, which is not persistent. Either all parts of an \
                override are persistent, or none are.",
            next: "Leave out `--persist`, or set the other option again with it.",
        }
        PriorityOfPart { option: String, priority: i64, above: String } {
            kind: Usage,
            text: "cannot set {option} at priority {priority}: {above} is overridden as a whole",
            hint: "leave out --priority: the value becomes a part of the override of {above}",
            means: "The value becomes a part of another override, whose priority applies to all of its parts.",
            next: "Leave out `--priority`.",
        }
        PriorityTooWeak { option: String, priority: i64, present: i64 } {
            kind: Usage,
            text: "cannot set {option} at priority {priority}: the present override has priority {present}",
            means: "A new override must be stronger than the present one. A smaller number is stronger.",
            next: "Use a smaller number, or leave out `--priority`.",
        }
        NoStrongerPriority { option: String, other: String, priority: i64, quoted: String } {
            kind: Usage,
            text: "cannot set {option}: the override of {other} has the strongest possible priority, {priority}",
            hint: "run `runtime-module unset {quoted}`, then set {other} again with another priority",
            means: "No number is smaller than that priority.",
            next: "Unset that option and set it again with another priority.",
        }
        PriorityOfMerge { option: String, priority: i64 } {
            kind: Usage,
            text: "cannot merge into {option} at priority {priority}: a merge takes the option's present priority",
            hint: "leave out --priority or --merge",
            means: "A merge cannot have a priority of its own.",
            next: "Leave out `--priority` or `--merge`.",
        }
        TooManyMerges { option: String, merges: usize, quoted: String } {
            kind: Usage,
            text: "cannot merge into {option}: the option already has {merges} merged values",
            hint: "set the whole value instead: `runtime-module set {quoted} VALUE`",
            means: "Each merge makes an evaluation slower, so the number of merges is limited.",
            next: "Set the whole value with `runtime-module set`.",
        }
        PartOfOverride { option: String, above: String, quoted: String } {
            kind: Usage,
            text: "cannot unset {option}: {above} is overridden as a whole",
            hint: "set {above} to a value without this part, or run `runtime-module unset {quoted}`",
            means: "The option is part of the value of another override.",
            next: "Set the outer option to a value without this part, or unset the outer option.",
        }
        NotOverridden { option: String } {
            kind: Usage,
            text: "cannot unset {option}: the option is not overridden",
            means: "There is no override at this path or below it.",
            next: "Run `runtime-module overrides` to list the overridden options.",
        }
        UnknownGeneration { number: u64, first: u64, last: u64 } {
            kind: Usage,
            text: "cannot find generation {number}: this boot has generations {first} to {last}",
            hint: "run `runtime-module overrides history` to list them",
            means: "The history of overrides has no generation with this number.",
            next: "Run `runtime-module overrides history` to list the generations.",
        }
        NoGeneration { number: u64 } {
            kind: Usage,
            text: "cannot find generation {number}: this boot has no generation of overrides",
            hint: "run `runtime-module set OPTION VALUE` to make one",
            means: "No option has been overridden since boot.",
            next: "Run `runtime-module set OPTION VALUE` to override one.",
        }
        EarlierGenerationMissing { number: u64, missing: u64 } {
            kind: Refused,
            text: "cannot restore generation {number}: generation {missing} is not recorded",
            hint: "name a later generation; run `runtime-module overrides history` to list them",
            means: "The history of overrides lacks a generation, because its file was moved away or could not be \
                written.",
            next: "Name a later generation. Run `runtime-module overrides history` to list them.",
        }
    }
}
