//! Messages about faults that tests inject.

use crate::messages;

messages! {
    /// Reasons why a fault cannot be injected.
    pub enum FaultError {
        NotAFault { value: String } {
            kind: Usage,
            text: "cannot use RUNTIME_MODULE_FAULT={value}: the value is not a fault",
            hint: "use POINT[@N]:before|after[:kill|:stop|:eio|:enospc|:short=N|:cut=N]; \
                run `runtime-module __faults` to list the points",
            means: "The variable is for tests. Its value does not name a fault.",
            next: "Unset the variable, or run `runtime-module __faults` of a debug build to list the points.",
        }
    }
}
