"""A container that boots a NixOS toplevel: NixOS's own stage 2 is its first program, and becomes systemd.

The root is an empty folder, as on a machine that boots for the first time. `/nix` is an overlay over the store in the
cache, so nothing that happens in the container changes that store. A reboot keeps the root and `/nix`.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "system"))
from machine import Machine  # noqa: E402

PROFILE = "/nix/var/nix/profiles/system"


class Container(Machine):
    """A machine of tests/system whose system is a NixOS toplevel."""

    # The PATH of a login shell of NixOS.
    environment = {
        "PATH": "/run/wrappers/bin:/run/current-system/sw/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }

    def __init__(self, toplevel, folder, number):
        """`folder` contains the store of the toplevel, and the caches of the evaluations that made it. `number` tells
        containers of one run apart."""
        self.name = f"runtime-module-{os.getpid()}-{number}"
        self.program = "runtime-module"
        self.toplevel, self.folder = toplevel, folder
        self.nspawn = self.init = self.lasting = None
        self.groups = self.entries = []

    def boot(self):
        """Boots the toplevel with an empty root and an unchanged store."""
        self.end()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.lasting = tempfile.TemporaryDirectory(prefix="runtime-module-live-", dir=memory)
        lasting = Path(self.lasting.name)
        self.root = lasting / "root"
        # systemd-nspawn requires an operating system in the root. nixos-container creates these files, too.
        for name in ("etc", "usr", "var", "nix", "root", "sbin"):
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/os-release").write_text("ID=nixos\n")
        (self.root / "etc/machine-id").write_text("00000000000000000000000000000002\n")
        # Without its cache, libnix reads all inputs again in the first evaluation. The boot service has its own cache.
        for cache in ("root/.cache/nix", "var/cache/nix"):
            fetched = shutil.ignore_patterns("eval-cache*", "gitv3", "tarball*")
            shutil.copytree(self.folder / "cache/nix", self.root / cache, ignore=fetched)
        for name in ("upper", "work", "nix"):
            (lasting / name).mkdir()
        options = f"lowerdir={self.folder}/nix,upperdir={lasting}/upper,workdir={lasting}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(lasting / "nix")], check=True)
        return self._start()

    def shut_down(self):
        """Stops the container as `poweroff` does, and boots it again."""
        os.kill(self.init, signal.SIGRTMIN + 4)
        self.nspawn.wait(60)
        self.init = None
        return self.reboot()

    def end(self):
        """Kills the container and deletes its root and its changes to /nix."""
        self._kill()
        if self.lasting:
            subprocess.run(["umount", "--lazy", f"{self.lasting.name}/nix"], check=True)
            # NixOS makes this folder immutable.
            subprocess.run(["chattr", "-i", f"{self.root}/var/empty"], capture_output=True)
            self.lasting.cleanup()
        self.lasting = None

    def _contents(self):
        # The boot loader of a machine starts the newest generation of the system's profile.
        generation = Path(f"{self.lasting.name}{PROFILE}")
        toplevel = self.toplevel
        if generation.is_symlink():
            toplevel = os.readlink(generation.parent / os.readlink(generation))
        return [f"--bind={self.lasting.name}/nix:/nix", f"{toplevel}/init"]

    def _booted(self):
        """Resolves the links to the programs, which are valid only in the container."""
        program = Path(self.run("readlink", "--canonicalize", "/run/current-system/sw/bin/runtime-module").out.strip())
        self.programs = [str(program), str(program.parent.parent / "libexec/runtime-module-nix")]

    def _programs(self):
        return self.programs
