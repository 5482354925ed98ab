//! The command line and the environment variables. No logic.

mod bench;
mod check;
mod complete;
mod values;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::choice::{Allow, Elevate, OnFailedUnits, ProgressStyle};
use crate::duration;

pub use bench::{
    Bench, BenchCompare, BenchDiff, BenchOptions, BenchOverrides, BenchToggle, Measuring,
};
pub use check::{Check, CheckCombinations, CheckFormat};
pub use complete::{COMPLETE, complete};

use complete::{
    flakes, hosts, inputs, modules, modules_off, modules_on, past, paths, specialisations, stores,
};

/// Turn parts of a NixOS configuration on and off on a running machine
#[derive(Debug, Parser)]
#[command(
    name = "runtime-module",
    version = crate::VERSION,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
    #[arg(skip)]
    pub environment: Environment,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options for any command")]
pub struct Global {
    /// Print the result as one JSON document on stdout
    #[arg(short, long, global = true)]
    pub json: bool,

    /// Show progress in this style on stderr
    #[arg(long, global = true, value_enum, default_value_t, value_name = "STYLE")]
    pub progress: ProgressStyle,

    /// Print full build logs
    #[arg(short = 'L', long, global = true)]
    pub print_build_logs: bool,

    /// Show the full trace of evaluation errors
    #[arg(long, global = true)]
    pub show_trace: bool,

    /// Print more details (repeat up to three times)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Print the time of each phase, counters and memory
    #[arg(long, global = true)]
    pub timings: bool,

    /// Use this flake instead of the one the running system was built from
    #[arg(long, global = true, value_name = "REF", add = flakes())]
    pub flake: Option<String>,

    /// Use this entry of the flake's nixosConfigurations
    #[arg(long, global = true, value_name = "NAME", add = hosts())]
    pub host: Option<String>,

    /// Use the system in this Nix file or directory, unpinned and impure
    #[arg(long, global = true, value_name = "PATH")]
    pub file: Option<PathBuf>,

    /// Use the system at this attribute of --file
    #[arg(long, global = true, value_name = "A.B")]
    pub attr: Option<String>,

    /// Apply Nix settings from the flake's nixConfig
    #[arg(long, global = true)]
    pub accept_flake_config: bool,

    /// Replace a flake input (saved with the pin)
    #[arg(long, global = true, num_args = 2, value_names = ["INPUT", "REF"], add = inputs())]
    pub override_input: Vec<String>,

    /// Allow access to environment, time and files outside the flake
    #[arg(long, global = true)]
    pub impure: bool,

    /// Use less memory for evaluation (slightly slower)
    #[arg(long, global = true)]
    pub low_memory: bool,

    /// Do not read or write the result cache
    #[arg(long, global = true)]
    pub no_cache: bool,

    /// Keep building other derivations after a build fails
    #[arg(short, long, global = true)]
    pub keep_going: bool,

    /// Use this Nix store
    #[arg(long, global = true, value_name = "URL", env = "RUNTIME_MODULE_STORE", add = stores())]
    pub store: Option<String>,

    /// Set a Nix setting
    #[arg(long, global = true, num_args = 2, value_names = ["NAME", "VALUE"])]
    pub option: Vec<String>,

    /// Use the machine whose files are below this directory
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RUNTIME_MODULE_ROOT",
        hide = true
    )]
    pub root: Option<PathBuf>,

    /// Keep the program's cache in this directory
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RUNTIME_MODULE_CACHE",
        hide = true
    )]
    pub cache: Option<PathBuf>,

    /// Become root in this way [default: as configured, or auto]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "HOW",
        env = "RUNTIME_MODULE_ELEVATE"
    )]
    pub elevate: Option<Elevate>,

    /// Use the running activator at the other end of stdin
    #[arg(long, global = true, hide = true)]
    pub activator_on_stdin: bool,

    /// Drop root privileges and become this user
    #[arg(long, global = true, hide = true, value_name = "UID")]
    pub as_user: Option<u32>,
}

