"""The machine for the tests: runs the program in it, and reads its units, files and toplevels."""

import json
import time

PATIENCE = 60

# A NixOS machine always has a running system. These are the files of that system that the switch programs expect.
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
    """The program in a booted machine, on a base without modules."""

    def __init__(self, machine, switch, flake, has_checks):
        """`switch` is the name of the switch program. `has_checks` says whether that program runs pre-switch checks."""
        self.machine, self.switch, self.flake, self.has_checks = machine, switch, flake, has_checks
        self.base = None

    # --- before and after a behaviour ---

    def ready(self):
        """Makes sure that only the base is running, as after a boot."""
        if self.base:
            if self._clean():
                return
            self.spoilt()
        if not self.machine.init:
            self.machine.boot()
        self._seed()
        self.ok("apply", "--flake", self.flake, "--host", "machine")
        self.base = self.running()
        self._name_booted()
        self.old = self.failed()
        assert not self.old, f"units of the machine itself fail: {self.old}"

    def reboot(self):
        """Boots the machine again, and activates only the base, as NixOS does. The boot service does not run."""
        self.machine.reboot()
        self._seed()
        activated = self.machine.run(f"{self.base}/bin/switch-to-configuration", "test")
        assert activated.code == 0 and self.running() == self.base, activated
        self._name_booted()

    def _seed(self):
        seeded = self.shell(BOOTED)
        assert seeded.code == 0, seeded

    def _name_booted(self):
        """Makes the running system the booted one."""
        self.shell("ln -sfn $(readlink /run/current-system) /run/booted-system")

    def spoilt(self):
        """Ends the machine after a failure, so that the next behaviour starts with a new boot."""
        self.machine.end()
        self.base = None

    def _clean(self):
        """Resets the machine to the base. Returns whether that worked without a boot."""
        self.shell("rm -rf /run/nixos/*-list; systemctl reset-failed")
        self.shell("systemctl stop runtime-modules-verify.service")
        state = self.state()
        if self.running() != self.base or state.get("active") or state.get("runtime"):
            self.program("reset", "--all")
        return self.running() == self.base and self.state().get("pending") is None and not self.machine.ours()

    # --- the program ---

    def program(self, *arguments, **options):
        """Runs the program as root."""
        return self.machine.run(self.machine.program, *arguments, **options)

    def ok(self, *arguments, **options):
        """Runs the program and requires exit code 0."""
        return self.ends(0, *arguments, **options)

    def ends(self, code, *arguments, **options):
        """Runs the program and requires this exit code."""
        done = self.program(*arguments, **options)
        assert done.code == code, f"expected exit code {code}\n{done}"
        return done

    def start(self, *arguments, **options):
        """Starts the program as root."""
        return self.machine.start(self.machine.program, *arguments, **options)

    def status(self):
        """Returns the document of `status --json`."""
        return json.loads(self.program("status", "--json").out)

    # --- the machine ---

    def shell(self, script):
        """Runs a script as root."""
        return self.machine.run("sh", "-c", script)

    def read(self, path):
        """Returns the content of a file, or None."""
        done = self.machine.run("cat", path)
        return done.out if done.code == 0 else None

    def state(self):
        """Returns the content of the state file."""
        text = self.read("/run/runtime-modules/state.json")
        return json.loads(text) if text else {}

    def running(self):
        """Returns the running toplevel."""
        return self.machine.run("readlink", "/run/current-system").out.strip()

    def unit(self, name, *, user=False):
        """Returns the state of a unit, or `inactive` if it does not exist."""
        if user:
            return self.alice("systemctl", "--user", "is-active", name).out.strip()
        return self.machine.run("systemctl", "is-active", name).out.strip()

    def main_pid(self, name):
        """Returns the main process of a service."""
        return self.machine.run("systemctl", "show", "--value", "--property=MainPID", name).out.strip()

    def failed(self):
        """Returns the failed units."""
        listed = self.machine.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").out
        return [line.split()[0] for line in listed.splitlines()]

    def alice(self, *arguments):
        """Runs a command as alice."""
        environment = {"XDG_RUNTIME_DIR": "/run/user/1000", "HOME": "/home/alice", "USER": "alice"}
        assignments = [f"{name}={value}" for name, value in environment.items()]
        return self.machine.run("setpriv", "--reuid=1000", "--regid=1000", "--init-groups", "env", *assignments, *arguments)

    def alices(self, *arguments):
        """Returns a command line that runs as alice in her home, without root's environment."""
        become = ["setpriv", "--reuid=1000", "--regid=1000", "--init-groups", "--reset-env", "env", "--chdir=/home/alice"]
        return [*become, "XDG_RUNTIME_DIR=/run/user/1000", "PATH=/usr/local/bin:/usr/bin:/bin", *arguments]

    def as_alice(self, *arguments):
        """Runs the program as alice."""
        return self.machine.run(*self.alices(self.machine.program, *arguments))

    def wait(self, what, condition, seconds=PATIENCE):
        """Waits for a condition."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.05)

    # --- assertions ---

    def at_base(self):
        """Requires the state before the first module was enabled."""
        assert self.running() == self.base, f"{self.running()} is running instead of the base {self.base}"
        state = self.state()
        assert state["pending"] is None and state["active"] == [], f"unexpected state: {state}"

    def is_on(self, *modules):
        """Requires that exactly these modules are enabled, and that nothing is pending."""
        state = self.state()
        assert state["active"] == list(modules), f"unexpected state: {state}"
        assert state["pending"] is None and state["current"] == self.running(), f"unexpected state: {state}"
