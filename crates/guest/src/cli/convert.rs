//! Converts clap's types into plain data.

use std::time::Duration;

use super::args::{AcceleratorArg, CommandArgs, RunArgs};
use crate::command::{
    Accelerator, ApplyOptions, Command, EvaluatedSystem, GuestOptions, RunOptions, SystemChoice,
};

impl From<AcceleratorArg> for Accelerator {
    fn from(accelerator: AcceleratorArg) -> Self {
        match accelerator {
            AcceleratorArg::Auto => Self::Auto,
            AcceleratorArg::Kvm => Self::Kvm,
            AcceleratorArg::Tcg => Self::Tcg,
        }
    }
}

impl From<CommandArgs> for Command {
    fn from(command: CommandArgs) -> Self {
        match command {
            CommandArgs::Run(run) => Self::Run(Box::new(run.into())),
            CommandArgs::Start(run) => Self::Start(Box::new(run.into())),
            CommandArgs::List => Self::List,
            CommandArgs::Apply(apply) => Self::Apply(Box::new(ApplyOptions {
                file: apply.file,
                dry_run: apply.dry_run,
                yes: apply.yes,
                timeout: apply.timeout,
                accelerator: apply.accelerator.into(),
                store: apply.store,
                initrd: apply.initrd,
            })),
            CommandArgs::Stop(stop) => Self::Stop {
                names: stop.names,
                timeout: if stop.now {
                    Duration::ZERO
                } else {
                    stop.timeout
                },
            },
            CommandArgs::Console(console) => Self::Console { name: console.name },
            CommandArgs::Ssh(ssh) => Self::Ssh {
                name: ssh.guest.name,
                arguments: ssh.arguments,
            },
            CommandArgs::Logs(logs) => Self::Logs {
                name: logs.guest.name,
                lines: logs.lines,
            },
            CommandArgs::Exec(exec) => Self::Exec {
                name: exec.guest.name,
                command: exec.command,
                timeout: exec.timeout,
            },
        }
    }
}

impl From<RunArgs> for RunOptions {
    fn from(run: RunArgs) -> Self {
        let (chosen, hardware) = (run.system_options, run.hardware);
        let system = match run.system {
            Some(system) => SystemChoice::Named(system),
            None => SystemChoice::Evaluated(EvaluatedSystem {
                flake: chosen.flake,
                host: chosen.host,
                modules: chosen.modules.clone(),
            }),
        };
        Self {
            system,
            modules: chosen.modules,
            name: run.name,
            guest: GuestOptions {
                kernel: hardware.kernel,
                initrd: hardware.initrd,
                modules: hardware.modules_folder,
                shares: hardware.shares,
                memory: hardware.memory,
                cpus: hardware.cpus,
                ssh: hardware.ssh,
                append: hardware.append,
                gdb: hardware.gdb,
                accelerator: hardware.accelerator.into(),
                store: chosen.store,
            },
            wait_for: run.start.wait_for,
            timeout: run.start.timeout,
            systemd: !run.start.no_systemd,
            declared: false,
        }
    }
}
