//! Messages about faults that tests inject.

use crate::messages;

messages! {
    /// Reasons why a fault cannot be injected.
    pub enum FaultError {
        NotAFault { value: String } {
            kind: Usage,
            text: "cannot use RUNTIME_MODULE_FAULT={value}: the value does not describe a fault",
            hint: "use POINT[@N]:before|after[:kill|:stop|:eio|:enospc|:short=N|:cut=N]; \
                run `runtime-module __faults` to list the points",
            means: "Tests use this environment variable to inject faults. Its value does not have the format \
                that the hint shows.",
            next: "Unset the variable, or run `runtime-module __faults` from a debug build to list the points.",
        }
    }
}
