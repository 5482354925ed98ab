//! The command line as clap's types, without any logic. `convert.rs` turns these types into plain
//! data.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use runtime_module_core::duration;

use super::complete::running;
use crate::milestones::Milestone;

/// Start, reach and stop virtual machines whose store is the host's
#[derive(Debug, Parser)]
#[command(
    name = "runtime-guest",
    version = runtime_module_core::programs::VERSION,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Print the result as one JSON document on stdout
    #[arg(short, long, global = true)]
    pub json: bool,

    #[command(subcommand)]
    pub command: CommandArgs,
}

#[derive(Debug, Subcommand)]
pub enum CommandArgs {
    /// Start a guest with its console on this terminal; Ctrl-A X ends it
    Run(RunArgs),
    /// Start a guest in the background, and wait until it has booted
    Start(RunArgs),
    /// List the running guests
    List,
    /// Start, change and remove the guests that guests.machines declares
    Apply(ApplyArgs),
    /// Shut guests down
    Stop(StopArgs),
    /// Connect this terminal with the console of a guest; Ctrl-A X leaves it
    Console(NameArgs),
    /// Log in as root, or run a command, with ssh
    Ssh(SshArgs),
    /// Print the output of a guest's console
    Logs(LogsArgs),
    /// Run a command as root in a guest, and exit with its exit code
    Exec(ExecArgs),
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Path of a built system, or FLAKE#HOST
    #[arg(value_name = "SYSTEM")]
    pub system: Option<String>,

    /// Name of the guest [default: from the host or system]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    #[command(flatten)]
    pub system_options: SystemArgs,

    #[command(flatten)]
    pub hardware: HardwareArgs,

    #[command(flatten)]
    pub start: StartArgs,
}

/// Options that choose a system to evaluate.
#[derive(Debug, Args)]
#[command(next_help_heading = "System")]
pub struct SystemArgs {
    /// Use this flake instead of the one of this machine
    #[arg(long, value_name = "REF", conflicts_with = "system")]
    pub flake: Option<String>,

    /// Use this entry of the flake's nixosConfigurations
    #[arg(long, value_name = "NAME", conflicts_with = "system")]
    pub host: Option<String>,

    /// Enable this runtime module in the guest (repeatable)
    #[arg(long = "module", value_name = "MODULE")]
    pub modules: Vec<String>,

    /// Store that contains the system
    #[arg(
        long,
        value_name = "URL",
        env = "RUNTIME_MODULE_STORE",
        hide_env_values = true
    )]
    pub store: Option<String>,
}

/// Options of the virtual hardware.
#[derive(Debug, Args)]
#[command(next_help_heading = "Hardware")]
pub struct HardwareArgs {
    /// Kernel image, such as arch/x86/boot/bzImage
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,

    /// Initrd to use instead of the system's
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,

    /// Folder that the guest mounts at /lib/modules
    #[arg(long = "modules", value_name = "DIR")]
    pub modules_folder: Option<PathBuf>,

    /// Share a folder with the guest (repeatable)
    #[arg(long = "share", value_name = "TAG=DIR", value_parser = share)]
    pub shares: Vec<(String, PathBuf)>,

    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(32..))]
    pub memory: u64,

    /// Number of processors
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=255))]
    pub cpus: u32,

    /// Port on 127.0.0.1 that leads to sshd [default: any free port]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub ssh: Option<u16>,

    /// Add a parameter to the kernel's command line (repeatable)
    #[arg(long, value_name = "PARAM", allow_hyphen_values = true)]
    pub append: Vec<String>,

    /// Let a debugger connect to this port
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "1234", require_equals = true)]
    pub gdb: Option<u16>,

    /// Use this accelerator
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    pub accelerator: AcceleratorArg,
}

/// Options of the start.
#[derive(Debug, Args)]
#[command(next_help_heading = "Start")]
pub struct StartArgs {
    /// Milestone that `start` waits for
    #[arg(long, value_name = "MILESTONE", default_value = "multi-user", value_parser = milestone)]
    pub wait_for: Milestone,

    /// Time limit for this milestone [default: 5m; none for `run`]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub timeout: Option<Duration>,

    /// Do not use systemd for the supervisor of a background guest
    #[arg(long)]
    pub no_systemd: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum AcceleratorArg {
    /// KVM if it works, otherwise TCG
    #[default]
    Auto,
    /// The processor's virtualisation
    Kvm,
    /// Emulation
    Tcg,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Show the plan only
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask before changing anything
    #[arg(short, long)]
    pub yes: bool,

    /// Time that a guest may take to shut down
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub timeout: Duration,

    /// File with the declared guests
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/runtime-guest/machines.json"
    )]
    pub file: PathBuf,

    /// Use this accelerator for all guests
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    pub accelerator: AcceleratorArg,

    /// Initrd to use instead of those of the systems
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,

    /// Store that contains the systems
    #[arg(
        long,
        value_name = "URL",
        env = "RUNTIME_MODULE_STORE",
        hide_env_values = true
    )]
    pub store: Option<String>,
}

#[derive(Debug, Args)]
pub struct NameArgs {
    /// Name of the guest
    #[arg(value_name = "GUEST", add = running())]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct StopArgs {
    /// Names of guests
    #[arg(required = true, value_name = "GUEST", add = running())]
    pub names: Vec<String>,

    /// Time that a guest may take to shut down
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub timeout: Duration,

    /// End guests without shutting them down
    #[arg(long, conflicts_with = "timeout")]
    pub now: bool,
}

#[derive(Debug, Args)]
pub struct SshArgs {
    #[command(flatten)]
    pub guest: NameArgs,

    /// Options and command for ssh
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    pub guest: NameArgs,

    /// Print only the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<usize>,
}

#[derive(Debug, Args)]
pub struct ExecArgs {
    #[command(flatten)]
    pub guest: NameArgs,

    /// Time to wait until sshd answers
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration::parse)]
    pub timeout: Duration,

    /// Command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

fn share(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((tag, folder)) if !folder.is_empty() => Ok((tag.into(), folder.into())),
        _ => Err("must be TAG=DIR, such as src=/home/alice/src".into()),
    }
}

fn milestone(text: &str) -> Result<Milestone, String> {
    let found = Milestone::ALL.into_iter().find(|one| one.name() == text);
    found.ok_or_else(|| {
        let names = Milestone::ALL.map(Milestone::name).join(", ");
        format!("must be one of {names}")
    })
}
