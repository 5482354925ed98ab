"""Collects the program, the nix command and the libraries that they are linked to, in the layout that
`debian/packages/nix.nix` expects. glibc is left out, because it must be the one of the Debian suite.
"""

import re
import shutil
import subprocess
from pathlib import Path

GLIBC = ("ld-linux-x86-64.so", "libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "libresolv.so", "libutil.so")


def copy(file, target):
    """Copies a program without the symbols for debuggers, which make up most of a debug build."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(file).resolve(), target)
    subprocess.run(["strip", "--strip-debug", str(target)], check=True)


def copy_program(program, folder):
    """Copies both executables of the program, in the layout of package.nix."""
    copy(program, folder / "bin/runtime-module")
    copy(program.with_name("runtime-module-nix"), folder / "libexec/runtime-module-nix")


def collect(program, nix, folder):
    """Fills a new folder with `bin`, `libexec` and `lib`."""
    copy_program(program, folder)
    copy(nix, folder / "bin/nix")
    libraries = {}
    for file in (program, program.with_name("runtime-module-nix"), nix):
        listed = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=True).stdout
        libraries |= dict(re.findall(r"(\S+) => (/\S+)", listed))
    (folder / "lib").mkdir()
    for name, path in sorted(libraries.items()):
        if not name.startswith(GLIBC):
            shutil.copy(Path(path).resolve(), folder / "lib" / name)
