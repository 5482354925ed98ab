//! Guests for tests: a host of minios with Debian's kernel, an initrd of busybox, and QEMU without
//! KVM.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::{Processes, Ran, RunningProgram, TestEnv, has, skip};

/// The program that starts guests.
pub const GUEST_PROGRAM: &str = env!("CARGO_BIN_EXE_runtime-guest");

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// The modules of the initrd, in the order in which they must be loaded.
const MODULES: [&str; 10] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "fuse",
    "virtiofs",
    "failover",
    "net_failover",
    "virtio_net",
];

/// An environment in which guests can be started.
pub struct GuestLab {
    pub env: TestEnv,
    pub kernel: PathBuf,
    pub initrd: PathBuf,
}

impl GuestLab {
    /// Prepares an environment. Returns `None` and reports the test as skipped if QEMU, virtiofsd,
    /// OpenSSH or the kernel is missing.
    pub fn new(test: &str) -> Option<Self> {
        if !["qemu-system-x86_64", "ssh-keygen", "ssh"]
            .iter()
            .all(|one| has(test, one))
        {
            return None;
        }
        let folders = ["/usr/libexec", "/usr/lib/qemu", "/usr/bin"];
        if !folders
            .iter()
            .any(|folder| Path::new(folder).join("virtiofsd").exists())
        {
            skip(test, "virtiofsd is not installed");
            return None;
        }
        let kernel = match kernel_folder() {
            Ok(folder) => folder,
            Err(reason) => {
                skip(test, reason);
                return None;
            }
        };
        let env = TestEnv::fixture().edit("flake.nix", |text| {
            text.replace(
                "box = ./hosts/box.nix;",
                "box = ./hosts/box.nix; guest = ./hosts/guest.nix;",
            )
        });
        let initrd = env.path("initrd");
        fs::write(&initrd, archive(kernel, &MODULES)).expect("the initrd");
        fs::write(env.path("initrd-without-virtio"), archive(kernel, &[])).expect("an initrd");
        let boot = fs::read_dir(kernel.join("boot"))
            .expect("a kernel")
            .flatten();
        let mut images = boot.map(|entry| entry.path());
        let image = images.find(|path| path.display().to_string().contains("vmlinuz-"));
        Some(Self {
            env,
            kernel: image.expect("a kernel"),
            initrd,
        })
    }

    /// Makes a folder that looks like a system, for guests that need not reach their init.
    pub fn fake_system(&self) -> PathBuf {
        let store = self.env.path("fake-store");
        let system = store.join("0123456789abcdfghijklmnpqrsvwxyz-fake");
        fs::create_dir_all(&system).expect("a folder");
        let init = system.join("init");
        fs::write(&init, "#!/bin/busybox sh\nexec sleep 600\n").expect("an init");
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).expect("a program");
        let boot = serde_json::json!({
            "org.nixos.bootspec.v1": {
                "system": "x86_64-linux",
                "label": "fake",
                "toplevel": system,
                "init": system.join("init"),
                "kernelParams": ["console=ttyS0,115200"],
            },
            "runtime-module.guest.v1": { "virtiofs": { "store": store } },
        });
        fs::write(system.join("boot.json"), boot.to_string()).expect("a boot.json");
        system
    }

    /// Returns the options of a guest with little memory that runs on any machine.
    pub fn hardware(&self) -> Vec<String> {
        let (kernel, initrd) = (self.kernel.display(), self.initrd.display());
        let store = self.env.path("fake-store");
        let mut words = vec![
            "--accelerator=tcg".into(),
            "--memory=256".into(),
            "--cpus=1".into(),
            "--no-systemd".into(),
            format!("--kernel={kernel}"),
            format!("--initrd={initrd}"),
        ];
        if store.exists() {
            words.push(format!("--share=store={}", store.display()));
        }
        words
    }

    /// Returns the folder of all guests.
    pub fn folder(&self) -> PathBuf {
        self.env.path("g")
    }

    /// Returns a command of the program.
    pub fn command<S: AsRef<str>>(&self, words: &[S]) -> Command {
        let mut command = self.env.other(GUEST_PROGRAM);
        command
            .env("RUNTIME_GUEST_FOLDER", self.folder())
            .args(words.iter().map(AsRef::as_ref));
        command
    }

    /// Starts the program.
    pub fn start<S: AsRef<str>>(&self, words: &[S]) -> RunningProgram {
        self.env.start_running(self.command(words))
    }

    /// Runs the program.
    pub fn run<S: AsRef<str>>(&self, words: &[S]) -> Ran {
        self.start(words).end()
    }

    /// Runs `start` or `run` with a system and the usual hardware.
    pub fn boot(&self, command: &str, name: &str, system: &str, more: &[&str]) -> RunningProgram {
        let mut words = vec![command.to_string(), system.into(), format!("--name={name}")];
        words.extend(self.hardware());
        words.extend(more.iter().map(ToString::to_string));
        self.start(&words)
    }

    /// Runs the program in a mount namespace in which a shell script has changed mounts. Returns
    /// `None` and reports the test as skipped if this user may not do this.
    pub fn run_with_mounts(&self, test: &str, script: &str, words: &[&str]) -> Option<Ran> {
        if !unix::unistd::geteuid().is_root() {
            skip(test, "only root can change mounts");
            return None;
        }
        fs::create_dir_all(self.folder()).expect("a folder");
        let mut command = self.env.other("unshare");
        command
            .env("RUNTIME_GUEST_FOLDER", self.folder())
            .args([
                "--mount",
                "sh",
                "-ec",
                &format!("{script}\nexec \"$@\""),
                "sh",
                GUEST_PROGRAM,
            ])
            .args(words);
        Some(self.env.start_running(command).end())
    }

    /// Returns the state of a running guest.
    pub fn state(&self, name: &str) -> Value {
        let path = self.folder().join(name).join("state.json");
        let text = fs::read_to_string(path).expect("the state of a guest");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Returns the processes of all guests.
    pub fn processes(&self) -> Processes {
        self.env.processes()
    }

    /// Checks that no process, file, mount or GC root of a guest is left.
    pub fn nothing_is_left(&self, what: &str) {
        self.env
            .processes()
            .gone_within(std::time::Duration::from_secs(20));
        let files: Vec<_> = fs::read_dir(self.folder())
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        assert!(files.is_empty(), "{what}: left files: {files:?}");
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
        let place = self.env.path("").display().to_string();
        assert!(
            !mounts.contains(place.trim_end_matches('/')),
            "{what}: left mounts: {mounts}"
        );
        let roots = fs::read_dir(self.env.path("state/gcroots/auto"));
        let roots = roots.into_iter().flatten().flatten();
        let dangling: Vec<_> = roots
            .map(|root| root.path())
            .filter(|root| !root.exists())
            .collect();
        assert!(dangling.is_empty(), "{what}: left GC roots: {dangling:?}");
    }
}

