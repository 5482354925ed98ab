//! The command line and the environment, as they are typed. No logic.

mod bench;
mod check;
mod complete;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::choice::{Allow, Elevate, OnFailedUnits, ProgressStyle};

pub use bench::{
    Bench, BenchCompare, BenchDiff, BenchOptions, BenchOverrides, BenchToggle, Measuring,
};
pub use check::{Check, CheckCombinations, CheckFormat};
pub use complete::{COMPLETE, complete};

use complete::{
    flakes, hosts, inputs, modules, modules_off, modules_on, past, paths, specialisations, stores,
};
use values::time;

/// Turn parts of a NixOS configuration on and off on a running machine
#[derive(Debug, Parser)]
#[command(name = "runtime-module", version = crate::VERSION, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
    #[arg(skip)]
    pub environment: Environment,
}

/// What any command understands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options for any command")]
pub struct Global {
    /// Print the result as one JSON document on stdout
    #[arg(short, long, global = true)]
    pub json: bool,

    /// How to show progress on stderr
    #[arg(long, global = true, value_enum, default_value_t, value_name = "STYLE")]
    pub progress: ProgressStyle,

    /// Print every line of every build's log
    #[arg(short = 'L', long, global = true)]
    pub print_build_logs: bool,

    /// Print the whole way to an evaluation error
    #[arg(long, global = true)]
    pub show_trace: bool,

    /// Print more; may be given up to three times
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Use this flake in place of the one that the running system was built from
    #[arg(long, global = true, value_name = "REF", add = flakes())]
    pub flake: Option<String>,

    /// Use this entry of the flake's nixosConfigurations
    #[arg(long, global = true, value_name = "NAME", add = hosts())]
    pub host: Option<String>,

    /// Use the system in this Nix file or folder, which is in no flake; evaluated impurely, and as it is each time
    #[arg(long, global = true, value_name = "PATH")]
    pub file: Option<PathBuf>,

    /// Use this attribute of the file
    #[arg(long, global = true, value_name = "A.B")]
    pub attr: Option<String>,

    /// Let the flake's own nixConfig set Nix settings
    #[arg(long, global = true)]
    pub accept_flake_config: bool,

    /// Replace an input of the flake; stays with the pin
    #[arg(long, global = true, num_args = 2, value_names = ["INPUT", "REF"], add = inputs())]
    pub override_input: Vec<String>,

    /// Let evaluation see the environment, the time and files outside the flake
    #[arg(long, global = true)]
    pub impure: bool,

    /// Evaluate in less memory, a little slower
    #[arg(long, global = true)]
    pub low_memory: bool,

    /// Evaluate, whatever the cache has, and keep nothing in it
    #[arg(long, global = true)]
    pub no_cache: bool,

    /// Where a build fails, build everything else that can be built
    #[arg(short, long, global = true)]
    pub keep_going: bool,

    /// Use this Nix store
    #[arg(long, global = true, value_name = "URL", env = "RUNTIME_MODULE_STORE", add = stores())]
    pub store: Option<String>,

    /// Set a Nix setting
    #[arg(long, global = true, num_args = 2, value_names = ["NAME", "VALUE"])]
    pub option: Vec<String>,

    /// Work on the machine whose files lie below this folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RUNTIME_MODULE_ROOT",
        hide = true
    )]
    pub root: Option<PathBuf>,

    /// Keep the program's own cache in this folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RUNTIME_MODULE_CACHE",
        hide = true
    )]
    pub cache: Option<PathBuf>,

    /// How to become root for activation [default: what the configuration says, or auto]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "HOW",
        env = "RUNTIME_MODULE_ELEVATE"
    )]
    pub elevate: Option<Elevate>,

    /// Speak to an activator that runs already and holds the other end of stdin
    #[arg(long, global = true, hide = true)]
    pub activator_on_stdin: bool,

    /// Give up the rights of root and be this user
    #[arg(long, global = true, hide = true, value_name = "UID")]
    pub as_user: Option<u32>,
}

