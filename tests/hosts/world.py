"""A private store, Nix configuration and scratch roots, with the hosts of this folder.

Used by `tests/hosts/check` and `scripts/bench`. It changes only the folder `work`, and fetches nothing. The caller
provides the nix command and the program; only the real hosts need a nixpkgs.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent

CONFIGURATION = """\
build-users-group =
substituters =
sandbox = false
flake-registry =
experimental-features = nix-command flakes
"""

# Part of every locked reference, for the program and for nix. Nothing depends on its value.
LAST_MODIFIED = 1_700_000_000

# The reference to nixpkgs in our flakes. Nothing is fetched from there.
NIXPKGS = {"type": "tarball", "url": "https://nowhere.invalid/nixpkgs.tar.gz"}


def clean_environment():
    """Returns the environment without the variables that change what Nix or the program does."""
    inherited = ("NIX", "RUNTIME_MODULE", "GC_", "SUDO", "XDG")
    return {name: value for name, value in os.environ.items() if not name.startswith(inherited)}


class World:
    """Everything that a run needs, in one folder. Results of an earlier run are reused."""

    def __init__(self, work, program, nix, nixpkgs=None, parts=()):
        """`parts` are the project's files and folders that the flakes need in addition to the common ones."""
        self.parts = parts
        self.work = Path(work).resolve()
        self.program = str(Path(program).resolve())
        self.nix_program = str(Path(nix).absolute())
        self.store = self.work / "store"
        self.state = self.work / "state"
        self.store_url = f"local?store={self.store}&state={self.state}&log={self.work}/log"
        for folder in ("etc", "home", "cache", "roots"):
            (self.work / folder).mkdir(parents=True, exist_ok=True)
        (self.work / "etc/nix.conf").write_text(CONFIGURATION)
        self.env = clean_environment() | {
            "NIX_CONF_DIR": str(self.work / "etc"),
            "NIX_USER_CONF_FILES": "/dev/null",
            "HOME": str(self.work / "home"),
            "XDG_CACHE_HOME": str(self.work / "cache"),
            "RUNTIME_MODULE_STORE": self.store_url,
            "RUNTIME_MODULE_ROOT": str(self.root("none")),
        }
        self.nixpkgs = self._add(nixpkgs) if nixpkgs else None
        self.source = self._add(self._tree())

    def nix(self, *arguments, **options):
        """Runs the nix command on our store; returns its stdout."""
        command = [self.nix_program, *arguments, "--store", self.store_url]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, **options)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
        return done.stdout

    def _add(self, path):
        """Adds a path to our store as a source, unless it is already in it."""
        path = Path(path).resolve()
        if path.parent != self.store:
            path = Path(self.nix("store", "add", "--name", "source", str(path)).strip())
        info = json.loads(self.nix("path-info", "--json", str(path)))
        info = info[str(path)] if isinstance(info, dict) else info[0]
        return {"path": str(path), "narHash": info["narHash"]}

    def _tree(self):
        """Copies the sources of the flakes, with a lock file that locates nixpkgs."""
        tree = self.work / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "tests").mkdir(parents=True)
        shutil.copytree(TOP / "nixos", tree / "nixos")
        skip = shutil.ignore_patterns("__pycache__", "check", "*.py")
        shutil.copytree(HERE, tree / "tests/hosts", ignore=skip)
        minios = TOP / "tests/minios"
        if minios.exists():
            shutil.copytree(minios, tree / "tests/minios")
            if Path("/bin/busybox").exists():
                shutil.copy("/bin/busybox", tree / "tests/minios/busybox")
        for part in self.parts:
            (tree / part).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (TOP / part).is_dir() else shutil.copy
            copy(TOP / part, tree / part)
        if self.nixpkgs:
            nodes = {
                "nixpkgs": {"locked": self.locked_nixpkgs(), "original": NIXPKGS},
                "root": {"inputs": {"nixpkgs": "nixpkgs"}},
            }
            lock = {"nodes": nodes, "root": "root", "version": 7}
            for folder in [tree / "tests/hosts", *(tree / part for part in self.parts)]:
                if (folder / "flake.nix").exists():
                    (folder / "flake.lock").write_text(json.dumps(lock, indent=2) + "\n")
        return tree

    def locked_nixpkgs(self):
        """Returns the locked reference of nixpkgs, whose tree is in the store. It is an archive, because libnix since 2.34
        copies a locked `path:` input at each evaluation, even if the path is a store path."""
        return {**NIXPKGS, "narHash": self.nixpkgs["narHash"], "lastModified": LAST_MODIFIED}

    def flake(self, directory):
        """Returns a locked reference to one of our flakes, for the program and for nix."""
        nar = quote(self.source["narHash"], safe="")
        query = f"dir={quote(directory)}&lastModified={LAST_MODIFIED}&narHash={nar}"
        return f"path:{self.source['path']}?{query}"

    def add(self, folder, nodes):
        """Adds a flake in a folder, with a flake.lock for its inputs; returns a locked reference to it."""
        lock = {"nodes": nodes, "root": "root", "version": 7}
        (folder / "flake.lock").write_text(json.dumps(lock, indent=2) + "\n")
        source = self._add(folder)
        return f"path:{source['path']}?lastModified={LAST_MODIFIED}&narHash={quote(source['narHash'], safe='')}"

    def root(self, name):
        """Returns the path of a scratch root."""
        return self.work / "roots" / name

    def toplevel(self, directory, configuration):
        """Returns the installable of a host's system, for the nix command."""
        return f'{self.flake(directory)}#nixosConfigurations."{configuration}".config.system.build.toplevel'

    def bake(self, directory, host, root):
        """Makes a scratch root with the /etc/runtime-modules/config.json of one of our hosts."""
        return self.bake_from(self.flake(directory), host, root)

    def bake_from(self, flake, host, root):
        """Makes a scratch root with the /etc/runtime-modules/config.json of a host of any flake."""
        attribute = f'nixosConfigurations."{host}".config.environment.etc."runtime-modules/config.json".text'
        text = self.nix("eval", "--raw", "--option", "eval-cache", "false", f"{flake}#{attribute}")
        folder = root / "etc/runtime-modules"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(text)
        return root

    def sources(self):
        """Returns the names of the sources that are in the store when a measurement starts."""
        return {Path(one["path"]).name for one in (self.source, self.nixpkgs) if one}
