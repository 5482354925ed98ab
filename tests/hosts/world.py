"""A store, a configuration of Nix and scratch roots of our own, with the hosts of this folder in them.

Used by `tests/hosts/check` and `scripts/bench`. Nothing outside of the one folder `work` is touched, and nothing is
fetched. The nix command and the program are given; a nixpkgs is only needed for the real hosts.
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

# Given to both sides as part of every reference; nothing depends on its value.
LAST_MODIFIED = 1_700_000_000


class World:
    """Everything that a run needs, in one folder. What is in place from an earlier run is used again."""

    def __init__(self, work, program, nix, nixpkgs=None, parts=()):
        """`parts` are files and folders of the project that the flakes need beside those that all of them do."""
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
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NIX", "RUNTIME_MODULE", "GC_", "SUDO", "XDG"))
        }
        self.env |= {
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
        """Runs the nix command on our store; returns what it prints."""
        command = [self.nix_program, *arguments, "--store", self.store_url]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, **options)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
        return done.stdout

    def _add(self, path):
        """A path as a source in our store; what is a valid path of it already stays where it is."""
        path = Path(path).resolve()
        if path.parent != self.store:
            path = Path(self.nix("store", "add", "--name", "source", str(path)).strip())
        info = json.loads(self.nix("path-info", "--json", str(path)))
        info = info[str(path)] if isinstance(info, dict) else info[0]
        return {"path": str(path), "narHash": info["narHash"]}

    def _tree(self):
        """A copy of what the flakes here are made of, with a lock that says where nixpkgs lies."""
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
            locked = {"type": "path", "lastModified": LAST_MODIFIED, **self.nixpkgs}
            original = {"type": "path", "path": "/nowhere/nixpkgs"}
            nodes = {
                "nixpkgs": {"locked": locked, "original": original},
                "root": {"inputs": {"nixpkgs": "nixpkgs"}},
            }
            lock = {"nodes": nodes, "root": "root", "version": 7}
            for folder in [tree / "tests/hosts", *(tree / part for part in self.parts)]:
                if (folder / "flake.nix").exists():
                    (folder / "flake.lock").write_text(json.dumps(lock, indent=2) + "\n")
        return tree

    def flake(self, directory):
        """A locked reference to one of our flakes, for either side."""
        nar = quote(self.source["narHash"], safe="")
        query = f"dir={quote(directory)}&lastModified={LAST_MODIFIED}&narHash={nar}"
        return f"path:{self.source['path']}?{query}"

    def add(self, folder, nodes):
        """A flake in a folder, with a flake.lock that says where its inputs lie; returns a locked reference to it."""
        lock = {"nodes": nodes, "root": "root", "version": 7}
        (folder / "flake.lock").write_text(json.dumps(lock, indent=2) + "\n")
        source = self._add(folder)
        return f"path:{source['path']}?lastModified={LAST_MODIFIED}&narHash={quote(source['narHash'], safe='')}"

    def root(self, name):
        """A scratch root of its own."""
        return self.work / "roots" / name

    def toplevel(self, directory, configuration):
        """The installable that holds a host's system, for the nix command."""
        return f'{self.flake(directory)}#nixosConfigurations."{configuration}".config.system.build.toplevel'

    def bake(self, directory, host, root):
        """A scratch root with what a host of ours bakes into /etc/runtime-modules/config.json."""
        return self.bake_from(self.flake(directory), host, root)

    def bake_from(self, flake, host, root):
        """The same for a host of any flake."""
        attribute = f'nixosConfigurations."{host}".config.environment.etc."runtime-modules/config.json".text'
        text = self.nix("eval", "--raw", "--option", "eval-cache", "false", f"{flake}#{attribute}")
        folder = root / "etc/runtime-modules"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(text)
        return root

    def sources(self):
        """Names in the store that are no derivations and no outputs: what every measurement starts with."""
        return {Path(one["path"]).name for one in (self.source, self.nixpkgs) if one}
