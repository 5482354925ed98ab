"""Compiles the programs of NixOS that are written in Rust, from the sources in a nixpkgs tree. The dependencies come from
crates.io, and the library and the interface files of D-Bus from the archive of the Debian suite. Each program is kept in
the cache, under a name that depends on its sources, the archive and this recipe.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from debian import Missing, cache

# The executable of each package.
PROGRAMS = {"switch-to-configuration-ng": "switch-to-configuration", "nixos-init": "nixos-init"}

LIBRARIES = "usr/lib/x86_64-linux-gnu"
INTERFACES = "usr/share/dbus-1/interfaces"
FROM_DEBIAN = [f"./{INTERFACES}/*", f"./{LIBRARIES}/libdbus-1.so*"]
TARGET = "target.x86_64-unknown-linux-gnu"
# The C library of the archive can be newer than the one of the machine, and libdbus then refers to symbols of it.
FLAGS = "-C link-arg=-Wl,--allow-shlib-undefined"
# Without the long optimisation of the release builds.
BUILD = ["cargo", "build", "--release", "--config=profile.release.lto=false", "--config=profile.release.codegen-units=16"]


def find_used(nixpkgs):
    """Returns the packages that the host of a nixpkgs tree uses."""
    system = nixpkgs / "nixos/modules/system"
    used = ["nixos-init"] if "/bin/env-generator" in (system / "boot/systemd.nix").read_text() else []
    switching = (system / "activation/switchable-system.nix").read_text()
    has_perl = "switch-to-configuration.pl" in switching
    # The default of the option `enableNg`, since 24.11.
    if has_perl and "default = config.system.switch.enable;" not in switching:
        return used
    if 'source = "git+' not in (find_sources(nixpkgs, "switch-to-configuration-ng") / "Cargo.lock").read_text():
        return [*used, "switch-to-configuration-ng"]
    if not has_perl:
        raise Missing(f"switch-to-configuration-ng of {nixpkgs} needs a crate that is not on crates.io")
    return used


def find_sources(nixpkgs, name):
    """Returns the folder with the sources of a package."""
    folder = nixpkgs / "pkgs/by-name" / name[:2] / name
    # Some releases have them in a folder of their own.
    return folder if (folder / "Cargo.toml").exists() else folder / "src"


def make_program(nixpkgs, archive, name):
    """Returns the compiled program of a package, and makes it if it is not cached."""
    sources = find_sources(nixpkgs, name)
    files = sorted(path for path in sources.rglob("*") if path.is_file() and path.suffix != ".nix")
    recipe = [archive.name, FLAGS, *BUILD, *(path.read_text() for path in files)]
    made = cache() / f"live-{name}-{hashlib.sha256(chr(0).join(recipe).encode()).hexdigest()[:12]}"
    if not made.exists():
        print(f"compiling {name} once, for {made}", flush=True)
        with tempfile.TemporaryDirectory(prefix="runtime-module-") as scratch:
            program = compile_program(name, sources, archive, Path(scratch))
            shutil.copy(program, made.with_suffix(".new"))
        made.with_suffix(".new").rename(made)
    return made


def compile_program(name, sources, archive, scratch):
    """Compiles a package in an empty folder. Returns the program."""
    system = scratch / "debian"
    system.mkdir()
    unpack = ["tar", "--extract", "--no-same-owner", f"--directory={system}", f"--file={archive}/debian.tar", "--wildcards"]
    subprocess.run([*unpack, *FROM_DEBIAN], check=True)
    shutil.copytree(sources, scratch / "sources")
    env = os.environ | {
        "CARGO_TARGET_DIR": str(scratch / "target"),
        "RUSTFLAGS": FLAGS,
        "SYSTEMD_DBUS_INTERFACE_DIR": str(system / INTERFACES),
    }
    # Instead of searching for the machine's libdbus.
    linked = {"rustc-link-lib": ["dbus-1"], "rustc-link-search": [str(system / LIBRARIES)]}
    linked = [f"--config={TARGET}.dbus.{key}={json.dumps(value)}" for key, value in linked.items()]
    done = subprocess.run([*BUILD, "--locked", *linked], cwd=scratch / "sources", env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"cannot compile {name}: {done.stderr.strip()[-1200:]}")
    return scratch / "target/release" / PROGRAMS[name]
