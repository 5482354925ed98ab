"""A machine with a real systemd as init, in a container. mmdebstrap creates its Debian system once, in the cache. An
overlay in memory makes every boot a first boot. A reboot keeps the folders in LASTING.

Nothing but the cache outlives the process.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import control_groups

TOP = Path(__file__).resolve().parent.parent.parent

# Packages of the container's Debian, in addition to the libraries that the program links to.
PACKAGES = ["systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-client", "openssh-server", "procps", "util-linux"]
# NixOS 26.11's switch program talks to the session bus of each user.
PACKAGES += ["sudo", "doas", "dbus-user-session"]

# Prepares the Debian once: a user with a user manager, a machine ID, and no units that start at random times.
PREPARE = r"""
set -eu
chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash alice
mkdir -p "$1/var/lib/systemd/linger" "$1/etc/nix" "$1/nix"
touch "$1/var/lib/systemd/linger/alice" "$1/etc/NIXOS"
echo 00000000000000000000000000000001 > "$1/etc/machine-id"
echo 'alice ALL=(root) NOPASSWD: ALL' > "$1/etc/sudoers.d/alice"
echo 'permit nopass alice as root' > "$1/etc/doas.conf"
printf 'build-users-group =\nsubstituters =\nsandbox = false\nflake-registry =\n' > "$1/etc/nix/nix.conf"
chroot "$1" systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer getty.target console-getty.service
chroot "$1" systemctl set-default --quiet multi-user.target
"""

# The environment of a login as root.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}

# The folders whose content survives a reboot.
LASTING = ["/nix", "/var/lib/runtime-modules"]

PATIENCE = 60


class Missing(Exception):
    """A prerequisite of the tests that the host lacks."""


class Done:
    """The result of a command in the container."""

    def __init__(self, arguments, code, out, err, seconds):
        self.arguments, self.code, self.out, self.err, self.seconds = arguments, code, out, err, seconds

    def __str__(self):
        return f"$ {' '.join(self.arguments)}\nexit code {self.code} after {self.seconds:.1f} s\n{self.out}{self.err}"


def check_needs():
    """Raises `Missing` if the tests cannot run on this host."""
    if os.geteuid() != 0:
        raise Missing("only root can start a container")
    for program in ("systemd-nspawn", "mmdebstrap", "nsenter", "dpkg"):
        if not shutil.which(program):
            raise Missing(f"{program} is not installed: run scripts/packages system")
    unshared = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
    if unshared.returncode != 0:
        raise Missing(f"cannot create namespaces here: {unshared.stderr.strip()}")
    if not Path("/sys/fs/cgroup").is_mount():
        raise Missing("there are no control groups at /sys/fs/cgroup, but systemd needs them")


def both(program):
    """Returns the program, and the program to which it hands over."""
    return [str(program), str(Path(program).with_name("runtime-module-nix"))]


def packages_of(program):
    """Returns the Debian packages with the libraries of both programs."""
    listed = subprocess.run(["ldd", *both(program)], capture_output=True, text=True, check=True).stdout
    libraries = {path for path in re.findall(r"=> (/\S+)", listed) if path.startswith(("/lib", "/usr/lib"))}
    # dpkg still lists some libraries under /lib, although that is now a link to /usr/lib.
    names = libraries | {path.removeprefix("/usr") for path in libraries} | {f"/usr{path}" for path in libraries}
    found = subprocess.run(["dpkg", "-S", *sorted(names)], capture_output=True, text=True).stdout
    return {line.split(":")[0] for line in found.splitlines()}


def cache():
    """Returns the project's folder in the cache of the user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runtime-module"


def debian(program):
    """Returns the directory of the container's Debian, and creates it if it is not cached."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    suite = release.get("VERSION_CODENAME", "").strip('"')
    packages = sorted(set(PACKAGES) | packages_of(program))
    recipe = hashlib.sha256("\n".join([suite, PREPARE, *packages]).encode()).hexdigest()[:12]
    folder = cache() / f"debian-{recipe}"
    if folder.exists():
        return folder
    print(f"building the Debian of the container once, in {folder}", flush=True)
    cache().mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"debian-{recipe}.", dir=cache()))
    try:
        hook = made.with_suffix(".prepare")
        hook.write_text(f"#!/bin/sh\n{PREPARE}")
        hook.chmod(0o755)
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--customize-hook={hook}"]
        done = subprocess.run(
            [*command, f"--include={','.join(packages)}", suite, str(made)], capture_output=True, text=True
        )
        hook.unlink()
        if done.returncode != 0:
            raise Missing(f"mmdebstrap could not make a Debian {suite}: {done.stderr.strip()[-500:]}")
        made.chmod(0o755)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def is_systemd(pid):
    """Returns whether a process has become the container's init by `execve`."""
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name == "systemd"
    except OSError:
        return False


