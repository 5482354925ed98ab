"""The control groups of a container, as the machine that it runs on sees them.

A container gets a group of its own in each hierarchy that a systemd needs. A process that enters the container later is
put into a group below the container's root, where its init is: with the mount option `nsdelegate`, which systemd sets on
every machine, nobody may move a process across the boundary of a control group namespace. A container's systemd could
not move a process from outside into a session or a scope.
"""

import os
import secrets
from pathlib import Path

TOPS = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified")]

# The group of all processes that the tests start in a container. It is a leaf: a group of version 2 that has groups with
# controllers below it, as the container's root has, may contain no process.
ENTERED = "entered"


def make_groups():
    """Makes a group in each mounted hierarchy. The name is random: process ids are not unique among containers that
    share a hierarchy."""
    name = f"runtime-module-{os.getpid()}-{secrets.token_hex(4)}"
    groups = [top / name for top in TOPS if (top / "cgroup.procs").exists()]
    for group in groups:
        group.mkdir()
    return groups


def make_entries(groups, init):
    """Makes a group below the container's root in each hierarchy, for processes that enter the container."""
    entries = [root / ENTERED for root in (find_root(group, init) for group in groups) if root]
    for entry in entries:
        entry.mkdir(exist_ok=True)
    return entries


def find_root(group, init):
    """Finds the root of a container: the group of its init, or the one above if systemd has made `init.scope`."""
    # `os.walk` passes over folders that go away meanwhile.
    for name, _, _ in os.walk(group):
        folder = Path(name)
        if str(init) in read_members(folder):
            return folder.parent if folder.name == "init.scope" else folder
    return None


def read_members(group):
    """Lists the processes of a group. A group that is gone has none."""
    try:
        return (group / "cgroup.procs").read_text().split()
    except OSError:
        return []


def join(groups):
    """Moves this process into these groups."""
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def remove_groups(groups):
    """Removes groups with all groups below them. A group that cannot be removed yet does no harm."""
    for group in groups:
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
