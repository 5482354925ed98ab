//! The commands and their options as plain data. `cli/` creates them.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::milestones::Milestone;

/// The way in which QEMU runs the guest's instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// KVM if it works, otherwise TCG.
    #[default]
    Auto,
    Kvm,
    Tcg,
}

/// A command with its arguments.
#[derive(Clone, Debug)]
pub enum Command {
    Run(Box<RunOptions>),
    Start(Box<RunOptions>),
    List,
    Apply(Box<ApplyOptions>),
    Stop {
        names: Vec<String>,
        timeout: Duration,
    },
    Console {
        name: String,
    },
    Ssh {
        name: String,
        arguments: Vec<String>,
    },
    Logs {
        name: String,
        lines: Option<usize>,
    },
    Exec {
        name: String,
        command: Vec<String>,
        timeout: Duration,
    },
}

/// The options of `run` and `start`.
#[derive(Clone, Debug)]
pub struct RunOptions {
    pub system: SystemChoice,
    /// The modules to enable in a system that is evaluated.
    pub modules: Vec<String>,
    pub name: Option<String>,
    pub guest: GuestOptions,
    /// The milestone that `start` waits for, and the time limit.
    pub wait_for: Milestone,
    pub timeout: Option<Duration>,
    /// Whether to start the supervisor in a unit of systemd, if systemd is available.
    pub systemd: bool,
    /// Whether the configuration of this machine declares the guest.
    pub declared: bool,
}

/// The options of `apply`.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// The file with the declared guests.
    pub file: PathBuf,
    pub dry_run: bool,
    /// Whether to skip the question.
    pub yes: bool,
    /// The time that a guest may take to shut down.
    pub timeout: Duration,
    pub accelerator: Accelerator,
    pub store: Option<String>,
    /// An initrd to use instead of those of the systems.
    pub initrd: Option<PathBuf>,
}

/// The system to start.
#[derive(Clone, Debug)]
pub enum SystemChoice {
    /// A built system, or a flake reference with a host.
    Named(String),
    /// A host of a flake, by default the one of this machine.
    Evaluated(EvaluatedSystem),
}

/// A system that must be evaluated and built.
#[derive(Clone, Debug, Default)]
pub struct EvaluatedSystem {
    pub flake: Option<String>,
    pub host: Option<String>,
    pub modules: Vec<String>,
}

/// The hardware of a guest.
#[derive(Clone, Debug)]
pub struct GuestOptions {
    pub kernel: Option<PathBuf>,
    /// An initrd to use instead of the system's.
    pub initrd: Option<PathBuf>,
    pub modules: Option<PathBuf>,
    pub shares: Vec<(String, PathBuf)>,
    /// The memory in MiB.
    pub memory: u64,
    pub cpus: u32,
    pub ssh: Option<u16>,
    pub append: Vec<String>,
    pub gdb: Option<u16>,
    pub accelerator: Accelerator,
    /// The URL of the store.
    pub store: Option<String>,
}

impl Default for GuestOptions {
    fn default() -> Self {
        Self {
            kernel: None,
            initrd: None,
            modules: None,
            shares: Vec::new(),
            memory: 2048,
            cpus: 2,
            ssh: None,
            append: Vec::new(),
            gdb: None,
            accelerator: Accelerator::Auto,
            store: None,
        }
    }
}

/// The values of environment variables.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `RUNTIME_GUEST_FOLDER`.
    pub folder: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<std::ffi::OsString>,
}