/// What is read from the environment and is no option of ours. Variables that are set to nothing are not set.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// `NIX_PATH`: where impure evaluation looks for `<nixpkgs>`.
    pub nix_path: Option<String>,
    /// `SUDO_UID`: who called sudo.
    pub sudo_uid: Option<u32>,
    /// Whether the terminal can do nothing but lines (`TERM=dumb`).
    pub dumb_terminal: bool,
    /// `RUNTIME_MODULE_FAULT`: what is to go wrong, in tests.
    pub fault: Option<String>,
    /// Whether the collector's heap is chosen by `GC_INITIAL_HEAP_SIZE`.
    pub heap_chosen: bool,
    /// Settings of libgc, by name and value.
    pub collector: Vec<(String, String)>,
}

/// Variables by which libgc is set up (its `docs/README.environment`), as far as they change how long things take.
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
            dumb_terminal: variable("TERM").is_some_and(|term| term == "dumb"),
            fault: variable("RUNTIME_MODULE_FAULT").and_then(|fault| fault.into_string().ok()),
            heap_chosen: variable("GC_INITIAL_HEAP_SIZE").is_some(),
            collector: COLLECTOR
                .iter()
                .filter_map(|name| Some(((*name).into(), variable(name)?.to_str()?.into())))
                .collect(),
        }
    }
}

/// Reads the command line and the environment.
pub fn read() -> Result<Cli, clap::Error> {
    let mut cli = Cli::try_parse()?;
    cli.environment = Environment::read();
    Ok(cli)
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Turn modules on
    Enable(Enable),
    /// Turn modules off
    Disable(Disable),
    /// Go back to the system without any runtime module; evaluates nothing
    Reset(Run),
    /// Activate the wanted modules again, on the same source
    Apply(Run),
    /// Take today's source of the flake, and activate the wanted modules on it
    Rebuild(Run),
    /// End a change that was interrupted: by the system that ran before, or with --finish by the new one
    Recover(Recover),
    /// Keep a change that waits to be confirmed
    Confirm(Patience),
    /// Return to an earlier state of this boot
    Rollback(Rollback),
    /// List the changes of this boot, and what came of them
    History,
    /// List the modules there are
    List,
    /// Show what is on
    Status(Status),
    /// Evaluate and build what turning each of these modules on would take, so that it then only has to be activated
    Prefetch(Prefetch),
    /// Look at, or clear, the results of evaluation that are kept
    Cache(Cache),
    /// Evaluate every module of a host, alone and together, for CI and before a commit
    Check(Check),
    /// Measure evaluation, toggles and single options, so that the figures can be believed
    #[command(subcommand)]
    Bench(Box<Bench>),
    /// Print the completions for a shell
    #[command(name = "__completions", hide = true)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a manual page; without a name, the names of all of them
    #[command(name = "__man", hide = true)]
    Man {
        /// Such as `runtime-module-enable`
        page: Option<String>,
    },
    #[command(name = "__evaluate", hide = true)]
    Evaluate,
    #[command(name = "__template", hide = true)]
    Template,
    #[command(name = "__activate", hide = true)]
    Activate,
    /// Carries out the request that was left for this transaction
    #[command(name = "__transact", hide = true)]
    Transact { transaction: String },
    /// Undoes this transaction unless it was confirmed
    #[command(name = "__expire", hide = true)]
    Expire {
        transaction: String,
        #[arg(default_value_t = 0)]
        seconds: u64,
        /// By the timer that was armed at the end of the switch
        #[arg(long)]
        after: bool,
    },
    /// What the boot service runs
    #[command(name = "__boot", hide = true)]
    Boot,
    /// What an activation script runs: somebody switches
    #[command(name = "__switched", hide = true)]
    Switched { toplevel: Option<PathBuf> },
    /// Prints where tests can inject faults
    #[command(name = "__faults", hide = true)]
    Faults,
    /// Prints docs/errors.md
    #[command(name = "__errors", hide = true)]
    Errors,
}

/// A shell that there are completions for.
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

