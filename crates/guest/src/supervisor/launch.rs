//! Starts the processes of a guest: one virtiofsd for each share, and QEMU.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;
use std::sync::mpsc::Sender;

use anyhow::{Context as _, Result};

use super::happening::Happening;
use crate::children::{GuestProcess, Program, Purpose, end_all};
use crate::confinement::Namespace;
use crate::prepared::PreparedGuest;
use crate::qemu;
use crate::runtime_folder::RuntimeFolder;
use crate::virtiofsd::Virtiofsd;

/// The processes of a guest.
pub(super) struct Started {
    pub(super) processes: Vec<GuestProcess>,
    /// The console's input.
    pub(super) console: UnixStream,
}

/// Starts all processes.
pub(super) fn start(
    folder: &RuntimeFolder,
    guest: &PreparedGuest,
    events: Sender<Happening>,
) -> Result<Started> {
    let mut processes = Vec::new();
    match start_into(&mut processes, folder, guest, events) {
        Ok(console) => Ok(Started { processes, console }),
        Err(error) => {
            end_all(&mut processes);
            Err(error)
        }
    }
}

fn start_into(
    processes: &mut Vec<GuestProcess>,
    folder: &RuntimeFolder,
    guest: &PreparedGuest,
    events: Sender<Happening>,
) -> Result<UnixStream> {
    let own = std::env::current_exe().context("cannot find our own executable")?;
    let is_root = unix::unistd::geteuid().is_root();
    for (number, share) in guest.plan.shares.iter().enumerate() {
        let socket = folder.file(&qemu::share_socket(number));
        // An earlier virtiofsd leaves its socket.
        let _ = std::fs::remove_file(&socket);
        // QEMU can connect before virtiofsd is ready, because the socket already listens.
        let listener = UnixListener::bind(&socket)
            .with_context(|| format!("cannot listen on {}", socket.display()))?;
        let program = Program {
            purpose: Purpose::Virtiofsd(share.tag.clone()),
            path: guest.virtiofsd.clone(),
            arguments: guest.virtiofsd_kind.arguments(share, is_root),
            namespace: match (share.read_only, guest.virtiofsd_kind) {
                (true, _) => Namespace::ReadOnly(share.folder.clone()),
                (false, Virtiofsd::C) if !is_root => Namespace::User,
                (false, _) => Namespace::Same,
            },
            stdin: Stdio::from(OwnedFd::from(listener)),
            stdout: Stdio::null(),
            log: folder.create_log(&format!("fs{number}.log"))?,
        };
        processes.push(GuestProcess::start(&own, program)?);
    }
    let (ours, theirs) = UnixStream::pair().context("cannot make the console's socket")?;
    let their_output = theirs
        .try_clone()
        .context("cannot share the console's socket")?;
    let accelerator = &guest.accelerator.name;
    let program = Program {
        purpose: Purpose::Qemu,
        path: guest.qemu.clone(),
        arguments: qemu::arguments(&guest.plan, folder, &guest.initrd, accelerator),
        namespace: Namespace::Same,
        stdin: Stdio::from(OwnedFd::from(theirs)),
        stdout: Stdio::from(OwnedFd::from(their_output)),
        log: folder.create_log("qemu.log")?,
    };
    processes.push(GuestProcess::start(&own, program)?);
    let mut output = ours
        .try_clone()
        .context("cannot share the console's socket")?;
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            if events
                .send(Happening::Console(buffer[..length].to_vec()))
                .is_err()
            {
                return;
            }
        }
    });
    Ok(ours)
}