/// Values from environment variables that are not options. Empty variables count as unset.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// `NIX_PATH`: the search path for `<nixpkgs>` in impure evaluation.
    pub nix_path: Option<String>,
    /// `SUDO_UID`: the user who called sudo.
    pub sudo_uid: Option<u32>,
    /// Whether the cursor of the terminal cannot move: `TERM` is unset or `dumb`.
    pub dumb_terminal: bool,
    /// Whether the terminal can show more than ASCII.
    pub unicode: bool,
    /// `RUNTIME_MODULE_FAULT`: the fault to inject, in tests.
    pub fault: Option<String>,
    /// Whether `GC_INITIAL_HEAP_SIZE` sets the initial heap of the garbage collector.
    pub heap_chosen: bool,
    /// Variables that configure libgc, with their values.
    pub collector: Vec<(String, String)>,
}

/// Environment variables of libgc that affect speed (its `docs/README.environment`).
const COLLECTOR: [&str; 7] = [
    "GC_INITIAL_HEAP_SIZE",
    "GC_MAXIMUM_HEAP_SIZE",
    "GC_FREE_SPACE_DIVISOR",
    "GC_MARKERS",
    "GC_NPROCS",
    "GC_DONT_GC",
    "GC_ENABLE_INCREMENTAL",
];

impl Environment {
    fn read() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
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
}

/// Whether the locale is one of UTF-8, by POSIX's order of precedence.
fn is_utf8(variable: &impl Fn(&'static str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable);
    let locale = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Whether the terminal is the Linux console or an emulated VT, whose fonts have no characters for bars and spinners.
fn has_own_font(term: Option<&OsStr>) -> bool {
    let term = term.unwrap_or_default().to_string_lossy();
    term.starts_with("linux") || term.starts_with("vt")
}

/// Reads the command line and the environment.
pub fn read() -> Result<Cli, clap::Error> {
    let mut cli = Cli::try_parse()?;
    if let Command::Help { names } = &cli.command {
        // clap's own `help` would complete hidden commands. Asking for `--help` ends with the text to print.
        let names = names.iter().map(String::as_str);
        let arguments = ["runtime-module"].into_iter().chain(names);
        cli = Cli::try_parse_from(arguments.chain(["--help"]))?;
    }
    cli.environment = Environment::read();
    Ok(cli)
}

/// The subcommand.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Enable modules
    Enable(Enable),
    /// Disable modules
    Disable(Disable),
    /// Return to the system without runtime modules (no evaluation)
    Reset(Run),
    /// Activate the requested modules again from the same source
    Apply(Run),
    /// Update the flake's source and activate the requested modules on it
    Rebuild(Run),
    /// End an interrupted change: roll it back, or --finish it
    Recover(Recover),
    /// Keep a change that is waiting for confirmation
    Confirm(Patience),
    /// Return to an earlier state of this boot
    Rollback(Rollback),
    /// List the changes of this boot and their outcomes
    History,
    /// List all modules
    List,
    /// Show which modules are active
    Status(Status),
    /// Evaluate and build each module in advance for fast activation
    Prefetch(Prefetch),
    /// Inspect or clear cached evaluation results
    Cache(Cache),
    /// Check that all modules evaluate, alone and together (for CI)
    Check(Check),
    /// Measure evaluation, toggles and single options
    #[command(subcommand)]
    Bench(Box<Bench>),
    /// Print the help of a command
    Help {
        /// The command, such as `enable` or `bench eval`
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print the completions for a shell
    #[command(name = "__completions", hide = true)]
    Completions {
        /// Name of the shell
        shell: Shell,
    },
    /// Print a manual page, or the names of all pages
    #[command(name = "__man", hide = true)]
    Man {
        /// Name of a page, such as `runtime-module-enable`
        page: Option<String>,
    },
    #[command(name = "__evaluate", hide = true)]
    Evaluate,
    #[command(name = "__template", hide = true)]
    Template,
    #[command(name = "__activate", hide = true)]
    Activate,
    /// Carry out the request for this transaction
    #[command(name = "__transact", hide = true)]
    Transact { transaction: String },
    /// Roll back this transaction unless it was confirmed
    #[command(name = "__expire", hide = true)]
    Expire {
        transaction: String,
        #[arg(default_value_t = 0)]
        seconds: u64,
        /// Say that the timer was armed at the end of the switch
        #[arg(long)]
        after: bool,
    },
    /// Restore modules after a boot (for the boot service)
    #[command(name = "__boot", hide = true)]
    Boot,
    /// Record that a switch has begun (for an activation script)
    #[command(name = "__switched", hide = true)]
    Switched { toplevel: Option<PathBuf> },
    /// Print all points at which tests can inject faults
    #[command(name = "__faults", hide = true)]
    Faults,
    /// Print docs/errors.md
    #[command(name = "__errors", hide = true)]
    Errors,
}

/// A shell with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// Nushell
    Nushell,
}

/// Arguments of `enable`.
#[derive(Clone, Debug, Args)]
pub struct Enable {
    /// Names of modules, as shown by `list`
    #[arg(required_unless_present = "extra", value_name = "NAME", add = modules_off())]
    pub names: Vec<String>,
    #[command(flatten)]
    pub run: Run,
}

/// Arguments of `disable`.
#[derive(Clone, Debug, Args)]
pub struct Disable {
    /// Names of modules, as shown by `list`
    #[arg(required_unless_present = "extra", value_name = "NAME", add = modules_on())]
    pub names: Vec<String>,
    #[command(flatten)]
    pub run: Run,
}

/// Options of commands that change the system.
#[derive(Clone, Debug, Default, Args)]
pub struct Run {
    /// Show what would be done: evaluate, but build and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Activate even if nothing has changed
    #[arg(short, long)]
    pub force: bool,
    /// Switch to this specialisation and keep it (empty: the host itself)
    #[arg(long, value_name = "NAME", add = specialisations())]
    pub specialisation: Option<String>,
    /// Add a module from a file, a directory or another flake
    #[arg(long = "module", value_name = "FILE|REF#ATTR", id = "extra", add = paths())]
    pub extras: Vec<String>,
    /// Keep modules from --module until `reset`, not just for this change
    #[arg(long, requires = "extra")]
    pub keep: bool,
    /// Allow import from derivation in a dry run
    #[arg(long, requires = "dry_run")]
    pub allow_ifd: bool,
    /// Afterwards evaluate and build each of these modules in advance
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "dry_run", add = modules_off())]
    pub prefetch: Vec<String>,
    /// Show changes of units and the closure, and ask before activation
    #[arg(long, conflicts_with = "dry_run")]
    pub ask: bool,
    /// Roll back unless `confirm` is run within this time (0: never)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub confirm: Option<Duration>,
    /// Keep or roll back if units fail [default: as configured, or rollback]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_failed_units: Option<OnFailedUnits>,
    /// Watch started services for this time [default: as configured, or 3s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub settle: Option<Duration>,
    /// Override a safety check (comma-separated)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub allow: Vec<Allow>,
    #[command(flatten)]
    pub patience: Patience,
}

