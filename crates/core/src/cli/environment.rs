//! Reads environment variables.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::options::Environment;

/// The environment variables of libgc that affect its speed (see libgc's
/// `docs/README.environment`).
const COLLECTOR: [&str; 7] = [
    "GC_INITIAL_HEAP_SIZE",
    "GC_MAXIMUM_HEAP_SIZE",
    "GC_FREE_SPACE_DIVISOR",
    "GC_MARKERS",
    "GC_NPROCS",
    "GC_DONT_GC",
    "GC_ENABLE_INCREMENTAL",
];

/// Reads the environment variables of this process.
pub fn read() -> Environment {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    Environment {
        cache_home: variable("XDG_CACHE_HOME").map(PathBuf::from),
        home: variable("HOME").map(PathBuf::from),
        no_color: variable("NO_COLOR").is_some(),
        nix_path: variable("NIX_PATH").and_then(|path| path.into_string().ok()),
        sudo_uid: variable("SUDO_UID").and_then(|uid| uid.to_str()?.parse().ok()),
        dumb_terminal: variable("TERM").is_none_or(|term| term == "dumb"),
        unicode: is_utf8(&variable) && !has_own_font(variable("TERM").as_deref()),
        fault: variable("RUNTIME_MODULE_FAULT").and_then(|fault| fault.into_string().ok()),
        heap_chosen: variable("GC_INITIAL_HEAP_SIZE").is_some(),
        collector: COLLECTOR
            .iter()
            .filter_map(|name| Some(((*name).into(), variable(name)?.to_str()?.into())))
            .collect(),
    }
}

/// Returns whether the locale uses UTF-8. Checks the variables in the order that POSIX defines.
fn is_utf8(variable: &impl Fn(&'static str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable);
    let locale = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Returns whether the terminal is the Linux console or an emulated VT. Their fonts have no
/// characters for bars and spinners.
fn has_own_font(term: Option<&OsStr>) -> bool {
    let term = term.unwrap_or_default().to_string_lossy();
    term.starts_with("linux") || term.starts_with("vt")
}
