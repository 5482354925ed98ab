"""The store in which the NixOS host is built, below the cache. Commands run in a mount namespace of their own in which
this store is `/nix`, so that the result can be booted as it is and the machine's own `/nix` is neither used nor changed.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import binaries
import compiled
import debian
import suites
from debian import Missing, cache

sys.path.append(str(Path(__file__).resolve().parent.parent / "hosts"))
from world import CONFIGURATION, LAST_MODIFIED, clean_environment  # noqa: E402

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent

# Runs a command with another folder as /nix. If the machine has no /nix, the root becomes a folder in memory in which
# the machine's folders are mounted.
ENTER = r"""
set -eu
nix=$1
shift
if [ ! -d /nix ]; then
  mount -t tmpfs -o mode=755 none "$nix/../root"
  cd "$nix/../root"
  mkdir nix
  for one in /*; do
    if [ -L "$one" ]; then
      cp -P "$one" .
    elif [ -d "$one" ]; then
      mkdir ".$one"
      mount --rbind "$one" ".$one"
    fi
  done
  mount --bind "$nix" nix
  exec chroot . "$@"
fi
mount --bind "$nix" /nix
exec "$@"
"""


def check_tree(nixpkgs):
    """Returns the release of a nixpkgs tree. Raises `Missing` if the tree cannot be booted."""
    version = nixpkgs / "lib/.version"
    stage_2 = nixpkgs / "nixos/modules/system/boot/stage-2-init.sh"
    for file in (version, stage_2):
        if not file.exists():
            raise Missing(f"{nixpkgs} is not a nixpkgs: {file.relative_to(nixpkgs)} is absent")
    commands = [line.split() for line in stage_2.read_text().splitlines()]
    if not any(words[:2] in (["exec", "@systemdExecutable@"], ["exec", "$systemdExecutable"]) for words in commands):
        raise Missing(f"the NixOS of {nixpkgs} cannot boot: its stage-2-init.sh does not `exec @systemdExecutable@`")
    return version.read_text().strip()


class Workshop:
    """A store with a host's inputs, and the nix command for it."""

    def __init__(self, nixpkgs, program, nix, faulty):
        """`program` is what the host installs. `faulty` is a build of it that can inject faults, or None."""
        self.nixpkgs, self.program, self.nix_program, self.faulty = nixpkgs, program, nix, faulty
        self.release = check_tree(nixpkgs)
        self.suite = suites.find_suite(self.release)
        if not self.suite:
            raise Missing(f"no Debian suite has the binaries for NixOS {self.release}")
        self.archive = debian.make_archive(self.suite)
        self.compiled = {name: compiled.make_program(nixpkgs, self.archive, name) for name in compiled.find_used(nixpkgs)}
        self.has_checks = (nixpkgs / "nixos/modules/system/activation/pre-switch-check.nix").exists()
        self.folder = cache() / f"live-{self.archive.name.removeprefix('live-debian-')}"
        for name in ("nix", "root", "etc", "home", "cache"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "etc/nix.conf").write_text(f"{CONFIGURATION}max-jobs = 2\nwarn-dirty = false\n")
        self.known = self.folder / "sources.json"

    def run(self, *command, **options):
        """Runs a command with the store as /nix, and returns the finished process."""
        env = clean_environment() | {
            "NIX_CONF_DIR": str(self.folder / "etc"),
            "NIX_USER_CONF_FILES": "/dev/null",
            "NIX_REMOTE": "local",
            "HOME": str(self.folder / "home"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }
        enter = ["unshare", "--mount", "sh", "-c", ENTER, "enter", str(self.folder / "nix")]
        return subprocess.run([*enter, *map(str, command)], env=env, text=True, stdout=subprocess.PIPE, **options)

    def nix(self, *arguments):
        """Runs the nix command and returns its stdout."""
        done = self.run(self.nix_program, *arguments, stderr=subprocess.PIPE)
        if done.returncode != 0:
            # Leaves out the list of derivations and the progress of other builds.
            lines = [line for line in done.stderr.splitlines() if not line.startswith(("building ", "  /nix/store/", "copying "))]
            raise RuntimeError("\n".join([f"nix {' '.join(map(str, arguments))}", *lines[-60:]]))
        return done.stdout.strip()

    def add(self, path):
        """Adds a folder to the store; returns its store path and hash."""
        path = self.nix("store", "add", "--name", "source", path)
        info = json.loads(self.nix("path-info", "--json", path))
        info = info[path] if isinstance(info, dict) else info[0]
        return {"path": path, "narHash": info["narHash"]}

    def add_once(self, path):
        """Adds a large folder to the store, unless that was done before and no file in it has changed since."""
        listed = subprocess.run(["find", ".", "-printf", "%P %s %T@ %l\n"], cwd=path, capture_output=True, check=True).stdout
        name = hashlib.sha256(b"".join(sorted(listed.splitlines(keepends=True)))).hexdigest()
        known = json.loads(self.known.read_text()) if self.known.exists() else {}
        if name not in known or not Path(f"{self.folder}{known[name]['path']}").exists():
            known[name] = self.add(path)
            self.known.write_text(json.dumps(known, indent=2) + "\n")
        return known[name]

    def make_flake(self):
        """Adds the host's flake and its inputs to the store; returns a locked reference to the flake."""
        with tempfile.TemporaryDirectory(prefix="runtime-module-") as scratch:
            scratch = Path(scratch)
            binaries.collect(self.program, self.nix_program, scratch / "built")
            if self.faulty:
                binaries.copy_program(self.faulty, scratch / "built/faulty")
            for name, file in self.compiled.items():
                binaries.copy(file, scratch / "built" / name / "bin" / compiled.PROGRAMS[name])
            project = scratch / "project"
            project.mkdir()
            for name in ("flake.nix", "package.nix"):
                shutil.copy(TOP / name, project)
            shutil.copytree(TOP / "nixos", project / "nixos")
            host = scratch / "host"
            shutil.copytree(HERE / "host", host)
            shutil.copytree(HERE / "debian", host / "debian")
            (host / "suite.nix").write_text(f'"{self.suite}"\n')
            inputs = {
                "nixpkgs": self.add_once(self.nixpkgs),
                "archive": self.add_once(self.archive),
                "built": self.add(scratch / "built"),
                "runtime-module": self.add(project),
            }
            (host / "flake.lock").write_text(json.dumps(lock(inputs), indent=2) + "\n")
            source = self.add(host)
        return f"path:{source['path']}?lastModified={LAST_MODIFIED}&narHash={source['narHash'].replace('+', '%2B')}"

    def build(self, flake, *attributes):
        """Builds attributes of the flake, and returns their store paths."""
        begun = time.monotonic()
        command = ["build", "--no-link", "--print-out-paths", "--keep-going", "--print-build-logs"]
        built = self.nix(*command, *(f"{flake}#{attribute}" for attribute in attributes)).splitlines()
        print(f"built {len(built)} systems in {time.monotonic() - begun:.0f} s", flush=True)
        return built

    def find_switch_program(self, toplevel):
        """Returns which of NixOS's two switch programs a toplevel contains: `perl` or `ng`."""
        path = Path(f"{self.folder}{toplevel}/bin/switch-to-configuration")
        return "perl" if not path.is_symlink() and b"/perl" in path.read_bytes().partition(b"\n")[0] else "ng"

    def missing(self, flake, attribute):
        """Lists the fixed-output derivations of an attribute, each with the derivations that need it."""
        path = self.nix("eval", "--raw", f"{flake}#{attribute}.drvPath")
        derivations = json.loads(self.nix("derivation", "show", "--recursive", path))
        users = {}
        for derivation in derivations.values():
            for used in derivation["inputDrvs"]:
                users.setdefault(used, []).append(derivation["name"])
        fetched = (name for name, one in derivations.items() if {"url", "urls"} & one["env"].keys())
        return sorted(f"{derivations[name]['name']}: {', '.join(users.get(name, []))}" for name in fetched)


def lock(inputs):
    """Returns a lock file that locates all inputs in the store."""
    nodes = {}
    for name, source in inputs.items():
        locked = {"type": "path", "lastModified": LAST_MODIFIED, **source}
        nodes[name] = {"locked": locked, "original": {"type": "path", "path": f"/nowhere/{name}"}}
    for name in ("archive", "built"):
        nodes[name]["flake"] = False
    nodes["runtime-module"]["inputs"] = {"nixpkgs": ["nixpkgs"]}
    nodes["root"] = {"inputs": {name: name for name in inputs}}
    return {"nodes": nodes, "root": "root", "version": 7}
