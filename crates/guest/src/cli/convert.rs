//! Converts clap's types into plain data.

use std::time::Duration;

use super::args::{AcceleratorArg, CommandArgs, RunArgs};
use crate::command::{
    Accelerator, Command, EvaluatedSystem, GuestOptions, RunOptions, SystemChoice,
};

impl From<CommandArgs> for Command {
    fn from(command: CommandArgs) -> Self {
        match command {
            CommandArgs::Run(run) => Self::Run(Box::new(run.into())),
            CommandArgs::Start(run) => Self::Start(Box::new(run.into())),
            CommandArgs::List => Self::List,
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
                accelerator: match hardware.accelerator {
                    AcceleratorArg::Auto => Accelerator::Auto,
                    AcceleratorArg::Kvm => Accelerator::Kvm,
                    AcceleratorArg::Tcg => Accelerator::Tcg,
                },
                store: chosen.store,
            },
            wait_for: run.start.wait_for,
            timeout: run.start.timeout,
            systemd: !run.start.no_systemd,
        }
    }
}
