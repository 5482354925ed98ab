//! A guest that is ready to start: its plan, and the files and programs that it needs. The command
//! of the user prepares it, and the supervisor reads it from the guest's folder.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::accelerator::{self, Choice};
use crate::command::Accelerator;
use crate::error::GuestError;
use crate::initrd;
use crate::keys;
use crate::plan::GuestPlan;
use crate::roots;
use crate::runtime_folder::RuntimeFolder;
use crate::tools::{QEMU, SSH_KEYGEN, SearchPath, VIRTIOFSD};
use crate::virtiofsd::Virtiofsd;

/// The name of the file.
const NAME: &str = "guest.json";

/// A guest that is ready to start.
#[derive(Debug, Serialize, Deserialize)]
pub struct PreparedGuest {
    pub plan: GuestPlan,
    pub qemu: PathBuf,
    pub virtiofsd: PathBuf,
    pub virtiofsd_kind: Virtiofsd,
    /// The initrd with the guest's keys.
    pub initrd: PathBuf,
    pub accelerator: Choice,
    /// Whether the guest ends with the command that started it.
    pub owned: bool,
    /// Whether the configuration of this machine declares the guest.
    pub declared: bool,
    /// The plan before a free port was chosen, to find out whether a declaration has changed.
    pub requested: GuestPlan,
    /// The time at which the command began, in milliseconds since 1970.
    pub begun: u64,
}

/// How a guest is started.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub owned: bool,
    pub declared: bool,
    /// The time at which the command began.
    pub begun: SystemTime,
}

/// The programs that a guest needs.
#[derive(Clone, Debug)]
pub struct GuestPrograms {
    qemu: PathBuf,
    virtiofsd: PathBuf,
    ssh_keygen: PathBuf,
}

impl GuestPrograms {
    /// Finds the programs.
    pub fn find(path: &SearchPath) -> Result<Self, GuestError> {
        Ok(Self {
            qemu: path.find(QEMU)?,
            virtiofsd: path.find(VIRTIOFSD)?,
            ssh_keygen: path.find(SSH_KEYGEN)?,
        })
    }
}

impl PreparedGuest {
    /// Makes the files of a guest: its keys, initrd and GC roots.
    pub fn prepare(
        mut plan: GuestPlan,
        programs: GuestPrograms,
        folder: &RuntimeFolder,
        start: Start,
    ) -> Result<Self> {
        let requested = plan.clone();
        plan.ssh_port = reserve(plan.ssh_port)?;
        let kernel = plan.kernel.display().to_string();
        roots::make(
            folder.path(),
            plan.store.as_deref(),
            &[&plan.system, &kernel],
        )?;
        // QEMU tests KVM while the keys are made.
        let accelerator = std::thread::scope(|scope| {
            let chosen =
                scope.spawn(|| accelerator::choose(plan.accelerator, &programs.qemu, folder));
            let kind = scope.spawn(|| Virtiofsd::of(&programs.virtiofsd));
            let keys = keys::make(folder, &plan.name, &programs.ssh_keygen)?;
            let initrd = initrd::combine(folder, plan.initrd.as_deref(), &keys)?;
            let ended = "a thread of the program does not panic";
            anyhow::Ok((
                initrd,
                chosen.join().expect(ended)?,
                kind.join().expect(ended)?,
            ))
        });
        let (initrd, accelerator, virtiofsd_kind) = accelerator?;
        let begun = start.begun.duration_since(UNIX_EPOCH).unwrap_or_default();
        let prepared = Self {
            plan,
            qemu: programs.qemu,
            virtiofsd: programs.virtiofsd,
            virtiofsd_kind,
            initrd,
            accelerator,
            owned: start.owned,
            declared: start.declared,
            requested,
            begun: u64::try_from(begun.as_millis()).unwrap_or_default(),
        };
        let text = serde_json::to_vec(&prepared).context("cannot write JSON")?;
        folder.write(NAME, &text)?;
        Ok(prepared)
    }

    /// Reads the prepared guest of a folder.
    pub fn read(folder: &RuntimeFolder) -> Result<Self> {
        let path = folder.file(NAME);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Returns whether the user allows emulation.
    pub fn may_use_tcg(&self) -> bool {
        self.plan.accelerator != Accelerator::Kvm
    }
}

/// Checks that a port is free, or chooses a free one if the port is 0. QEMU opens it a moment later.
fn reserve(port: u16) -> Result<u16> {
    let in_use = |error: std::io::Error| GuestError::PortInUse {
        port,
        reason: error.to_string(),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(in_use)?;
    Ok(listener
        .local_addr()
        .context("cannot read the chosen port")?
        .port())
}
