//! Messages about the options of overrides.

use crate::messages;

messages! {
    /// Reasons why the configuration does not accept the override of an option.
    pub enum OptionError {
        NotFound { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option does not exist",
            means: "Neither the host nor a requested module declares an option with this name.",
            next: "Use the name that the hint suggests.",
        }
        SetOfOptions { option: String, names: String } {
            kind: Usage,
            text: "cannot set {option}: the path leads to a set of options, not to an option",
            hint: "use one of its options: {names}",
            means: "The path is too short.",
            next: "Append the name of an option to the path.",
        }
        InsideList { option: String, list: String } {
            kind: Usage,
            text: "cannot set {option}: {list} is a list, and a path cannot name an element of a list",
            hint: "set the whole list {list}, or add to it with --merge",
            means: "The path continues inside a list, and a list can be overridden only as a whole.",
            next: "Set the whole list, or add to it with `--merge`.",
        }
        PartNotMerged { option: String, whole: String } {
            kind: Usage,
            text: "cannot set {option}: {whole} can be set only as a whole",
            hint: "set the whole option {whole}",
            means: "The path continues inside the value of an option, but the type of this option does not merge \
                definitions of parts of the value.",
            next: "Set the whole option.",
        }
        ReadOnly { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option is read-only",
            hint: "set the options from which the value is computed",
            means: "NixOS, or a module, computes the value of this option.",
            next: "Set the options from which the value is computed.",
        }
        Internal { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option is internal",
            hint: "set a documented option instead",
            means: "The meaning of an internal option can change with each release of NixOS.",
            next: "Set a documented option instead.",
        }
        Hidden { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option is hidden from the documentation",
            hint: "set the option that replaces it, if there is one",
            means: "A hidden option is usually the old name of another option, kept for old configurations.",
            next: "Set the option that replaces it, if there is one.",
        }
        NoLongerDeclared { host: String, option: String } {
            kind: Evaluation,
            text: "cannot evaluate host '{host}' with the override of {option}: \
                the configuration no longer has this option",
            means: "The module that declares the option is no longer enabled, or the new source no longer declares \
                the option.",
            next: "Run `runtime-module unset OPTION`, or keep the module that declares the option.",
        }
        StorePathGone { host: String, option: String, path: String } {
            kind: Evaluation,
            text: "cannot evaluate host '{host}' with the override of {option}: {path} is no longer in the store",
            means: "The value contains a store path that was garbage-collected after the override was replaced or \
                removed.",
            next: "Set the value again with `set --nix`.",
        }
    }
}
