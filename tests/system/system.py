"""The machine as the tests see it: the program run in it, the units, files and toplevels that come of that."""

import json
import time

PATIENCE = 60

# A NixOS always runs a system, from its boot on: the least that its switch programs want to find there.
BOOTED = """
set -e
echo machine > /etc/hostname
hostname machine
mkdir -p /run/booted/etc /run/booted/sw
ln -s /usr/bin /run/booted/sw/bin
printf 'systemd 2' > /run/booted/init-interface-version
ln -s /run/booted /run/current-system
cp /usr/lib/systemd/system/multi-user.target /etc/systemd/system/
systemctl daemon-reload
"""


class System:
    """The program in a booted machine, with a base that has no module on."""

    def __init__(self, machine, switch, flake):
        self.machine, self.switch, self.flake = machine, switch, flake
        self.base = None

    # --- before and after a behaviour ---

    def ready(self):
        """The base runs, and nothing else: as after a boot."""
        if self.base:
            if self._clean():
                return
            self.spoilt()
        if not self.machine.init:
            self.machine.boot()
        seeded = self.shell(BOOTED)
        assert seeded.code == 0, seeded
        self.ok("apply", "--flake", self.flake, "--host", "machine")
        self.base = self.running()
        self.shell("ln -sfn $(readlink /run/current-system) /run/booted-system")
        self.old = self.failed()
        assert not self.old, f"units of the machine itself fail: {self.old}"

    def spoilt(self):
        """Whatever is left is not to be built upon: the next behaviour gets a new boot."""
        self.machine.end()
        self.base = None

    def _clean(self):
        """Back to the base; false if that cannot be had without a boot."""
        self.shell("rm -rf /run/nixos/*-list; systemctl reset-failed")
        if self.running() != self.base or self.state().get("active"):
            self.program("reset")
        return self.running() == self.base and self.state()["pending"] is None and not self.machine.ours()

    # --- the program ---

    def program(self, *arguments, **options):
        """Runs it as root."""
        return self.machine.run(self.machine.program, *arguments, **options)

    def ok(self, *arguments, **options):
        """Runs it, and all is well."""
        return self.ends(0, *arguments, **options)

    def ends(self, code, *arguments, **options):
        """Runs it, and it ends with this code."""
        done = self.program(*arguments, **options)
        assert done.code == code, f"expected exit code {code}\n{done}"
        return done

    def start(self, *arguments, **options):
        """Starts it."""
        return self.machine.start(self.machine.program, *arguments, **options)

    def status(self):
        """What it says of itself."""
        return json.loads(self.program("status", "--json").out)

    # --- the machine ---

    def shell(self, script):
        """Runs a script as root."""
        return self.machine.run("sh", "-c", script)

    def read(self, path):
        """A file; none where there is none."""
        done = self.machine.run("cat", path)
        return done.out if done.code == 0 else None

    def state(self):
        """The state file."""
        text = self.read("/run/runtime-modules/state.json")
        return json.loads(text) if text else {}

    def running(self):
        """The toplevel that runs."""
        return self.machine.run("readlink", "/run/current-system").out.strip()

    def unit(self, name, *, user=False):
        """The state of a unit, `inactive` if there is none."""
        if user:
            return self.alice("systemctl", "--user", "is-active", name).out.strip()
        return self.machine.run("systemctl", "is-active", name).out.strip()

    def main_pid(self, name):
        """The main process of a service."""
        return self.machine.run("systemctl", "show", "--value", "--property=MainPID", name).out.strip()

    def failed(self):
        """The units that have failed."""
        listed = self.machine.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").out
        return [line.split()[0] for line in listed.splitlines()]

    def alice(self, *arguments):
        """Runs something as alice."""
        environment = {"XDG_RUNTIME_DIR": "/run/user/1000", "HOME": "/home/alice", "USER": "alice"}
        assignments = [f"{name}={value}" for name, value in environment.items()]
        return self.machine.run("setpriv", "--reuid=1000", "--regid=1000", "--init-groups", "env", *assignments, *arguments)

    def alices(self, *arguments):
        """A command line that is run as alice, at her home, with nothing of root's."""
        become = ["setpriv", "--reuid=1000", "--regid=1000", "--init-groups", "--reset-env", "env", "--chdir=/home/alice"]
        return [*become, "XDG_RUNTIME_DIR=/run/user/1000", "PATH=/usr/local/bin:/usr/bin:/bin", *arguments]

    def as_alice(self, *arguments):
        """Runs the program as alice."""
        return self.machine.run(*self.alices(self.machine.program, *arguments))

    def wait(self, what, condition, seconds=PATIENCE):
        """Waits until something is so."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"after {seconds} s still not so: {what}"
            time.sleep(0.05)

    # --- what must be so ---

    def at_base(self):
        """Everything is as it was before the first module."""
        assert self.running() == self.base, f"{self.running()} runs, and not the base {self.base}"
        state = self.state()
        assert state["pending"] is None and state["active"] == [], f"the state says {state}"

    def is_on(self, *modules):
        """These modules are on, and nothing is left to be done."""
        state = self.state()
        assert state["active"] == list(modules), f"the state says {state}"
        assert state["pending"] is None and state["current"] == self.running(), f"the state says {state}"
