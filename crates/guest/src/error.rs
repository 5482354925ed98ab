//! The messages about guests.

use std::path::Path;

use runtime_module_core::error::{Message as _, MessageRow};
use runtime_module_core::messages;

messages! {
    /// Reasons why a guest cannot be started, reached or stopped.
    pub enum GuestError {
        BadName { name: String } {
            kind: Usage,
            text: "cannot use '{name}' as the name of a guest: a name has at most 40 letters, digits, '.', '_' and '-', \
                and begins with a letter or digit",
            hint: "choose another name with --name",
            means: "The name of a guest is also the name of its folder, its unit and its host key.",
            next: "Choose another name with `--name`.",
        }
        NameInUse { name: String } {
            kind: Refused,
            text: "cannot start the guest {name}: a guest with this name is already running",
            hint: "choose another name with --name, or run `runtime-guest stop {name}`",
            means: "Each running guest has its own name.",
            next: "Choose another name with `--name`, or stop the other guest.",
        }
        NotRunning { name: String } {
            kind: Refused,
            text: "cannot find the guest {name}: no guest with this name is running",
            hint: "run `runtime-guest list` to see the running guests",
            means: "The guest was never started, has ended, or was started by another user.",
            next: "Run `runtime-guest list`.",
        }
        NoRuntimeFolder {
            kind: Refused,
            text: "cannot choose a folder for the guest's files: XDG_RUNTIME_DIR is not set",
            hint: "log in with a session of your own, or set RUNTIME_GUEST_FOLDER to a folder in memory that only you can \
                read",
            means: "The files of a guest contain a private key, so they are in a folder that only the user can read.",
            next: "Log in with a session of your own, or set `RUNTIME_GUEST_FOLDER`.",
        }
        FolderTooLong { folder: String, limit: usize } {
            kind: Refused,
            text: "cannot use the folder {folder} for the guest's files: the paths of its sockets would be longer than \
                {limit} bytes",
            hint: "choose a shorter name with --name, or set RUNTIME_GUEST_FOLDER to a shorter path",
            means: "Linux limits the length of the path of a socket.",
            next: "Choose a shorter name with `--name`, or set `RUNTIME_GUEST_FOLDER` to a shorter path.",
        }
        FileNotWritten { path: String, reason: String } {
            kind: Refused,
            text: "cannot write {path}: {reason}",
            hint: "free some space in this file system, or set RUNTIME_GUEST_FOLDER to another folder",
            means: "The folder of the guest's files is full, or the user may not write to it.",
            next: "Free some space, or set `RUNTIME_GUEST_FOLDER` to another folder.",
        }
        NoSuchSystem { path: String } {
            kind: Usage,
            text: "cannot start a guest from {path}: no such file or directory",
            hint: "build the system with `nix build .#toplevel` and pass `result`, or pass FLAKE#HOST",
            means: "The argument is neither the path of a built system nor a flake reference with a host.",
            next: "Pass the path of a built system, or `FLAKE#HOST`.",
        }
        ModulesOfBuiltSystem { system: String } {
            kind: Usage,
            text: "cannot enable a module in {system}: the system is already built",
            hint: "pass FLAKE#HOST instead of a path",
            means: "`--module` works only with a host that runtime-guest evaluates and builds.",
            next: "Pass `FLAKE#HOST`, or `--host`, instead of the path of a system.",
        }
        NoBootJson { system: String } {
            kind: Refused,
            text: "cannot start a guest from {system}: it contains no boot.json",
            hint: "pass the toplevel of a NixOS system that imports backends.imageless",
            means: "The path is not a NixOS system, or its bootspec is disabled.",
            next: "Pass the toplevel of a NixOS system that imports `backends.imageless`.",
        }
        BadBootJson { path: String, reason: String } {
            kind: Refused,
            text: "cannot read {path}: {reason}",
            hint: "build the system again",
            means: "The file is damaged, or does not have the format that `backends.imageless` writes.",
            next: "Build the system again.",
        }
        NotImageless { system: String } {
            kind: Refused,
            text: "cannot start a guest from {system}: its boot.json does not say what the system mounts",
            hint: "import backends.imageless in the system, and build it again",
            means: "The system does not use the backend `imageless`, so it expects a disk with its own store.",
            next: "Import `backends.imageless` in the system, and build it again.",
        }
        OtherPlatform { system: String, platform: String } {
            kind: Refused,
            text: "cannot start a guest from {system}: it was built for {platform}, and runtime-guest starts only \
                x86_64-linux systems",
            hint: "build the system for x86_64-linux",
            means: "runtime-guest knows only QEMU's x86-64 machine.",
            next: "Build the system for `x86_64-linux`.",
        }
        MissingBootFile { what: String, path: String } {
            kind: Refused,
            text: "cannot start the guest: its {what} {path} does not exist",
            hint: "build the system again; the garbage collector may have deleted it",
            means: "A file that boot.json or an option names does not exist.",
            next: "Build the system again, or correct the option.",
        }
        NoKernel {
            kind: Usage,
            text: "cannot start the guest: the system has no kernel",
            hint: "pass --kernel FILE, such as arch/x86/boot/bzImage of a kernel that you built",
            means: "An imageless system contains no kernel, so that a new kernel does not require a rebuild.",
            next: "Pass `--kernel FILE`.",
        }
        NotAKernel { path: String } {
            kind: Usage,
            text: "cannot start the guest: {path} is not a Linux kernel for x86-64",
            hint: "pass the file arch/x86/boot/bzImage of a kernel build",
            means: "The file lacks the header of a bzImage. `vmlinux` and modules are other formats.",
            next: "Pass the file `arch/x86/boot/bzImage` of a kernel build.",
        }
        MissingShares { tags: String } {
            kind: Usage,
            text: "cannot start the guest: it mounts tags without a folder: {tags}",
            hint: "pass --share TAG=DIR for each tag; the folder of the tag `modules` is passed with --modules DIR",
            means: "The guest would wait for the missing share, and would not finish booting.",
            next: "Pass `--share TAG=DIR`, or `--modules DIR` for the tag `modules`.",
        }
        NoSuchShare { tag: String, folder: String } {
            kind: Usage,
            text: "cannot share {folder} with the tag {tag}: the path is not a directory",
            hint: "create the directory, or correct the path",
            means: "virtiofsd can only share a directory that exists.",
            next: "Create the directory, or correct the path.",
        }
        BadTag { tag: String } {
            kind: Usage,
            text: "cannot share a folder with the tag '{tag}': a tag has 1 to 36 letters, digits, '.', '_', '/' and '-'",
            hint: "choose another tag, and use the same one in guests.shares",
            means: "virtio limits a tag to 36 bytes, and QEMU cannot pass other characters.",
            next: "Choose another tag.",
        }
        TagTwice { tag: String } {
            kind: Usage,
            text: "cannot share two folders with the tag {tag}",
            hint: "give each folder its own tag",
            means: "The guest finds a share by its tag.",
            next: "Give each folder its own tag.",
        }
        PortInUse { port: u16, reason: String } {
            kind: Refused,
            text: "cannot forward port {port} to the guest: {reason}",
            hint: "choose another port with --ssh PORT, or omit --ssh to use any free port",
            means: "Another program, or another guest, listens on this port.",
            next: "Choose another port with `--ssh`, or omit the option.",
        }
        ProgramMissing { program: String, package: String } {
            kind: Refused,
            text: "cannot start the guest: {program} is not installed",
            hint: "install {package}; on NixOS, enable guests.controller",
            means: "runtime-guest starts QEMU and virtiofsd, and uses OpenSSH to reach a guest.",
            next: "Install the program. On NixOS, enable `guests.controller`.",
        }
        NoKvm { reason: String } {
            kind: Refused,
            text: "cannot use KVM: {reason}",
            hint: "omit --accelerator kvm to emulate the processor if KVM is not available, which is much slower",
            means: "The processor or the hypervisor does not allow virtual machines, the module kvm is not loaded, or the \
                user may not open /dev/kvm.",
            next: "Add the user to the group `kvm`, or omit `--accelerator kvm`.",
        }
        SupervisorNotStarted { reason: String } {
            kind: Internal,
            text: "cannot start the guest's supervisor: {reason}",
            hint: "run the command again with `--no-systemd`",
            means: "The process that watches the guest did not start, or systemd refused its unit.",
            next: "Run the command again with `--no-systemd`, which starts the process without systemd.",
        }
        SupervisorLost { name: String } {
            kind: Internal,
            text: "lost the guest {name}: its supervisor ended unexpectedly",
            hint: "run `runtime-guest list`, which removes what is left of the guest",
            means: "The process that watches the guest was killed. The kernel then ends QEMU and virtiofsd too.",
            next: "Run `runtime-guest list`, which removes the files of guests that have ended.",
        }
        QemuEnded { name: String, status: String } {
            kind: Refused,
            text: "the guest {name} ended early: QEMU {status}",
            hint: "the lines above are QEMU's own messages",
            means: "QEMU crashed, was killed, or refused its arguments. The details are its last messages.",
            next: "Read QEMU's messages. If memory is short, pass a smaller `--memory`.",
        }
        VirtiofsdEnded { name: String, tag: String, status: String } {
            kind: Refused,
            text: "the guest {name} ended early: virtiofsd of the tag {tag} {status}",
            hint: "the lines above are virtiofsd's own messages",
            means: "virtiofsd crashed, was killed, or may not read the folder. The details are its last messages.",
            next: "Read virtiofsd's messages.",
        }
        KernelPanicked { name: String, reason: String } {
            kind: Refused,
            text: "the kernel of the guest {name} panicked: {reason}",
            hint: "start the guest with `runtime-guest run --gdb` to examine the kernel: the guest then stays after a panic",
            means: "The kernel stopped because of an error. The details are the last lines of the console.",
            next: "Read the last lines of the console. To examine the kernel, start the guest with `--gdb`.",
        }
        NoInit { name: String, reason: String } {
            kind: Refused,
            text: "the guest {name} cannot start its init: {reason}",
            hint: "remove `init=` and `rdinit=` from --append, and check that the init exists in the system",
            means: "The program that `init=` or `rdinit=` names does not exist in the guest, or ended immediately.",
            next: "Remove `init=` and `rdinit=` from `--append`, or correct them.",
        }
        NoInitrd { name: String, reason: String } {
            kind: Refused,
            text: "the kernel of the guest {name} did not run the initrd: {reason}",
            hint: "build the kernel with BLK_DEV_INITRD and the compression of the initrd, or pass more --memory",
            means: "The kernel cannot unpack the initrd, so it tried to mount a root file system that does not exist.",
            next: "Build the kernel with `BLK_DEV_INITRD` and the initrd's compression (`RD_ZSTD`, `RD_GZIP`).",
        }
        NoVirtio { name: String, reason: String } {
            kind: Refused,
            text: "the kernel of the guest {name} cannot mount the store: {reason}",
            hint: "build VIRTIO_PCI, FUSE_FS and VIRTIO_FS into the kernel: `./scripts/config --enable VIRTIO_PCI --enable \
                FUSE_FS --enable VIRTIO_FS`",
            means: "The initrd has no modules, so the drivers of virtio and virtiofs must be built into the kernel.",
            next: "Build `VIRTIO_PCI`, `FUSE_FS` and `VIRTIO_FS` into the kernel.",
        }
        Emergency { name: String, reason: String } {
            kind: Refused,
            text: "the guest {name} stopped booting: {reason}",
            hint: "start the guest with `runtime-guest run` to use the emergency shell on its console",
            means: "A unit that the boot needs failed. The details are the last lines of the console.",
            next: "Start the guest with `runtime-guest run`, and use the shell on its console.",
        }
        TooSlow { name: String, milestone: String, seconds: u64, reached: String } {
            kind: Refused,
            text: "the guest {name} did not reach {milestone} within {seconds} s; {reached}",
            hint: "pass a longer --timeout, or start the guest with `runtime-guest run` to watch its console",
            means: "The guest hangs, or is slower than expected. Without KVM, booting takes minutes. The details are the \
                last lines of the console.",
            next: "Pass a longer `--timeout`, or start the guest with `runtime-guest run`.",
        }
        EndedEarly { name: String, milestone: String } {
            kind: Refused,
            text: "the guest {name} shut down before it reached {milestone}",
            hint: "start the guest with `runtime-guest run` to watch its console",
            means: "The guest powered itself off, or rebooted. The details are the last lines of the console.",
            next: "Start the guest with `runtime-guest run` to watch its console.",
        }
        NoSsh { name: String, seconds: u64 } {
            kind: Refused,
            text: "cannot reach the guest {name} with ssh: sshd did not answer within {seconds} s",
            hint: "run `runtime-guest console {name}` to see what the guest does; it needs a driver for the network card \
                (VIRTIO_NET), DHCP and sshd",
            means: "The guest is still booting, hangs, or has no network or no sshd.",
            next: "Run `runtime-guest console NAME`.",
        }
        KeysNotMade { reason: String } {
            kind: Internal,
            text: "cannot make the keys of the guest: {reason}",
            hint: "check that `ssh-keygen -t ed25519` works",
            means: "ssh-keygen failed. Each guest has its own key and its own host key.",
            next: "Check that `ssh-keygen -t ed25519` works.",
        }
        NoTerminal { name: String } {
            kind: Usage,
            text: "cannot open the console of {name}: stdin is not a terminal",
            hint: "run the command in a terminal, or run `runtime-guest logs {name}` to read the console's output",
            means: "`console` connects the terminal with the guest.",
            next: "Run the command in a terminal, or use `logs`.",
        }
        NothingDeclared { path: String } {
            kind: Refused,
            text: "cannot apply the declared guests: {path} does not exist",
            hint: "set guests.machines and guests.controller.enable in the configuration of this machine, or pass --file",
            means: "`profiles.controller` writes this file if `guests.controller.enable` is true.",
            next: "Set `guests.machines` and `guests.controller.enable`, and switch to the new configuration.",
        }
        BadDeclaration { path: String, reason: String } {
            kind: Refused,
            text: "cannot read the declared guests in {path}: {reason}",
            hint: "use runtime-guest and the NixOS module from the same release",
            means: "The file was not written by the NixOS module of the same release.",
            next: "Use runtime-guest and the NixOS module from the same release.",
        }
        NotConfirmed {
            kind: Refused,
            text: "cannot apply the declared guests: the plan was not confirmed; nothing was changed",
            hint: "answer y, or pass --yes",
            means: "The answer was not `y` or `yes`, or stdin is not a terminal.",
            next: "Answer `y`, or pass `--yes`.",
        }
        Killed { name: String } {
            kind: Interrupted,
            text: "interrupted; the guest {name} was ended",
            means: "Ctrl-C, or a signal, ended `run` or `start` before the guest was ready.",
            next: "Run the command again.",
        }
    }
}

/// Returns the rows of this crate's messages in `docs/errors.md`.
pub fn rows() -> impl Iterator<Item = &'static MessageRow> {
    GuestError::ROWS.iter()
}

/// Returns the error for a file that cannot be written.
pub fn not_written(path: &Path, error: &std::io::Error) -> anyhow::Error {
    GuestError::FileNotWritten {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
    .into()
}