class Machine:
    """A booted container."""

    environment = ENVIRONMENT

    def __init__(self, program, binds=()):
        """Prepares a container. `binds` are mounts, as systemd-nspawn takes them: the program and all that it needs."""
        self.program, self.binds = str(program), binds
        self.name = f"runtime-module-{os.getpid()}"
        self.root = debian(self.program)
        self.nspawn = self.init = self.lasting = None
        self.groups = self.entries = []

    def boot(self):
        """Boots the container again, without any earlier changes."""
        self.end()
        self.lasting = tempfile.TemporaryDirectory(prefix="runtime-module-lasting-")
        for folder in LASTING:
            Path(self.lasting.name + folder).mkdir(parents=True)
        return self._start()

    def reboot(self):
        """Boots the container again, as after a power failure: only the folders in LASTING keep their content."""
        self._kill()
        return self._start()

    def _start(self):
        # If this process is killed, systemd-nspawn gets SIGTERM and kills the container's init. Killing systemd-nspawn
        # itself would not do that.
        command = ["setpriv", "--pdeathsig", "TERM", "systemd-nspawn", "--kill-signal=SIGKILL"]
        command += ["--quiet", "--register=no", "--keep-unit", "--private-network", "--link-journal=no", "--console=pipe"]
        command += [f"--directory={self.root}", f"--machine={self.name}", *self._contents()]
        self.log = tempfile.TemporaryFile()
        self.groups = control_groups.make_groups()
        self.nspawn = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=lambda: control_groups.join(self.groups),
        )
        children = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children")
        deadline = time.monotonic() + PATIENCE
        while True:
            if self.nspawn.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                said = self.log.read().decode(errors="replace").strip()
                ended = self.nspawn.poll()
                self.end()
                raise Missing(f"systemd-nspawn (exit status {ended}) cannot start a container here: {said[-500:]}")
            self.init = next((pid for pid in map(int, children.read_text().split()) if is_systemd(pid)), None)
            if self.init:
                self.entries = control_groups.make_entries(self.groups, self.init)
                if self.run("systemctl", "is-system-running", "--wait").out.strip() in ("running", "degraded"):
                    self._booted()
                    return self
            time.sleep(0.05)

    def _contents(self):
        """Returns the arguments of systemd-nspawn for the container's mounts and init."""
        lasting = [f"--bind={self.lasting.name}{folder}:{folder}" for folder in LASTING]
        return ["--boot", "--volatile=overlay", *lasting, *(f"--bind-ro={path}" for path in self.binds)]

    def _booted(self):
        """Lets alice reach the program, which may be below root's home on the host."""
        places = [Path(bind.split(":")[-1]) for bind in self.binds]
        self.run("chmod", "a+x", *sorted({str(above) for place in places for above in place.parents}))

    def end(self):
        """Kills the container, and removes the folders of LASTING."""
        self._kill()
        if self.lasting:
            self.lasting.cleanup()
        self.lasting = None

    def _kill(self):
        if self.init:
            os.kill(self.init, signal.SIGKILL)
        if self.nspawn:
            try:
                self.nspawn.wait(10)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
            control_groups.remove_groups(self.groups)
        self.nspawn = self.init = None
        self.groups = self.entries = []

    def command(self, *arguments, env=None):
        """Returns a command line that runs a command in the container."""
        assignments = [f"{name}={value}" for name, value in (self.environment | (env or {})).items()]
        enter = ["nsenter", "--all", f"--target={self.init}", "--", "env", "--chdir=/", "-i", *assignments]
        return [*enter, *map(str, arguments)]

    def start(self, *arguments, **options):
        """Starts a command in the container, in a control group of the container."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command, enter = self.command(*arguments, **options), lambda: control_groups.join(self.entries)
        return subprocess.Popen(command, text=True, errors="replace", preexec_fn=enter, **pipes)

    def run(self, *arguments, **options):
        """Runs a command in the container and waits until it exits."""
        begun = time.monotonic()
        process = self.start(*arguments, **options)
        try:
            out, err = process.communicate(timeout=PATIENCE * 2)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += "\n(timed out and was killed)"
        return Done([str(one) for one in arguments], process.returncode, out, err, time.monotonic() - begun)

    def ours(self):
        """Returns the processes of our programs in the container, as process IDs on the host."""
        space = os.stat(f"/proc/{self.init}/ns/pid").st_ino
        own = [os.stat(f"/proc/{self.init}/root{program}") for program in self._programs()]
        found = []
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                exe = os.stat(f"/proc/{pid}/exe")
                if os.stat(f"/proc/{pid}/ns/pid").st_ino == space and any(os.path.samestat(exe, one) for one in own):
                    found.append(pid)
            except OSError:
                pass
        return found

    def _programs(self):
        """Returns the paths of our programs in the container."""
        return both(self.program)

    def kill_ours(self):
        """Kills all processes of our programs."""
        for pid in self.ours():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
