//! Explains why a guest ended.

use std::process::ExitStatus;

use runtime_module_core::error::{Failed, neutral};

use super::{Supervisor, last_lines};
use crate::children::{Purpose, describe_end};
use crate::error::GuestError;
use crate::milestones::{BootFailure, plain_text};

/// The number of lines of a log in an error.
const LINES: usize = 8;

/// The beginning of the first line of a panic.
const PANIC: &str = "] Kernel panic - not syncing: ";

impl Supervisor {
    /// Returns the error for a failure that the console showed.
    pub(super) fn boot_failure(&self, failure: BootFailure) -> Failed {
        let name = self.guest.plan.name.to_string();
        let error = match failure {
            BootFailure::Panic(reason) => GuestError::KernelPanicked { name, reason },
            BootFailure::NoInit(reason) => GuestError::NoInit { name, reason },
            BootFailure::NoInitrd(reason) => GuestError::NoInitrd { name, reason },
            BootFailure::NoVirtio(reason) => GuestError::NoVirtio { name, reason },
            BootFailure::Emergency(reason) => GuestError::Emergency { name, reason },
        };
        self.with_console(error.into())
    }

    /// Returns the error for a process that ended.
    pub(super) fn process_failure(&self, purpose: &Purpose, status: ExitStatus) -> Failed {
        let name = self.guest.plan.name.to_string();
        let status = describe_end(status);
        let (error, log) = match purpose {
            Purpose::Qemu => (GuestError::QemuEnded { name, status }, "qemu.log".into()),
            Purpose::Virtiofsd(tag) => {
                let shares = &self.guest.plan.shares;
                let number = shares.iter().position(|share| share.tag == *tag);
                let log = format!("fs{}.log", number.unwrap_or_default());
                let tag = tag.clone();
                (GuestError::VirtiofsdEnded { name, tag, status }, log)
            }
        };
        let text = std::fs::read(self.folder.file(&log)).unwrap_or_default();
        let lines = last_lines(&String::from_utf8_lossy(&text), LINES);
        let failed = Failed::from(error);
        lines
            .iter()
            .fold(failed, |failed, line| failed.detail(neutral(line)))
    }

    /// Adds the last lines of the console.
    fn with_console(&self, failed: Failed) -> Failed {
        let recent = self.log.recent();
        let mut lines: Vec<String> = recent
            .split(|byte| *byte == b'\n')
            .map(plain_text)
            .collect();
        // The lines before a panic tell more than the registers after it.
        if let Some(at) = lines.iter().rposition(|line| line.contains(PANIC)) {
            lines.truncate(at + 1);
        }
        let lines = last_lines(&lines.join("\n"), LINES);
        lines
            .iter()
            .fold(failed, |failed, line| failed.detail(neutral(line)))
    }
}
