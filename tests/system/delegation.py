"""Sets the mount option `nsdelegate` of control groups version 2, for as long as a test needs it.

The option applies to the whole machine. A guard process sets it, and restores it when the test ends. If the test is
killed, the guard notices the end of its stdin. Guards exclude each other by a lock on a file, which contains the value
to restore while a guard is running. If a guard is killed, the next guard takes over that value.

    tests/system/delegation.py on|off       set or clear the option until stdin ends
"""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from machine import Missing

OPTION = "nsdelegate"
LOCK = Path("/run/runtime-module-tests.nsdelegate")


def find_mount():
    """Finds the mount point of control groups version 2, and its options."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, super_block = line.partition(" - ")
        kind, source, options = super_block.split()
        if kind == "cgroup2":
            return mount.split()[4], source, mount.split()[5].split(","), options.split(",")
    raise Missing("control groups version 2 are not mounted")


def is_on():
    """Returns whether the option is set."""
    return OPTION in find_mount()[3]


def set_option(on):
    """Sets or clears the option, and keeps all others."""
    target, source, own, shared = find_mount()
    if (OPTION in shared) == on:
        return
    options = [one for one in dict.fromkeys([*own, *shared]) if one != OPTION]
    options += [OPTION] if on else []
    # With both source and target, mount(8) adds no options from /etc/fstab.
    command = ["mount", "-t", "cgroup2", "-o", ",".join(["remount", *options]), source, target]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"control groups cannot be remounted: {done.stderr.strip()}")
    # The kernel ignores the option in all control group namespaces except for the first one.
    if is_on() != on:
        raise Missing(f"the kernel ignores changes to {OPTION}: this machine is a container")


@contextlib.contextmanager
def delegation(on):
    """Sets or clears the option within the block."""
    guard = subprocess.Popen(
        [sys.executable, __file__, name(on)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C must reach only the test. The guard then ends with the test.
        start_new_session=True,
    )
    with guard:
        answer = guard.stdout.readline().strip()
        if answer != "ready":
            raise Missing(answer or f"the guard of {OPTION} has ended")
        yield
        if is_on() != on:
            raise Missing(f"another program changed {OPTION} in the meantime")
        said, _ = guard.communicate()
        if guard.returncode != 0:
            raise Missing(f"{OPTION} was not restored: {said.strip()}")


def guard_option(on):
    """Sets or clears the option until stdin ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    # If a test is killed while its guard waits for the lock, the option is no longer needed.
    with locked(lambda: select.select([sys.stdin], [], [], 0)[0]) as lock:
        before = usual_value(lock)
        record(lock, name(before))
        try:
            set_option(on)
            print("ready", flush=True)
            sys.stdin.read()
        finally:
            set_option(before)
            record(lock, "")


@contextlib.contextmanager
def locked(is_over=lambda: False):
    """Prevents other guards from changing the option within the block."""
    with open(LOCK, "a+") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if is_over():
                    sys.exit(1)
                time.sleep(0.1)
        yield lock


def usual_value(lock):
    """Returns whether the option is set when no guard is running. A killed guard leaves this value in the lock file."""
    lock.seek(0)
    return (lock.read().strip() or name(is_on())) == "on"


def record(lock, value):
    """Saves the value to restore."""
    lock.seek(0)
    lock.truncate()
    lock.write(value)
    lock.flush()


def name(on):
    """Returns the word for a value of the option."""
    return "on" if on else "off"


def check_put_back():
    """Kills a process that changed the option, with its process group. Returns an error if the option stays changed."""
    with locked() as lock:
        before = usual_value(lock)
    hold = f"with delegation.delegation({not before}): print('ready', flush=True); time.sleep(600)"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import delegation, time\n{hold}"],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with holder:
        said, during = holder.stdout.readline().strip(), is_on()
        os.killpg(holder.pid, signal.SIGKILL)
    if said != "ready":
        raise Missing(f"{OPTION} cannot be changed")
    with locked() as lock:
        after = is_on()
    if (during, after) == (not before, before):
        return None
    return f"{OPTION} was {name(before)}, then {name(during)}, and is {name(after)}"


if __name__ == "__main__":
    try:
        guard_option(sys.argv[1] == "on")
    except Missing as error:
        print(error, flush=True)
        sys.exit(1)
