//! The command line of QEMU, and requests to its monitor.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::plan::GuestPlan;
use crate::runtime_folder::RuntimeFolder;

/// The name of the monitor's socket.
const MONITOR: &str = "qmp.sock";

/// Returns the name of the socket of a share.
pub fn share_socket(number: usize) -> String {
    format!("fs{number}.sock")
}

/// Returns QEMU's arguments. The console is QEMU's stdin and stdout.
pub fn arguments(
    plan: &GuestPlan,
    folder: &RuntimeFolder,
    initrd: &Path,
    accelerator: &str,
) -> Vec<OsString> {
    let memory = plan.memory;
    let mut all: Vec<OsString> = Vec::new();
    // A reboot ends the guest, because its root file system is in memory.
    all.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(OsString::from));
    let mut option = |name: &str, value: OsString| all.extend([name.into(), value]);
    option("-name", plan.name.as_str().into());
    option("-display", "none".into());
    let machine = format!("q35,accel={accelerator},memory-backend=memory");
    option("-machine", machine.into());
    option("-cpu", "max".into());
    option("-smp", plan.cpus.to_string().into());
    option("-m", format!("{memory}M").into());
    // virtiofsd reads and writes the guest's memory.
    let backend = format!("memory-backend-memfd,id=memory,size={memory}M,share=on");
    option("-object", backend.into());
    option("-chardev", "stdio,id=console,signal=off".into());
    option("-serial", "chardev:console".into());
    for (number, share) in plan.shares.iter().enumerate() {
        let socket = folder.file(&share_socket(number));
        option(
            "-chardev",
            path_option(&format!("socket,id=fs{number}"), &socket),
        );
        let device = format!("vhost-user-fs-pci,chardev=fs{number},tag={}", share.tag);
        option("-device", device.into());
    }
    let forward = format!("user,id=net,hostfwd=tcp:127.0.0.1:{}-:22", plan.ssh_port);
    option("-netdev", forward.into());
    // The guest does not boot from the network, so the card needs no ROM.
    option("-device", "virtio-net-pci,netdev=net,romfile=".into());
    option("-device", "virtio-rng-pci".into());
    let monitor = path_option(
        "socket,id=monitor,server=on,wait=off",
        &folder.file(MONITOR),
    );
    option("-chardev", monitor);
    option("-mon", "chardev=monitor,mode=control".into());
    option("-kernel", plan.kernel.clone().into());
    option("-initrd", initrd.into());
    option("-append", plan.command_line.clone().into());
    if let Some(port) = plan.gdb {
        option("-gdb", format!("tcp:127.0.0.1:{port}").into());
    }
    all
}

/// Returns an option that ends with a path. A comma in a value is written twice.
fn path_option(before: &str, path: &Path) -> OsString {
    let path = path.to_string_lossy().replace(',', ",,");
    format!("{before},path={path}").into()
}

/// Presses the power button of the guest.
pub fn press_power_button(folder: &RuntimeFolder) -> Result<()> {
    let socket = folder.file(MONITOR);
    let press = || -> Result<()> {
        let mut stream = UnixStream::connect(&socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut answers = BufReader::new(stream.try_clone()?).lines();
        // The first line is a greeting, and each command has an answer.
        answers.next().transpose()?;
        for command in ["qmp_capabilities", "system_powerdown"] {
            stream.write_all(format!("{{\"execute\": \"{command}\"}}\n").as_bytes())?;
            answers.next().transpose()?;
        }
        Ok(())
    };
    press().with_context(|| format!("cannot send a request to QEMU at {}", socket.display()))
}
