//! Messages about the expressions of `set --nix`.

use crate::messages;

messages! {
    /// Reasons why the value of an expression cannot be the value of an option. `place` is empty, or
    /// ` at ` and a path inside the value.
    pub enum ExpressionError {
        NotNix { option: String, reason: String } {
            kind: Usage,
            text: "cannot set {option}: the expression is not valid Nix: {reason}",
            means: "The expression of `set --nix` has a syntax error, or uses a name that is not defined.",
            next: "Correct the expression. It can use `config`, `lib`, `options`, `pkgs` and `builtins`.",
        }
        IsFunction { option: String } {
            kind: Usage,
            text: "cannot set {option}: the expression evaluates to a function, but an override must be plain data",
            hint: "call the function with its arguments, or write a module and add it with `runtime-module enable \
                --module FILE`",
            means: "An override is recorded as data, such as strings, lists and attribute sets. A function cannot be \
                recorded.",
            next: "Call the function with its arguments, or write a module and add it with `enable --module FILE`.",
        }
        ContainsFunction { option: String, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value of the expression contains a function{place}, \
                but an override must be plain data",
            hint: "call the function with its arguments, or write a module and add it with `runtime-module enable \
                --module FILE`",
            means: "An override is recorded as data, such as strings, lists and attribute sets. A function in a list \
                or set cannot be recorded.",
            next: "Call the function with its arguments, or write a module and add it with `enable --module FILE`.",
        }
        ContainsPath { option: String, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value of the expression contains a path{place}, which is not a string",
            hint: "write the path as a string, for example \"/a/file\", or convert it with toString",
            means: "An override is recorded as JSON, which has no paths.",
            next: "Write the path as a string, such as `\"/a/file\"`, or convert it with `toString`. Packages become \
                strings with their store path.",
        }
        ContainsNumber { option: String, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value of the expression contains a number{place} that JSON cannot \
                represent",
            hint: "use a finite number",
            means: "JSON has no infinite numbers and no NaN.",
            next: "Use a finite number.",
        }
        TooDeep { option: String } {
            kind: Usage,
            text: "cannot set {option}: the value of the expression is nested more than 100 levels deep",
            hint: "write an expression for only the part of the value that the option needs",
            means: "Lists and attribute sets in a value may be nested at most 100 levels deep.",
            next: "Write an expression for only the part of the value that the option needs.",
        }
        Interpreted { option: String, name: String, place: String } {
            kind: Usage,
            text: "cannot set {option}: the value of the expression contains {name}{place}, \
                which the module system would interpret",
            hint: "write the plain value without mkIf, mkForce, mkMerge or similar; use --priority or --merge instead",
            means: "The value contains `_module`, or the `_type` of a property such as `mkForce`.",
            next: "Write the plain value. Use `--priority` instead of `mkForce`, and `--merge` instead of `mkMerge`.",
        }
        OnDerivation { option: String, path: String } {
            kind: Evaluation,
            text: "cannot set {option}: the value depends on the derivation {path} itself, not on one of its outputs",
            hint: "use an output of the derivation, or write a module and add it with `runtime-module enable --module \
                FILE`",
            means: "The value depends on all outputs of a derivation, and this dependency could not be restored \
                later.",
            next: "Use an output of the derivation, or put the value into a module and add it with `enable --module \
                FILE`.",
        }
        OnUnknownOutput { option: String, path: String } {
            kind: Evaluation,
            text: "cannot set {option}: the value depends on an output of {path}, whose store path is known only \
                after the build",
            hint: "write a module instead, and add it with `runtime-module enable --module FILE`",
            means: "The derivation is content-addressed, so the store path of its output depends on the build result.",
            next: "Put the value into a module, and add it with `enable --module FILE`.",
        }
        OnHiddenPath { option: String, path: String } {
            kind: Evaluation,
            text: "cannot set {option}: the value depends on {path}, but its text does not contain this path",
            hint: "write a module instead, and add it with `runtime-module enable --module FILE`",
            means: "Only the text of a value is recorded, so a dependency that the text does not contain could not be \
                restored later.",
            next: "Put the value into a module, and add it with `enable --module FILE`.",
        }
    }
}
