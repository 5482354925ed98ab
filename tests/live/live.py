"""The machine for the behaviours: a booted NixOS, with the helpers of tests/system and more of its own."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "system"))
from system import System  # noqa: E402

# The flake of the host, on the machine. Only the behaviours that move to another source use it.
FOLDER = "/etc/nixos"


class Live(System):
    """The program on a booted NixOS, on a base without modules."""

    def __init__(self, machine, flake, faulty, has_checks):
        """`flake` is the source of the host. `faulty` is a program in the store that can inject faults, or None.
        `has_checks` says whether this release of NixOS has pre-switch checks."""
        super().__init__(machine, "nixos", flake, has_checks)
        self.faulty = faulty

    # --- before and after a behaviour ---

    def ready(self):
        """Makes sure that only the base is running, as after a boot."""
        if self.base:
            if self._clean():
                return
            self.spoilt()
        self.machine.boot()
        self.base = self.running()
        assert self.base == self.machine.toplevel, self.base
        failed = self.failed()
        assert not failed, f"units of the machine itself fail: {failed}\n{self.logs(*failed)}"

    def reboot(self):
        """Cuts the power and boots again."""
        self.machine.reboot()

    def program(self, *arguments, **options):
        """Runs the program as root. Prints the output of a slow run, in which something probably waited for a timeout."""
        done = super().program(*arguments, **options)
        if done.seconds > 60:
            print(f"slow: {done}\n{self.must('systemctl list-jobs; journalctl --no-pager --lines=30')}", flush=True)
        return done

    # --- the machine ---

    def logs(self, *units):
        """Returns the end of the journal of units."""
        return self.machine.run("journalctl", "--boot", "--lines=20", *(f"--unit={unit}" for unit in units)).out

    def must(self, script, **options):
        """Runs a script as root, requires that it succeeds, and returns its stdout."""
        done = self.machine.run("bash", "-euc", script, **options)
        assert done.code == 0, done
        return done.out

    def refused(self, script):
        """Runs a script as root and requires that it fails."""
        done = self.shell(script)
        assert done.code != 0, done

    def answers(self, url):
        """Returns the response of a web server, or None."""
        done = self.machine.run("curl", "--silent", "--fail", "--max-time", "5", url)
        return done.out if done.code == 0 else None

    def as_user(self, user, *arguments):
        """Runs a command in a login shell of a user."""
        return self.machine.run("su", "--login", user, "--command", " ".join(arguments))

    def toplevel_by_hand(self, name, flake=None):
        """Builds a configuration of `by-hand.nix` with the nix command; returns the toplevel."""
        attribute = f"nixosConfigurations.{name}.config.system.build.toplevel"
        return self.must(f"nix build --no-link --print-out-paths '{flake or self.flake}#{attribute}'").strip()

    def has_inhibitors(self):
        """Returns whether this release of NixOS has switch inhibitors."""
        return self.machine.run("test", "-e", "/run/current-system/switch-inhibitors").code == 0

    def at_base(self):
        """Requires the state before the first module was enabled. Before the first change, there is no state file."""
        assert self.running() == self.base, f"{self.running()} is running instead of the base {self.base}"
        state = self.state()
        assert not state.get("pending") and not state.get("active"), f"unexpected state: {state}"
        assert self.failed() == [], self.failed()
