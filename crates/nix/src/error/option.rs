//! Messages about the options of overrides.

use crate::messages;

messages! {
    /// Reasons why the configuration does not accept the override of an option.
    pub enum OptionError {
        NotFound { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option does not exist",
            means: "The configuration with the requested modules has no option of this name.",
            next: "Use the name that the hint suggests.",
        }
        SetOfOptions { option: String, names: String } {
            kind: Usage,
            text: "cannot set {option}: this is a set of options, not an option",
            hint: "name one of its options: {names}",
            means: "The path is too short.",
            next: "Name an option below it.",
        }
        InsideList { option: String, list: String } {
            kind: Usage,
            text: "cannot set {option}: the value of {list} is a list, and the path continues inside it",
            hint: "set the whole list {list}, or add to it with --merge",
            means: "A path cannot name an element of a list.",
            next: "Set the whole list, or add to it with `--merge`.",
        }
        PartNotMerged { option: String, whole: String } {
            kind: Usage,
            text: "cannot set {option}: the type of {whole} does not merge parts of its value",
            hint: "set the whole option {whole}",
            means: "The module system would not merge a definition of a part of this value.",
            next: "Set the whole option.",
        }
        ReadOnly { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option is read-only",
            hint: "set the options from which its value is computed",
            means: "NixOS computes the value of this option.",
            next: "Set the options from which its value is computed.",
        }
        Internal { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option is internal to the modules of NixOS",
            hint: "set a documented option instead",
            means: "The meaning of an internal option can change with each release.",
            next: "Set a documented option instead.",
        }
        Hidden { option: String } {
            kind: Usage,
            text: "cannot set {option}: the option is hidden from the documentation of NixOS",
            hint: "set the option that replaces it",
            means: "A hidden option is usually the old name of another option, kept for old configurations.",
            next: "Set the option that replaces it, if there is one.",
        }
        NoLongerDeclared { host: String, option: String } {
            kind: Evaluation,
            text: "cannot evaluate host '{host}' with the override of {option}: \
                the configuration no longer has this option",
            means: "The module that declares the option is no longer enabled, or the new source no longer declares \
                the option.",
            next: "Run `runtime-module unset OPTION`, or keep the module.",
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
