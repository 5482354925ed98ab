"""The control groups of a container, as the host sees them.

A container gets its own group in each hierarchy that systemd needs. A process that enters the container later is put
into a group below the container's root, next to the group of init. Otherwise the container's systemd could not move it
into a session or a scope: with the mount option `nsdelegate`, which systemd sets on every machine, no process may be
moved across the boundary of a control group namespace.
"""

import os
import secrets
from pathlib import Path

TOPS = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified")]

# The group of all processes that the tests start in a container. It has no groups below it, because in version 2 a
# group with delegated controllers, such as the container's root, may not contain processes.
ENTERED = "entered"


def make_groups():
    """Creates a group in each mounted hierarchy. The name is random, because containers that share a hierarchy may have
    equal process IDs."""
    name = f"runtime-module-{os.getpid()}-{secrets.token_hex(4)}"
    groups = [top / name for top in TOPS if (top / "cgroup.procs").exists()]
    for group in groups:
        group.mkdir()
    return groups


def make_entries(groups, init):
    """Creates a group below the container's root in each hierarchy, for processes that enter the container."""
    entries = [root / ENTERED for root in (find_root(group, init) for group in groups) if root]
    for entry in entries:
        entry.mkdir(exist_ok=True)
    return entries


def find_root(group, init):
    """Finds the root of a container: the group of its init, or the parent if systemd has created `init.scope`."""
    # `os.walk` skips directories that disappear in the meantime.
    for name, _, _ in os.walk(group):
        folder = Path(name)
        if str(init) in read_members(folder):
            return folder.parent if folder.name == "init.scope" else folder
    return None


def read_members(group):
    """Lists the processes of a group, or none if the group no longer exists."""
    try:
        return (group / "cgroup.procs").read_text().split()
    except OSError:
        return []


def join(groups):
    """Moves this process into these groups."""
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def remove_groups(groups):
    """Removes groups with all groups below them. Leaves groups that cannot be removed yet."""
    for group in groups:
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
