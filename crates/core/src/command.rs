//! The commands and their arguments as plain data. `cli/` creates them.

mod bench;

use std::path::PathBuf;
use std::time::Duration;

use crate::choice::{CacheAction, CheckCombinations, CheckFormat, SchemaName, Shell};
use crate::options::ChangeOptions;

pub use bench::{
    BenchCommand, Benchmark, CompareBenchmark, Exports, Measuring, OptionsBenchmark,
    OverridesBenchmark, Rules, StopCondition, ToggleBenchmark,
};

/// A command with its arguments.
#[derive(Debug)]
pub enum Command {
    Enable {
        names: Vec<String>,
        options: ChangeOptions,
    },
    Disable {
        names: Vec<String>,
        options: ChangeOptions,
    },
    Reset {
        /// Whether to remove the option overrides too.
        all: bool,
        options: ChangeOptions,
    },
    Set {
        request: SetRequest,
        options: ChangeOptions,
    },
    Unset {
        /// The paths of overridden options.
        paths: Vec<String>,
        options: ChangeOptions,
    },
    Overrides(Box<OverridesCommand>),
    Apply(ChangeOptions),
    Rebuild(ChangeOptions),
    Rollback {
        number: Option<u64>,
        options: ChangeOptions,
    },
    Recover {
        finish: bool,
        settle: Option<Duration>,
        wait: Duration,
    },
    Confirm {
        wait: Duration,
    },
    History,
    List,
    Status {
        names: Vec<String>,
    },
    WithLibnix(LibnixCommand),
    Completions(Shell),
    Man(Option<String>),
    /// Restores modules after a boot.
    Boot,
    Faults,
}

/// A command that needs libnix.
#[derive(Debug)]
pub enum LibnixCommand {
    Prefetch {
        names: Vec<String>,
    },
    Cache(CacheAction),
    Check(Box<CheckOptions>),
    Bench(Box<BenchCommand>),
    /// Builds a system for a guest: a host with these modules.
    GuestSystem {
        modules: Vec<String>,
    },
    Errors,
    Schema(SchemaName),
}

impl Command {
    /// Returns the options of a command that will probably evaluate a new system.
    pub fn evaluation_options(&self) -> Option<&ChangeOptions> {
        match self {
            Self::Enable { options, .. }
            | Self::Disable { options, .. }
            | Self::Set { options, .. }
            | Self::Unset { options, .. }
            | Self::Apply(options)
            | Self::Rebuild(options) => Some(options),
            _ => None,
        }
    }
}

/// The overrides to set, and the options of `set`.
#[derive(Clone, Debug)]
pub struct SetRequest {
    /// Alternating option paths and values, or a single `-` to read them from stdin.
    pub pairs: Vec<String>,
    /// Whether to add to the existing values instead of replacing them.
    pub merge: bool,
    pub priority: Option<i64>,
    /// Whether the overrides survive reboots.
    pub persist: bool,
    /// Whether the values are Nix expressions instead of JSON.
    pub nix: bool,
}

/// A subcommand of `overrides`.
#[derive(Clone, Debug)]
pub enum OverridesCommand {
    List,
    History,
    Show {
        generation: u64,
    },
    Diff {
        before: u64,
        after: u64,
    },
    Rollback {
        /// The number of the generation; `None` for the generation before the last change.
        generation: Option<u64>,
        options: ChangeOptions,
    },
    Reset(ChangeOptions),
    /// Verifies overrides that were applied without a new toplevel.
    Verify(ChangeOptions),
    Export,
}

/// The modules to check, and the settings of the check.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The names of modules; empty for all modules.
    pub names: Vec<String>,
    pub all_hosts: bool,
    pub combinations: CheckCombinations,
    /// Whether to check with the option overrides in force.
    pub overrides: bool,
    /// The number of parallel evaluators; `None` to derive it from processors and memory.
    pub workers: Option<usize>,
    /// The limit of the unshared memory of an evaluation, in bytes.
    pub max_memory: Option<u64>,
    /// The time limit of an evaluation.
    pub timeout: Option<Duration>,
    /// The number of the part to check, starting at 1, and the number of parts.
    pub shard: Option<(usize, usize)>,
    /// Whether to keep the packages of the host and its extensions separate.
    pub unshared: bool,
    pub build: bool,
    /// A commit or branch. If nothing has changed since then, the check is skipped.
    pub changed_since: Option<String>,
    pub format: CheckFormat,
    /// Earlier results with which to compare the new results.
    pub baseline: Option<PathBuf>,
    /// The percentage by which counters may grow.
    pub tolerance: f64,
}