/// Options of commands that wait for other changes.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Patience {
    /// Wait up to DURATION for a running change instead of failing
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0", hide_default_value = true)]
    pub wait: Duration,
}

/// Arguments of `recover`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Recover {
    /// Activate the new system instead of rolling back
    #[arg(long)]
    pub finish: bool,
    /// With --finish, watch services for this time [default: as configured, or 3s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub settle: Option<Duration>,
    #[command(flatten)]
    pub patience: Patience,
}

/// Arguments of `rollback`.
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// Number of the state in `history` [default: before the last change]
    #[arg(value_name = "N", add = past())]
    pub number: Option<u64>,
    #[command(flatten)]
    pub run: Run,
}

/// Arguments of `prefetch`.
#[derive(Clone, Debug, Args)]
pub struct Prefetch {
    /// Names of modules, as shown by `list`
    #[arg(required = true, value_name = "NAME", add = modules_off())]
    pub names: Vec<String>,
}

/// Arguments of `cache`.
#[derive(Clone, Debug, Args)]
pub struct Cache {
    /// List, count or remove the results
    #[arg(value_enum)]
    pub what: Option<CacheWhat>,
}

/// What to do with the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CacheWhat {
    /// List the results, which is the default
    #[default]
    List,
    /// Show the number and size of the results
    Stats,
    /// Remove the results, so that their outputs can be collected
    Clear,
}

/// Arguments of `status`.
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// Names of modules; exit code 10 unless all are active
    #[arg(value_name = "NAME", add = modules())]
    pub names: Vec<String>,
}
