//! The command line as clap's types, without any logic. `convert.rs` turns these types into plain
//! data.
//!
//! This file is one exhaustive table of the commands and their options, so it may be longer than
//! other files.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::bench::BenchArgs;
use super::check::CheckArgs;
use super::complete::{
    flakes, hosts, inputs, modules, modules_off, modules_on, options, overridden, past, paths,
    specialisations, stores,
};
use crate::choice::{
    Allow, CacheAction, Elevate, OnFailedUnits, ProgressStyle, SchemaName, Shell, Verify,
};
use crate::duration;

/// Turn parts of a NixOS configuration on and off on a running machine
#[derive(Debug, Parser)]
#[command(
    name = "runtime-module",
    version = crate::programs::VERSION,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: CommandArgs,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options for any command")]
pub struct GlobalArgs {
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

    /// Print phase times, evaluation counters and memory use
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

    /// Allow access to the environment, the time and files outside the flake
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

    /// Use this directory as the root of the machine's file system
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

    /// Use this program to become root [default: as configured, or auto]
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

/// The subcommand.
#[derive(Clone, Debug, Subcommand)]
pub enum CommandArgs {
    /// Enable modules
    Enable(EnableArgs),
    /// Disable modules
    Disable(DisableArgs),
    /// Return to the system without runtime modules
    Reset(ResetArgs),
    /// Override options of the running system
    Set(SetArgs),
    /// Remove overrides of options
    Unset(UnsetArgs),
    /// List, compare, roll back, export or remove option overrides
    Overrides(OverridesCommandArgs),
    /// Activate the requested modules again from the same source
    Apply(ChangeArgs),
    /// Activate the requested modules from the current source of the flake
    Rebuild(ChangeArgs),
    /// Roll back an interrupted change, or finish it with --finish
    Recover(RecoverArgs),
    /// Keep a change that is waiting for confirmation
    Confirm(WaitArgs),
    /// Return to an earlier state of this boot
    Rollback(RollbackArgs),
    /// List the changes of this boot and their outcomes
    History,
    /// List all modules
    List,
    /// Show which modules are active
    Status(StatusArgs),
    /// Evaluate and build each module in advance for fast activation
    Prefetch(PrefetchArgs),
    /// Inspect or clear cached evaluation results
    Cache(CacheArgs),
    /// Check that all modules evaluate, alone and together (for CI)
    Check(CheckArgs),
    /// Measure evaluation, toggles and individual options
    #[command(subcommand)]
    Bench(Box<BenchArgs>),
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
    /// Restore modules after a boot (for the boot service)
    #[command(name = "__boot", hide = true)]
    Boot,
    /// Print all points at which tests can inject faults
    #[command(name = "__faults", hide = true)]
    Faults,
    /// Build a host with modules, and print its path (for runtime-guest)
    #[command(name = "__guest-system", hide = true)]
    GuestSystem {
        /// Names of modules
        modules: Vec<String>,
    },
    /// Print docs/errors.md
    #[command(name = "__errors", hide = true)]
    Errors,
    /// Print a JSON Schema
    #[command(name = "__schema", hide = true)]
    Schema {
        /// Kind of document
        name: SchemaName,
    },
}

/// Arguments of `enable`.
#[derive(Clone, Debug, Args)]
pub struct EnableArgs {
    /// Names of modules, as shown by `list`
    #[arg(required_unless_present = "extra", value_name = "NAME", add = modules_off())]
    pub names: Vec<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `disable`.
#[derive(Clone, Debug, Args)]
pub struct DisableArgs {
    /// Names of modules, as shown by `list`
    #[arg(required_unless_present = "extra", value_name = "NAME", add = modules_on())]
    pub names: Vec<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `reset`.
#[derive(Clone, Debug, Args)]
pub struct ResetArgs {
    /// Remove option overrides too
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `set`.
#[derive(Clone, Debug, Args)]
pub struct SetArgs {
    /// Option paths and JSON values (`-`: read one pair per line from stdin)
    #[arg(required = true, value_name = "OPTION VALUE", add = options())]
    pub pairs: Vec<String>,
    /// Add to lists and attribute sets instead of replacing them
    #[arg(long)]
    pub merge: bool,
    /// Use this priority; it must be smaller than that of earlier overrides
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "merge"
    )]
    pub priority: Option<i64>,
    /// Keep the overrides across reboots
    #[arg(long)]
    pub persist: bool,
    /// Evaluate values as Nix (with config, lib, options and pkgs)
    #[arg(long)]
    pub nix: bool,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// Arguments of `unset`.
#[derive(Clone, Debug, Args)]
pub struct UnsetArgs {
    /// Paths of overridden options
    #[arg(required = true, value_name = "OPTION", add = overridden())]
    pub options: Vec<String>,
    #[command(flatten)]
    pub edit: EditArgs,
}

/// Options of commands that change option overrides.
#[derive(Clone, Debug, Args)]
pub struct EditArgs {
    /// Record this reason with the change
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Make a whole toplevel, even if replacing some units or files is enough
    #[arg(long, conflicts_with_all = ["units", "verify"])]
    pub full: bool,
    /// Assume that only these units change (comma-separated)
    #[arg(long, value_delimiter = ',', value_name = "UNIT")]
    pub units: Vec<String>,
    /// When to verify a change of single units or files [default: background]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub verify: Option<Verify>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `overrides`.
#[derive(Clone, Debug, Args)]
pub struct OverridesCommandArgs {
    #[command(subcommand)]
    pub command: Option<OverridesArgs>,
}

/// The subcommand of `overrides`.
#[derive(Clone, Debug, Subcommand)]
pub enum OverridesArgs {
    /// List the overrides in force [the default]
    List,
    /// List all generations of this boot
    History,
    /// Show a generation
    Show {
        /// Number of the generation in `overrides history`
        #[arg(value_name = "N")]
        generation: u64,
    },
    /// Compare the overrides of two generations
    Diff {
        /// Number of the first generation
        #[arg(value_name = "A")]
        before: u64,
        /// Number of the second generation
        #[arg(value_name = "B")]
        after: u64,
    },
    /// Return to the overrides of an earlier generation
    Rollback {
        /// Number of the generation [default: before the last change]
        #[arg(value_name = "N")]
        generation: Option<u64>,
        #[command(flatten)]
        edit: EditArgs,
    },
    /// Remove all overrides
    Reset(EditArgs),
    /// Verify overrides that were applied without a new toplevel
    Verify(VerifyArgs),
    /// Print the overrides in force as a NixOS module
    Export,
}

/// Arguments of `overrides verify`.
#[derive(Clone, Copy, Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub waits: WaitArgs,
}

/// Options of commands that change the system.
#[derive(Clone, Debug, Default, Args)]
pub struct ChangeArgs {
    /// Show what would change: evaluate, but do not build or activate
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
    /// After the change, evaluate and build each of these modules
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "dry_run", add = modules_off())]
    pub prefetch: Vec<String>,
    /// Show changes to units and the closure, then ask before activation
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
    pub waits: WaitArgs,
}

/// Options of commands that wait for other changes.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct WaitArgs {
    /// Wait up to DURATION for a running change instead of failing
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0", hide_default_value = true)]
    pub wait: Duration,
}

/// Arguments of `recover`.
#[derive(Clone, Copy, Debug, Args)]
pub struct RecoverArgs {
    /// Activate the new system instead of rolling back
    #[arg(long)]
    pub finish: bool,
    /// With --finish, watch services this long [default: configured, or 3s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub settle: Option<Duration>,
    #[command(flatten)]
    pub waits: WaitArgs,
}

/// Arguments of `rollback`.
#[derive(Clone, Debug, Args)]
pub struct RollbackArgs {
    /// Number of the state in `history` [default: before the last change]
    #[arg(value_name = "N", add = past())]
    pub number: Option<u64>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `prefetch`.
#[derive(Clone, Debug, Args)]
pub struct PrefetchArgs {
    /// Names of modules, as shown by `list`
    #[arg(required = true, value_name = "NAME", add = modules_off())]
    pub names: Vec<String>,
}

/// Arguments of `cache`.
#[derive(Clone, Debug, Args)]
pub struct CacheArgs {
    /// List, count or remove the results
    #[arg(value_enum)]
    pub what: Option<CacheAction>,
}

/// Arguments of `status`.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Names of modules; exit code 10 unless all are active
    #[arg(value_name = "NAME", add = modules())]
    pub names: Vec<String>,
}
