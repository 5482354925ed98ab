//! The options of every command, and the values of environment variables, as plain data. `cli/`
//! sets them.

use std::path::PathBuf;
use std::time::Duration;

use crate::choice::{Allow, Elevate, OnFailedUnits, ProgressStyle, Verify};

/// Options of every command.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub json: bool,
    pub progress: ProgressStyle,
    pub print_build_logs: bool,
    pub show_trace: bool,
    pub verbose: u8,
    pub timings: bool,
    pub source: SourceOptions,
    pub accept_flake_config: bool,
    pub impure: bool,
    pub low_memory: bool,
    pub no_cache: bool,
    pub keep_going: bool,
    pub store: Option<String>,
    /// The names and values of Nix settings.
    pub nix_settings: Vec<(String, String)>,
    /// The directory that contains the machine's files, if it is not `/`.
    pub root: Option<PathBuf>,
    /// The directory of the program's cache, if it is not the user's cache directory.
    pub cache: Option<PathBuf>,
    pub elevate: Option<Elevate>,
    /// Whether an activator is running at the other end of stdin.
    pub activator_on_stdin: bool,
}

/// The options that select a source other than that of the running system.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    pub flake: Option<String>,
    pub host: Option<String>,
    pub file: Option<PathBuf>,
    /// The attribute path of the system in `file`.
    pub attribute: Option<String>,
    /// The names of flake inputs to replace, each with its new reference.
    pub input_overrides: Vec<(String, String)>,
}

impl SourceOptions {
    /// Returns whether the user named a source. The baked list of modules is not valid for such a
    /// source.
    pub fn is_named(&self) -> bool {
        self.file.is_some()
            || self.flake.is_some()
            || self.host.is_some()
            || !self.input_overrides.is_empty()
    }
}

/// The stage after which a change stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopAfter {
    /// A dry run: evaluates, and shows what must be built and fetched.
    Evaluate,
    /// Builds everything, but does not activate it.
    Realise,
    #[default]
    Activate,
}

/// Options of commands that change the system.
#[derive(Clone, Debug, Default)]
pub struct ChangeOptions {
    pub stop_after: StopAfter,
    /// Whether to activate a system that is already running.
    pub force: bool,
    /// The specialisation to switch to; empty for the host itself, `None` to keep the current
    /// specialisation.
    pub specialisation: Option<String>,
    /// Modules from outside the configuration, as the user named them.
    pub extra_modules: Vec<String>,
    /// Whether the extra modules stay enabled until a reset.
    pub keep_extra_modules: bool,
    /// Whether the evaluation may build derivations even if nothing else is built.
    pub allow_import_from_derivation: bool,
    /// The modules to evaluate and build in advance, after the change.
    pub prefetch: Vec<String>,
    pub ask: bool,
    /// The time limit for the confirmation; zero to disable the confirmation, `None` for the
    /// configured time.
    pub confirm: Option<Duration>,
    pub on_failed_units: Option<OnFailedUnits>,
    /// The time to watch started services; `None` for the configured time.
    pub settle: Option<Duration>,
    /// The safety checks to override.
    pub allow: Vec<Allow>,
    /// The maximum time to wait for another change to end.
    pub wait: Duration,
    /// The user's reason for a change to option overrides.
    pub message: Option<String>,
    /// How to apply a change to option overrides.
    pub apply: Apply,
}

/// How to apply a change to option overrides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apply {
    /// Whether to make a whole toplevel.
    pub full: bool,
    /// The units that the options change, as the user named them.
    pub units: Vec<String>,
    /// When to verify a change that was applied without a new toplevel.
    pub verify: Verify,
}

impl ChangeOptions {
    /// Returns whether the evaluation may build derivations. This is always true if the system is
    /// built too.
    pub fn may_build_in_evaluation(&self) -> bool {
        self.stop_after >= StopAfter::Realise || self.allow_import_from_derivation
    }
}

/// The values of environment variables that do not set options. A variable with an empty value
/// counts as unset.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// The value of `NIX_PATH`: the search path for `<nixpkgs>` in impure evaluation.
    pub nix_path: Option<String>,
    /// The value of `SUDO_UID`: the user who ran sudo.
    pub sudo_uid: Option<u32>,
    /// Whether the terminal cannot move its cursor: `TERM` is unset or `dumb`.
    pub dumb_terminal: bool,
    /// Whether the terminal can show non-ASCII characters.
    pub unicode: bool,
    /// The value of `RUNTIME_MODULE_FAULT`: the faults to inject in tests.
    pub fault: Option<String>,
    /// Whether `GC_INITIAL_HEAP_SIZE` sets the initial size of the garbage collector's heap.
    pub heap_chosen: bool,
    /// The environment variables that configure libgc, with their values.
    pub collector: Vec<(String, String)>,
}