/// Returns the folder of the kernel, or the reason why there is none.
fn kernel_folder() -> Result<&'static Path, &'static str> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let script = Path::new(REPOSITORY).join("scripts/guest-kernel");
        let output = Command::new(script)
            .stdin(Stdio::null())
            .output()
            .expect("a script");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
        match output.status.success() {
            true => Ok(text(&output.stdout).into()),
            false => Err(text(&output.stderr)),
        }
    });
    folder.as_deref().map_err(String::as_str)
}

/// Returns the initrd: busybox, the drivers of virtio, and `guest-init.sh`.
fn archive(kernel: &Path, modules: &[&str]) -> Vec<u8> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "modules", "proc", "sys"] {
        archive.entry(folder, 0o040_755, &[]);
    }
    let busybox = fs::read(super::busybox()).expect("busybox");
    archive.entry("bin/busybox", 0o100_755, &busybox);
    archive.entry("init", 0o100_755, include_bytes!("guest-init.sh"));
    archive.entry("modules/order", 0o100_644, modules.join(" ").as_bytes());
    for name in modules {
        let file = format!("{name}.ko");
        let path = find(&kernel.join("lib/modules"), &file).expect("a module of the kernel");
        let module = fs::read(path).expect("a module");
        archive.entry(&format!("modules/{file}"), 0o100_644, &module);
    }
    archive.entry("TRAILER!!!", 0, &[]);
    archive.0
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries
        .map(|entry| entry.path())
        .find_map(|path| match path.is_dir() {
            true => find(&path, name),
            false => path.ends_with(name).then_some(path),
        })
}

/// An archive in the format `newc`, which the kernel unpacks.
#[derive(Default)]
struct Archive(Vec<u8>);

impl Archive {
    fn entry(&mut self, name: &str, mode: usize, content: &[u8]) {
        let inode = self.0.len() + 1;
        let sizes = [
            inode,
            mode,
            0,
            0,
            1,
            0,
            content.len(),
            0,
            0,
            0,
            0,
            name.len() + 1,
            0,
        ];
        self.0.extend(b"070701");
        for field in sizes {
            self.0.extend(format!("{field:08x}").bytes());
        }
        for part in [&[name.as_bytes(), b"\0"].concat(), content] {
            self.0.extend(part);
            let length = self.0.len().next_multiple_of(4);
            self.0.resize(length, 0);
        }
    }
}
