//! Chooses between KVM and TCG. `/dev/kvm` can exist and still not work, so QEMU first runs a
//! program of a few bytes with KVM.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unix::unistd::{AccessFlags, access};

use crate::command::Accelerator;
use crate::error::GuestError;
use crate::runtime_folder::RuntimeFolder;

/// The time that the program may take. It needs a tenth of a second.
const LIMIT: Duration = Duration::from_secs(3);

/// The size of the program's ROM. QEMU maps its end to the end of the first 4 GiB.
const ROM: usize = 0x1_0000;

/// The offset of the first instruction that an x86 processor executes.
const RESET: usize = ROM - 16;

/// `mov dx, 0x501; mov al, 0x10; out dx, al; hlt`: tells the device isa-debug-exit to end QEMU.
const INSTRUCTIONS: [u8; 7] = [0xba, 0x01, 0x05, 0xb0, 0x10, 0xee, 0xf4];

/// The exit status of QEMU for this value.
const STATUS: i32 = 0x10 << 1 | 1;

/// The accelerator of a guest, with the reason for the choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// `kvm` or `tcg`.
    pub name: String,
    /// The reason why KVM is not used, if it is not.
    pub reason: Option<String>,
}

impl Choice {
    /// Returns the choice of TCG.
    pub fn tcg(reason: impl Into<String>) -> Self {
        Self {
            name: "tcg".into(),
            reason: Some(reason.into()),
        }
    }
}

/// Chooses the accelerator of a guest.
pub fn choose(wanted: Accelerator, qemu: &Path, folder: &RuntimeFolder) -> Result<Choice> {
    let problem = match wanted {
        Accelerator::Tcg => return Ok(Choice::tcg("as requested with --accelerator tcg")),
        Accelerator::Kvm | Accelerator::Auto => problem_of_kvm(qemu, folder)?,
    };
    match (problem, wanted) {
        (None, _) => Ok(Choice {
            name: "kvm".into(),
            reason: None,
        }),
        (Some(reason), Accelerator::Kvm) => Err(GuestError::NoKvm { reason }.into()),
        (Some(reason), _) => Ok(Choice::tcg(reason)),
    }
}

/// Returns the reason why KVM cannot be used, or `None` if it works.
fn problem_of_kvm(qemu: &Path, folder: &RuntimeFolder) -> Result<Option<String>> {
    let device = Path::new("/dev/kvm");
    if !device.exists() {
        return Ok(Some("/dev/kvm does not exist".into()));
    }
    if access(device, AccessFlags::R_OK | AccessFlags::W_OK).is_err() {
        return Ok(Some("this user may not open /dev/kvm".into()));
    }
    let mut rom = vec![0; ROM];
    rom[RESET..RESET + INSTRUCTIONS.len()].copy_from_slice(&INSTRUCTIONS);
    let rom = folder.write("kvm-probe", &rom)?;
    let mut child = Command::new(qemu)
        .args([
            "-machine",
            "q35,accel=kvm",
            "-nodefaults",
            "-no-user-config",
        ])
        .args(["-display", "none", "-m", "16", "-bios"])
        .arg(&rom)
        .args(["-device", "isa-debug-exit,iobase=0x501,iosize=2"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", qemu.display()))?;
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        match child.try_wait().context("cannot wait for QEMU")? {
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            status => break status,
        }
    };
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok(match status.map(|status| status.code()) {
        Some(Some(STATUS)) => None,
        Some(_) => Some("QEMU cannot use /dev/kvm".into()),
        None => Some("/dev/kvm does not run a test program".into()),
    })
}
