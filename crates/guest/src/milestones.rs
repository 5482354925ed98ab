//! Finds the milestones of a boot, and failures, in the output of a guest's console.
//!
//! The console is the only source that every kernel and every system has. The texts are those of
//! Linux 6 (`init/main.c`, `kernel/panic.c`, `fs/fuse/virtio_fs.c`) and of systemd 252 to 257.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A milestone of a boot, in order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Milestone {
    /// QEMU runs.
    Qemu,
    /// The kernel printed its first message.
    Kernel,
    /// The initrd printed its first message.
    Initrd,
    /// The store is mounted.
    Store,
    /// systemd reached multi-user.target, or a login prompt appeared.
    MultiUser,
    /// sshd answered.
    Ssh,
}

impl Milestone {
    pub const ALL: [Self; 6] = [
        Self::Qemu,
        Self::Kernel,
        Self::Initrd,
        Self::Store,
        Self::MultiUser,
        Self::Ssh,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::Store => "store",
            Self::MultiUser => "multi-user",
            Self::Ssh => "ssh",
        }
    }

    /// Returns a short description.
    pub fn means(self) -> &'static str {
        match self {
            Self::Qemu => "QEMU runs",
            Self::Kernel => "the kernel runs",
            Self::Initrd => "the initrd runs",
            Self::Store => "the store is mounted",
            Self::MultiUser => "multi-user.target is reached",
            Self::Ssh => "sshd answers",
        }
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure that the console shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootFailure {
    /// The kernel panicked for another reason than those below.
    Panic(String),
    /// The kernel found no init, or init ended.
    NoInit(String),
    /// The kernel did not run the initrd.
    NoInitrd(String),
    /// The kernel has no driver for the store.
    NoVirtio(String),
    /// The system is in emergency mode.
    Emergency(String),
}

/// A line of the console that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    Reached(Milestone),
    Failed(BootFailure),
}

/// Reads the console line by line.
#[derive(Debug)]
pub struct ConsoleScanner {
    /// The mount point of the store.
    store: String,
    line: Vec<u8>,
    kernel_seen: bool,
    initrd_seen: bool,
    /// A message that explains a later failure.
    cause: Option<BootFailure>,
}

/// The length after which a line is cut, so that output without line breaks needs no more memory.
const LONGEST_LINE: usize = 4096;

impl ConsoleScanner {
    pub fn new(store: &str) -> Self {
        Self {
            store: store.into(),
            line: Vec::new(),
            kernel_seen: false,
            initrd_seen: false,
            cause: None,
        }
    }

    /// Reads the next part of the output, and returns what it means.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Sign> {
        let mut signs = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = plain_text(&std::mem::take(&mut self.line));
                self.line(&line, &mut signs);
            } else if self.line.len() < LONGEST_LINE {
                self.line.push(*byte);
            }
        }
        // A login prompt does not end with a line break.
        if self.line.ends_with(b"login: ") {
            signs.push(Sign::Reached(Milestone::MultiUser));
        }
        signs
    }

    fn line(&mut self, line: &str, signs: &mut Vec<Sign>) {
        if line.is_empty() {
            return;
        }
        let message = without_time(line);
        if message.is_some() && !self.kernel_seen || line.contains("Linux version ") {
            self.kernel_seen = true;
            signs.push(Sign::Reached(Milestone::Kernel));
        }
        let of_init = message.map_or(self.kernel_seen, |message| {
            message.starts_with("systemd[1]: ") || message.starts_with("Run /")
        });
        if of_init && !self.initrd_seen {
            self.initrd_seen = true;
            signs.push(Sign::Reached(Milestone::Initrd));
        }
        let text = message.unwrap_or(line);
        if text.contains("ounted ") && self.is_about_store(text) {
            signs.push(Sign::Reached(Milestone::Store));
        }
        if text.contains("Reached target Multi-User")
            || text.contains("Reached target multi-user.target")
            || text.contains("(automatic login)")
        {
            signs.push(Sign::Reached(Milestone::MultiUser));
        }
        self.failure(text, signs);
    }

    fn failure(&mut self, text: &str, signs: &mut Vec<Sign>) {
        if let Some(cause) = cause(text) {
            self.cause = Some(cause);
        }
        if let Some(reason) = text.split_once("Kernel panic - not syncing: ") {
            let reason = reason.1.trim().to_string();
            let failure = match &reason {
                _ if reason.starts_with("VFS: Unable to mount root") => {
                    BootFailure::NoInitrd(reason)
                }
                _ if reason.starts_with("No working init") => BootFailure::NoInit(reason),
                _ if reason.starts_with("Requested init") => BootFailure::NoInit(reason),
                _ if reason.starts_with("Attempted to kill init") => {
                    self.cause.take().unwrap_or(BootFailure::NoInit(reason))
                }
                _ => BootFailure::Panic(reason),
            };
            signs.push(Sign::Failed(failure));
        } else if text.contains("You are in emergency mode")
            || text.contains("Entering emergency mode")
        {
            let other = BootFailure::Emergency("the system is in emergency mode".into());
            signs.push(Sign::Failed(self.cause.take().unwrap_or(other)));
        }
    }

    /// Returns whether a line names the mount point of the store, in the initrd or after it. The
    /// initrd can mount the store below `/sysroot` or `/mnt-root`.
    fn is_about_store(&self, text: &str) -> bool {
        // A path may contain full stops, so remove only the one at the end of the sentence.
        let mut words = text.split([' ', '\u{2026}']);
        words.any(|word| {
            let word = word.trim_end_matches('.');
            let at = word.strip_suffix(&self.store);
            at.is_some_and(|before| ["", "/sysroot", "/mnt-root"].contains(&before))
        })
    }
}

