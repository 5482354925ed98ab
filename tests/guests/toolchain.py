"""Tests of the shell's hook and `make` (nixos/toolchain), without a compiler."""

import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "nixos/toolchain"
# A shell script that runs our `make` with the program `$1` in place of the real one.
PRINT = """\
real_make=$1
shift
source {script}
"""


def make(folder, *arguments, **variables):
    """Runs the script with a program that prints KCFLAGS. Returns the options in KCFLAGS."""
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch, "make")
        program.write_text('#!/bin/sh\nprintf "%s\\n" "${KCFLAGS-}"\n')
        program.chmod(0o755)
        command = ["bash", "-eu", "-c", PRINT.format(script=FOLDER / "make.sh"), "make", str(program), *arguments]
        environment = {"PATH": "/usr/bin:/bin", **variables}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()


def kernel(scratch):
    """Creates a folder that looks like the source of a kernel."""
    source = Path(scratch, "linux")
    (source / "scripts").mkdir(parents=True)
    (source / "Kbuild").touch()
    (source / "scripts/Kbuild.include").touch()
    return source


def maps(*folders):
    return [word for one in folders for word in (f"-ffile-prefix-map={one}/=", f"-ffile-prefix-map={one}=.")]


def maps_the_source():
    with tempfile.TemporaryDirectory() as scratch:
        source = kernel(scratch)
        wanted = maps(source)
        for folder, arguments in (
            (source, ["-j2"]),
            (scratch, ["-C", "linux", "vmlinux"]),
            (scratch, ["-Clinux"]),
            (scratch, ["--directory", str(source)]),
            (scratch, [f"--directory={source}"]),
        ):
            found = make(folder, *arguments)
            if found != wanted:
                return f"make {' '.join(arguments)} gets {found} instead of {wanted}"
    return None


def maps_the_output():
    with tempfile.TemporaryDirectory() as scratch:
        source = kernel(scratch)
        found = make(source, "O=build")
        if found != maps(source, source / "build"):
            return f"a relative output gives {found}"
        found = make(source, "O=/build", KCFLAGS="-Werror")
        return None if found == ["-Werror", *maps(source, "/build")] else f"an absolute output gives {found}"


def leaves_others_alone():
    with tempfile.TemporaryDirectory() as scratch:
        if make(scratch, "-j2") != []:
            return "a folder without a kernel gets options"
        source = kernel(scratch)
        return None if make(source, MAKELEVEL="1") == [] else "a recursive make gets the options again"


def hook_removes_the_output():
    script = f'source {FOLDER}/shell-hook.sh; printf "%s|" "$NIX_LDFLAGS" "$KBUILD_BUILD_USER" "$KBUILD_BUILD_VERSION"'
    flags = "-rpath /home/a/outputs/out/lib -L/nix/store/x/lib -L/home/a/outputs/out/lib"
    environment = {"PATH": "/usr/bin:/bin", "out": "/home/a/outputs/out", "NIX_LDFLAGS": flags, "KBUILD_BUILD_USER": "me"}
    done = subprocess.run(["bash", "-eu", "-c", script], env=environment, capture_output=True, text=True, check=True)
    found = [word.strip() for word in done.stdout.split("|")]
    return None if found == ["-L/nix/store/x/lib", "me", "1", ""] else f"found {found}"


def toolchain_tests():
    """Returns the tests with their names."""
    return [
        ("make: the source is mapped", maps_the_source),
        ("make: the output is mapped", maps_the_output),
        ("make: other folders are left alone", leaves_others_alone),
        ("the shell's hook removes the output's folder", hook_removes_the_output),
    ]