/// Modules to turn on.
#[derive(Clone, Debug, Args)]
pub struct Enable {
    /// Modules by name, as `list` shows them
    #[arg(required_unless_present = "extra", value_name = "NAME", add = modules_off())]
    pub names: Vec<String>,
    #[command(flatten)]
    pub run: Run,
}

/// Modules to turn off.
#[derive(Clone, Debug, Args)]
pub struct Disable {
    /// Modules by name, as `list` shows them
    #[arg(required_unless_present = "extra", value_name = "NAME", add = modules_on())]
    pub names: Vec<String>,
    #[command(flatten)]
    pub run: Run,
}

/// How far to go.
#[derive(Clone, Debug, Default, Args)]
pub struct Run {
    /// Only say what would be done: evaluates, but builds and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Activate although nothing changed
    #[arg(short, long)]
    pub force: bool,
    /// Use this specialisation of the host, and stay with it; an empty name is the host itself
    #[arg(long, value_name = "NAME", add = specialisations())]
    pub specialisation: Option<String>,
    /// Add a module that is no part of the configuration: a file or folder, or one of another flake
    #[arg(long = "module", value_name = "FILE|REF#ATTR", id = "extra", add = paths())]
    pub extras: Vec<String>,
    /// Keep what --module adds until `reset`, and not for this change only
    #[arg(long, requires = "extra")]
    pub keep: bool,
    /// Let a dry run build what evaluation itself needs
    #[arg(long, requires = "dry_run")]
    pub allow_ifd: bool,
    /// When that is done, evaluate and build what turning each of these on would take
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "dry_run", add = modules_off())]
    pub prefetch: Vec<String>,
    /// Show what will be stopped, restarted, reloaded and started, and how the closure differs, and ask
    #[arg(long, conflicts_with = "dry_run")]
    pub ask: bool,
    /// Return to the previous system after this time, unless `runtime-module confirm` comes first; 0 for never, whatever
    /// the configuration says
    #[arg(long, value_name = "DURATION", value_parser = time)]
    pub confirm: Option<Duration>,
    /// What to do if units fail because of the change [default: what the configuration says, or rollback]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_failed_units: Option<OnFailedUnits>,
    /// Watch services that count as started at once for this time; 0 for not at all [default: what the configuration
    /// says, or 3s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub settle: Option<Duration>,
    /// Do it although this speaks against it; several are separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub allow: Vec<Allow>,
    #[command(flatten)]
    pub patience: Patience,
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Patience {
    /// Wait so long for a change that is under way, in place of refusing at once
    #[arg(long, value_name = "DURATION", value_parser = time, default_value = "0", hide_default_value = true)]
    pub wait: Duration,
}

/// What `recover` takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct Recover {
    /// Activate what was to run, in place of what ran before
    #[arg(long)]
    pub finish: bool,
    /// With --finish, watch services that count as started at once for this time; 0 for not at all [default: what the
    /// configuration says, or 3s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub settle: Option<Duration>,
    #[command(flatten)]
    pub patience: Patience,
}

/// What `rollback` takes.
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// The state to return to, by its number in `history`; the one before the last change if left away
    #[arg(value_name = "N", add = past())]
    pub number: Option<u64>,
    #[command(flatten)]
    pub run: Run,
}

/// What `prefetch` takes.
#[derive(Clone, Debug, Args)]
pub struct Prefetch {
    /// Modules by name, as `list` shows them
    #[arg(required = true, value_name = "NAME", add = modules_off())]
    pub names: Vec<String>,
}

/// What `cache` takes.
#[derive(Clone, Debug, Args)]
pub struct Cache {
    /// What to do
    #[arg(value_enum)]
    pub what: Option<CacheWhat>,
}

/// What to do with the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CacheWhat {
    /// List the results (the default)
    #[default]
    List,
    /// Count them
    Stats,
    /// Forget them, and let their outputs be collected
    Clear,
}

/// What `status` takes.
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// Modules to ask about; the exit code is 10 unless all are active
    #[arg(value_name = "NAME", add = modules())]
    pub names: Vec<String>,
}