/// Returns the cause of a later failure that this line shows.
fn cause(text: &str) -> Option<BootFailure> {
    let without_driver = text.contains("unknown filesystem type 'virtiofs'")
        || text.contains("mounting") && text.contains("failed: No such device")
        || text.contains("virtio-fs: tag <");
    let without_init = text.contains("Failed to execute /init")
        || text.contains("Couldn't open or read") && text.contains("rdinit")
        || text.contains("Failed to find NixOS closure")
        || text.contains("no init= parameter found");
    match (without_driver, without_init) {
        (true, _) => Some(BootFailure::NoVirtio(text.trim().into())),
        (_, true) => Some(BootFailure::NoInit(text.trim().into())),
        _ => None,
    }
}

/// Returns a kernel message without its time, such as `[    0.123456] `, or `None` if the line is
/// not a kernel message.
fn without_time(line: &str) -> Option<&str> {
    let (time, message) = line.strip_prefix('[')?.split_once("] ")?;
    let digits = time.trim_start();
    let well_formed =
        digits.contains('.') && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    well_formed.then_some(message)
}

/// Removes escape sequences and carriage returns.
pub fn plain_text(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = console::strip_ansi_codes(&text);
    text.chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(output: &str) -> Vec<Sign> {
        let mut scanner = ConsoleScanner::new("/nix/store");
        // The output arrives in pieces.
        output
            .as_bytes()
            .chunks(7)
            .flat_map(|part| scanner.read(part))
            .collect()
    }

    #[test]
    fn boot_with_systemd_reaches_all_milestones() {
        let output = "[    0.000000] Linux version 6.12.1 (root@box)\r\n\
            [    1.200000] Run /init as init process\r\n\
            \u{1b}[0;1;39mWelcome to \u{1b}[34mNixOS\u{1b}[0m!\r\n\
            [\u{1b}[0;32m  OK  \u{1b}[0m] Mounted \u{1b}[0;1;39m/sysroot/nix/store\u{1b}[0m.\r\n\
            [\u{1b}[0;32m  OK  \u{1b}[0m] Reached target \u{1b}[0;1;39mMulti-User System\u{1b}[0m.\r\n";
        let reached = [
            Milestone::Kernel,
            Milestone::Initrd,
            Milestone::Store,
            Milestone::MultiUser,
        ];
        assert_eq!(signs(output), reached.map(Sign::Reached));
    }

    #[test]
    fn quiet_boot_reaches_milestones_too() {
        let output = "[    0.000000] printk: quiet\n<<< NixOS Stage 1 >>>\nbox login: ";
        let reached = [Milestone::Kernel, Milestone::Initrd, Milestone::MultiUser];
        assert_eq!(signs(output), reached.map(Sign::Reached));
    }

    #[test]
    fn other_mount_points_are_not_the_store() {
        let output = "[ 1.0] systemd[1]: Mounted /sysroot/nix/store-extra.\n\
            [ 1.1] systemd[1]: Mounted /srv/nix/store.\n";
        assert!(!signs(output).contains(&Sign::Reached(Milestone::Store)));
    }

    #[test]
    fn panics_are_explained() {
        let failure = |output: &str| match signs(output).pop() {
            Some(Sign::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        };
        let panic = |reason: &str| format!("[ 1.0] Kernel panic - not syncing: {reason}\n");
        let vfs = "VFS: Unable to mount root fs on unknown-block(0,0)";
        assert_eq!(failure(&panic(vfs)), BootFailure::NoInitrd(vfs.into()));
        let killed = "Attempted to kill init! exitcode=0x00000100";
        assert_eq!(failure(&panic(killed)), BootFailure::NoInit(killed.into()));
        let virtio = "mount: mounting store on /nix/store failed: No such device";
        assert_eq!(
            failure(&format!("{virtio}\n{}", panic(killed))),
            BootFailure::NoVirtio(virtio.into())
        );
        assert_eq!(failure(&panic("sysrq")), BootFailure::Panic("sysrq".into()));
    }
}
