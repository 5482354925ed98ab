//! Reads environment variables.

use crate::command::Environment;

/// Reads environment variables. An empty value counts as unset.
pub(super) fn read() -> Environment {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    Environment {
        folder: variable("RUNTIME_GUEST_FOLDER").map(Into::into),
        runtime_dir: variable("XDG_RUNTIME_DIR").map(Into::into),
        path: variable("PATH"),
    }
}
