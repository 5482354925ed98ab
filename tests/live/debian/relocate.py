"""The builder of root.nix: unpacks Debian's files into the output, and changes all paths through which they find each
other: the loader and library folders in programs and libraries, the targets of links, and the interpreters of scripts.
"""

import os
import shutil
import stat
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

OUT = os.environ["out"]
LIBRARIES = f"{OUT}/usr/lib/x86_64-linux-gnu"
LOADER = f"{LIBRARIES}/ld-linux-x86-64.so.2"
# The loader and the parts of glibc that belong to it. They have no dependencies that need a path.
GLIBC = ("ld-linux", "libc.so", "libpthread.so", "libdl.so", "librt.so")

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3


def unpack():
    os.mkdir(OUT)
    command = ["tar", "--extract", "--no-same-owner", "--directory", OUT, "--file", f"{os.environ['archive']}/debian.tar"]
    subprocess.run(command, check=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{name}", f"{OUT}/{name}")
    # On some releases of Debian, the loader is in lib64 only.
    if not os.path.exists(LOADER):
        shutil.copy(f"{OUT}/usr/lib64/ld-linux-x86-64.so.2", LOADER)


def list_files():
    """Lists all regular files, and makes absolute links point into the output."""
    found = []
    for folder, folders, files in os.walk(OUT):
        for name in folders + files:
            path = f"{folder}/{name}"
            if os.path.islink(path):
                relocate_link(path)
            elif name in files:
                found.append(path)
    return found


def relocate_link(path):
    target = os.readlink(path)
    if target.startswith("/") and not target.startswith(("/dev", "/proc", "/run", "/nix")):
        os.unlink(path)
        os.symlink(OUT + target, path)


def segments(path):
    """Returns the type, address and size of each segment of a program or shared library. The list is empty for all other
    files."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:5] != b"\x7fELF\x02" or head[16] not in (2, 3):
            return []
        start, = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(start)
        table = file.read(size * count)
    fields = (struct.unpack_from("<IIQQQQQ", table, size * index) for index in range(count))
    return [(kind, address, length) for kind, _, _, address, _, _, length in fields]


def check_segments(path):
    """Raises an error if segments of a program overlap in memory, because such a program crashes when it starts."""
    end = 0
    for start, length in sorted((start, length) for kind, start, length in segments(path) if kind == PT_LOAD):
        if start < end:
            raise RuntimeError(f"patchelf damaged {path}: its segments overlap at {start:#x}")
        end = start + length


class Patchelf:
    """Runs Debian's own patchelf, before and while Debian's files are changed."""

    def __init__(self, folder):
        self.folder = folder
        self.libraries = [f"{LIBRARIES}/{name}" for name in ("libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1")]
        folder.mkdir()
        for path in (LOADER, f"{OUT}/usr/bin/patchelf", *self.libraries):
            shutil.copy(path, folder)

    def run(self, *arguments):
        command = [f"{self.folder}/ld-linux-x86-64.so.2", "--library-path", str(self.folder), f"{self.folder}/patchelf"]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout.strip()

    def relocate(self, path):
        """Sets the loader and the library folders of a program or library."""
        if os.path.basename(path).startswith(GLIBC):
            return
        kinds = {kind for kind, _, _ in segments(path)}
        if PT_DYNAMIC not in kinds:
            return
        own = [folder for folder in self.run("--print-rpath", path).split(":") if folder]
        own = [OUT + folder if folder.startswith("/") else folder for folder in own]
        # RPATH, unlike RUNPATH, also applies to the dependencies of a library that is opened later.
        folders = ":".join([LIBRARIES, f"{LIBRARIES}/systemd", *own])
        mode = stat.S_IMODE(os.stat(path).st_mode)
        os.chmod(path, 0o755)
        self.run("--force-rpath", "--set-rpath", folders, path)
        # In one step with the folders, or before them, patchelf 0.18 makes overlapping segments in Debian trixie's cc1.
        if PT_INTERP in kinds:
            self.run("--set-interpreter", LOADER, path)
        check_segments(path)
        os.chmod(path, mode)


def relocate_script(path):
    """Sets the interpreter of a script."""
    with open(path, "rb") as file:
        if file.read(2) != b"#!":
            return
        line, _, body = file.read().partition(b"\n")
    words = line.split()
    if not words or not words[0].startswith((b"/bin/", b"/usr/")):
        return
    if words[0].endswith(b"/env"):
        words = words[1:]
    name = words[0].rsplit(b"/", 1)[-1].decode()
    words[0] = f"{OUT}/{'wrapped/bin' if name == 'perl' else 'usr/bin'}/{name}".encode()
    mode = stat.S_IMODE(os.stat(path).st_mode)
    os.chmod(path, 0o755)
    Path(path).write_bytes(b"#!" + b" ".join(words) + b"\n" + body)
    os.chmod(path, mode)


def write_program(name, text):
    path = Path(f"{OUT}/wrapped/bin/{name}")
    path.write_text(f"#!{OUT}/usr/bin/bash\n{text}")
    path.chmod(0o755)


def wrap(name, program, **variables):
    """Makes a program that sets variables with the folders of its files before it starts the original."""
    exports = "".join(f'export {key}="{value}"\n' for key, value in variables.items())
    write_program(name, f'{exports}exec -a "$0" {OUT}/{program} "$@"\n')


def wrap_programs():
    os.makedirs(f"{OUT}/wrapped/bin")
    version = next(Path(LIBRARIES, "perl").glob("[0-9]*.[0-9]*.[0-9]*")).name
    short = version.rpartition(".")[0]
    modules = [f"{OUT}/etc/perl", f"{LIBRARIES}/perl/{short}", f"{LIBRARIES}/perl5/{short}", f"{LIBRARIES}/perl-base"]
    modules += [f"{OUT}/usr/share/perl5", f"{OUT}/usr/share/perl/{short}"]
    wrap("perl", "usr/bin/perl", PERL5LIB=":".join(modules) + "${PERL5LIB:+:$PERL5LIB}")
    wrap("git", "usr/bin/git", GIT_EXEC_PATH=f"{OUT}/usr/lib/git-core")
    wrap("localedef", "usr/bin/localedef", I18NPATH=f"{OUT}/usr/share/i18n", GCONV_PATH=f"{LIBRARIES}/gconv")
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            wrap(name + suffix, "usr/sbin/xtables-nft-multi", XTABLES_LIBDIR=f"{LIBRARIES}/xtables")
    # A compiler whose programs run if only this store path exists.
    arguments = f"--sysroot={OUT} -B{LIBRARIES}"
    linked = f"-Wl,-dynamic-linker,{LOADER} -Wl,--disable-new-dtags,-rpath,{LIBRARIES}"
    for name in ("cc", "gcc"):
        write_program(name, f'PATH={OUT}/usr/bin:$PATH exec {OUT}/usr/bin/gcc {arguments} "$@" {linked}\n')


unpack()
files = list_files()
patchelf = Patchelf(Path(os.environ.get("TMPDIR", "/tmp")) / "patchelf")
with ThreadPoolExecutor() as threads:
    for _ in threads.map(patchelf.relocate, files):
        pass
for path in files:
    relocate_script(path)
wrap_programs()
