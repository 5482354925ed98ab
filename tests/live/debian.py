"""Makes an archive of a Debian system, from which every binary of the NixOS host comes. The archive is kept in the
cache, under a name that depends on the suite, the packages and this recipe.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import suites

sys.path.append(str(Path(__file__).resolve().parent.parent / "system"))
from machine import Missing, cache  # noqa: E402

# Documentation, translations and hardware databases make up a third of the files, and nothing here reads them.
UNWANTED = ["usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/lintian/*", "usr/share/locale/*"]
UNWANTED += ["usr/share/bug/*", "usr/lib/udev/hwdb.d", "usr/lib/udev/hwdb.bin"]
# Files that only root may read do not belong in a store.
UNWANTED += ["etc/shadow*", "etc/gshadow*", "etc/ssl/private", "etc/ssh/ssh_host_*"]

# Packs /usr, /etc and the file list of each package. Clears the setuid and setgid bits, because Nix builds cannot
# create files with them.
PACK = r"""
set -eu
cd "$1"
mkdir lists
for list in var/lib/dpkg/info/*.list; do
  name=${list##*/}
  name=${name%.list}
  cp "$list" "lists/${name%%:*}"
done
shift
tar --create --file="$1" --mtime=@1 --sort=name --owner=0 --group=0 --mode=ug-s "${@:2}" ./usr ./etc ./lists
"""


def make_archive(suite):
    """Returns the folder with `debian.tar` of a suite, and makes it if it is not cached."""
    names = suites.packages(suite)
    recipe = hashlib.sha256("\n".join([suite, PACK, *UNWANTED, *names]).encode()).hexdigest()[:12]
    folder = cache() / f"live-debian-{suite}-{recipe}"
    if folder.exists():
        return folder
    print(f"installing Debian {suite} once, for {folder}", flush=True)
    cache().mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=cache()))
    try:
        install(suite, names, made / "root")
        exclude = [f"--exclude=./{path}" for path in UNWANTED]
        pack = ["bash", "-c", PACK, "pack", str(made / "root"), str(made / "debian.tar"), *exclude]
        subprocess.run(pack, check=True)
        shutil.rmtree(made / "root")
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def install(suite, names, root):
    """Installs the packages of a suite into a new folder."""
    # The programs and libraries work without these files.
    options = [f"--dpkgopt=path-exclude=/{path}" for path in UNWANTED if path.startswith("usr/share/")]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", *options, f"--include={','.join(names)}"]
    done = subprocess.run([*command, suite, str(root)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"mmdebstrap could not install Debian {suite}: {done.stderr.strip()[-800:]}")
