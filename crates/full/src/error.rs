//! Messages of this program itself.

use runtime_module_core::error::{Message as _, MessageRow};
use runtime_module_core::messages;

messages! {
    /// Reasons why an internal command is refused.
    pub enum RoleError {
        Elevated {
            kind: Usage,
            text: "cannot run this internal command: only runtime-module provides it",
            hint: "run runtime-module instead of runtime-module-nix",
            means: "`runtime-module-nix` was started by hand with an internal command of the other program.",
            next: "Run `runtime-module`, which starts the other program itself.",
        }
    }
}

/// Returns the rows of all messages of the program.
pub fn rows() -> impl Iterator<Item = &'static MessageRow> {
    runtime_module_core::error::rows()
        .chain(runtime_module_nix::error::rows())
        .chain(runtime_module_bench::error::rows())
        .chain(runtime_module_guest::error::rows())
        .chain(RoleError::ROWS)
}
