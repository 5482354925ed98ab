"""Tests of the program on a machine with a real systemd. Each function is a test, and returns the
reason if it cannot run."""

import json
import os
import shlex
import signal
import time


def enable_starts_a_unit_and_disable_stops_it(s):
    s.ok("enable", "beacon")
    assert s.unit("beacon.service") == "active"
    assert s.read("/etc/beacon.conf") == "bright\n"
    s.is_on("beacon")
    s.ok("disable", "beacon")
    assert s.unit("beacon.service") == "inactive"
    assert s.read("/etc/beacon.conf") is None
    s.at_base()


def changed_unit_restarts_and_others_do_not(s):
    heartbeat, reader = s.main_pid("heartbeat.service"), s.main_pid("reader.service")
    s.ok("enable", "changed")
    assert s.main_pid("heartbeat.service") not in (heartbeat, "0")
    assert s.main_pid("reader.service") == reader
    s.ok("reset")
    assert s.main_pid("reader.service") == reader
    s.at_base()


def ask_announces_the_actual_unit_changes(s):
    heartbeat, reader = s.main_pid("heartbeat.service"), s.main_pid("reader.service")
    command = shlex.join([s.machine.program, "enable", "changed", "beacon", "--ask", "--progress", "off"])
    # `--ask` needs a terminal.
    for answer, code in (("n", 5), ("y", 0)):
        done = s.shell(f"echo {answer} | script --quiet --return --command {shlex.quote(command)} /dev/null")
        assert done.code == code, done
        rows = [line.strip().split(": ", 1) for line in done.out.splitlines() if ": " in line]
        announced = {what: units for what, units in rows if what in ("stop", "restart", "reload", "start")}
        assert announced == {"restart": "heartbeat.service", "start": "beacon.service"}, done
        if answer == "n":
            s.at_base()
            assert s.main_pid("heartbeat.service") == heartbeat
    s.is_on("changed", "beacon")
    assert s.main_pid("heartbeat.service") not in (heartbeat, "0")
    assert s.unit("beacon.service") == "active"
    assert s.main_pid("reader.service") == reader


def failing_unit_causes_a_rollback(s):
    heartbeat = s.main_pid("heartbeat.service")
    done = s.ends(6, "enable", "failing", "beacon")
    assert "failing.service" in done.err, done
    # Matches our own output, because the switch program may show the journal too.
    assert "failing.service> the thing that this service needs is not there\n" in done.err, done
    s.at_base()
    assert s.unit("beacon.service") == "inactive"
    assert s.main_pid("heartbeat.service") == heartbeat
    assert s.failed() == []
    activation = json.loads(s.ends(6, "enable", "failing", "--json").out)["activation"]
    assert activation["failedUnits"] == ["failing.service"], activation
    assert [one["unit"] for one in activation["unitLogs"]] == ["failing.service"], activation
    assert "the thing that this service needs is not there" in activation["unitLogs"][0]["lines"], activation
    s.at_base()


def failing_unit_stays_with_keep(s):
    done = s.ends(7, "enable", "failing", "beacon", "--on-failed-units", "keep")
    assert "failing.service" in done.err, done
    s.is_on("failing", "beacon")
    assert s.unit("failing.service") == "failed" and s.unit("beacon.service") == "active"
    s.ok("reset")
    s.at_base()


def unit_that_failed_before_does_not_count(s):
    s.shell("systemd-run --quiet --unit=old-trouble --property=Type=oneshot false || true")
    assert "old-trouble.service" in s.failed()
    s.ok("enable", "beacon")
    s.is_on("beacon")


def failing_script_causes_a_rollback(s):
    s.ends(6, "enable", "broken-script", "beacon")
    s.at_base()
    assert s.unit("beacon.service") == "inactive"


def switch_continues_when_the_client_dies(s):
    client = s.start("enable", "slow")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    # Kill the processes that the client started itself, but not those in units of their own.
    kill_client(s, client)
    s.wait("the switch is done", lambda: s.state().get("pending") is None and s.state()["active"] == ["slow"])
    assert s.unit("slow.service") == "active"
    s.is_on("slow")
    assert "slow" in s.ok("history").out


def kill_client(s, client):
    """Kills a client and the processes that it started, but not those that systemd started."""
    mine = [pid for pid in s.machine.ours() if "runtime-module" not in unit_of(pid)]
    for pid in mine:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    client.wait(10)


def unit_of(pid):
    """Returns the control group of a process, which names its unit, or an empty string if the process is gone."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            return "".join(line for line in file if ":name=systemd:" in line or line.startswith("0::"))
    except OSError:
        return ""


def recover_undoes_a_change_after_a_crash(s):
    crash_in_the_middle(s)
    told = s.program("status")
    assert "recover" in told.out + told.err, told
    refused = s.program("enable", "beacon")
    assert refused.code == 0 or "recover" in refused.err, refused
    s.ok("recover")
    s.at_base()
    assert s.unit("slow.service") == "inactive"


def recover_finishes_a_change_after_a_crash(s):
    crash_in_the_middle(s)
    s.ok("recover", "--finish")
    s.is_on("slow")
    # A job that was queued before the crash continues in systemd.
    s.wait("the unit is up", lambda: s.unit("slow.service") == "active")


def crash_in_the_middle(s):
    """Kills all our processes and the switch program while it is running."""
    client = s.start("enable", "slow")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    s.machine.kill_ours()
    client.wait(10)
    s.wait("nothing of ours is left", lambda: not s.machine.ours())
    s.wait("the unit of the transaction is gone", lambda: not transaction_units(s))
    s.wait("the switch program is gone", lambda: switch_is_free(s))
    assert s.state()["pending"], s.state()


def transaction_units(s):
    """Returns our active services."""
    listed = s.machine.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating,deactivating").out
    return [name for name in (line.split()[0] for line in listed.splitlines()) if is_ours(name) and name.endswith(".service")]


def is_ours(name):
    """Returns whether the program created this unit."""
    return name.startswith("runtime-module")


def unconfirmed_change_is_rolled_back(s):
    begun = time.monotonic()
    s.ok("enable", "beacon", "--confirm", "4s")
    assert s.unit("beacon.service") == "active"
    s.wait("the rollback", lambda: s.running() == s.base and s.state()["pending"] is None, 30)
    assert time.monotonic() - begun >= 4
    s.at_base()
    assert s.unit("beacon.service") == "inactive"


def rollback_needs_none_of_our_processes(s):
    s.ok("enable", "beacon", "--confirm", "4s")
    s.machine.kill_ours()
    s.wait("all our processes are dead", lambda: not s.machine.ours(), 5)
    s.wait("the rollback", lambda: s.running() == s.base and s.state()["pending"] is None, 30)
    s.at_base()


def rollback_follows_a_crash_during_the_switch(s):
    client = s.start("enable", "slow", "--confirm", "8s")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    s.machine.kill_ours()
    client.wait(10)
    s.wait("the rollback", lambda: s.running() == s.base and s.state()["pending"] is None, 40)
    s.at_base()
    assert s.unit("slow.service") == "inactive"


def rollback_waits_for_an_external_switch(s):
    s.ok("enable", "beacon", "--confirm", "2s")
    begun = time.monotonic()
    other = s.machine.start("flock", SWITCH_LOCK, "sleep", "6")
    s.wait("the lock is held", lambda: not switch_is_free(s), 2)
    try:
        # Wait until long after the deadline.
        while time.monotonic() - begun < 5:
            assert s.unit("beacon.service") == "active" and s.state()["pending"], s.state()
            time.sleep(0.2)
        assert other.wait(10) == 0
    finally:
        other.kill()
        other.wait()
    s.wait("the rollback", lambda: s.running() == s.base and s.state()["pending"] is None, 30)
    s.at_base()
    assert s.unit("beacon.service") == "inactive"


def confirmed_change_stays(s):
    s.ok("enable", "beacon", "--confirm", "5s")
    s.ok("confirm")
    time.sleep(6)
    s.is_on("beacon")
    assert s.unit("beacon.service") == "active"
    timers = s.machine.run("systemctl", "list-timers", "--all", "--plain", "--no-legend").out
    assert "runtime-module" not in timers, timers


def second_run_is_refused_and_names_the_first(s):
    first = s.start("enable", "slow")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    second = s.ends(5, "enable", "beacon")
    assert "enable slow" in second.err, second
    first.communicate(timeout=60)
    assert first.returncode == 0
    s.is_on("slow")


def second_run_waits_with_the_wait_option(s):
    first = s.start("enable", "slow")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    s.ok("enable", "beacon", "--wait", "60s")
    first.communicate(timeout=60)
    assert first.returncode == 0
    s.is_on("slow", "beacon")


# The lock of NixOS's own switch programs.
SWITCH_LOCK = "/run/nixos/switch-to-configuration.lock"


def switch_is_free(s):
    """Returns whether no switch is running."""
    return s.shell(f"flock -n {SWITCH_LOCK} true").code == 0


def external_switch_is_not_disturbed(s):
    other = s.machine.start("flock", SWITCH_LOCK, "sleep", "30")
    s.wait("the lock is held", lambda: not switch_is_free(s))
    try:
        done = s.ends(5, "enable", "beacon")
        assert "switch" in done.err and done.seconds < 20, done
        s.at_base()
    finally:
        s.shell("pkill -xf 'sleep 30'")
        other.kill()
        other.wait()
        s.wait("the lock is free again", lambda: switch_is_free(s))


def external_switch_just_before_ours_is_kept(s):
    if s.program("__faults").code != 0:
        return "this build injects no faults"
    # The fault stops the activator after it has checked the lock. The Perl program would silently wait for the lock,
    # and then switch.
    client = s.start("enable", "beacon", env={"RUNTIME_MODULE_FAULT": "activator.switch:before:stop"})
    s.wait("the activator is stopped", lambda: standing(s))
    other = s.machine.start("flock", SWITCH_LOCK, "sleep", "20")
    s.wait("the lock is held", lambda: not switch_is_free(s))
    try:
        for pid in standing(s):
            os.kill(pid, signal.SIGCONT)
        _, err = client.communicate(timeout=15)
        assert client.returncode == 5 and "another switch is running" in err, err
        s.at_base()
        assert s.unit("beacon.service") == "inactive"
    finally:
        s.shell("pkill -xf 'sleep 20'")
        other.kill()
        other.wait()
        s.wait("the lock is free again", lambda: switch_is_free(s))


def standing(s):
    """Returns our stopped processes."""
    def state(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rpartition(") ")[2][0]
        except OSError:
            return None

    return [pid for pid in s.machine.ours() if state(pid) == "T"]


def unit_that_ignores_sigterm_is_killed(s):
    s.ok("enable", "stubborn")
    assert s.unit("stubborn.service") == "active"
    done = s.program("disable", "stubborn")
    # systemd marks a unit that it had to kill as failed, but the unit may disappear before the program lists it.
    assert done.code in (0, 7), done
    s.wait("the unit is gone", lambda: s.unit("stubborn.service") in ("inactive", "failed"))
    assert s.running() == s.base and s.state()["active"] == []


def ten_thousand_lines_are_logged_not_shown(s):
    done = s.ok("enable", "chatty", "--progress", "off")
    assert s.unit("chatty.service") == "active"
    assert len(done.out.splitlines()) + len(done.err.splitlines()) < 100, "the program shows output that was not requested"
    logs = s.shell("cat /run/runtime-modules/log/*").out
    assert logs.count("the script says ") >= 10_000
    s.is_on("chatty")


def switch_output_is_in_the_log_and_journal(s):
    log = json.loads(s.ok("enable", "beacon", "--json").out)["activation"]["log"]
    said = [line for line in s.read(log).splitlines() if line]
    assert any("activating the configuration" in line for line in said), said
    unit = f"runtime-module-{log.rsplit('/', 1)[1].removesuffix('.log')}.service"
    journal = lambda: s.machine.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").out.splitlines()
    s.wait("the journal has all of the log", lambda: all(line in journal() for line in said), 10)
    s.is_on("beacon")


def missing_d_bus_works_or_changes_nothing(s):
    s.shell("systemctl stop dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket")
    try:
        if s.switch == "minios":
            s.ok("enable", "beacon")
            s.is_on("beacon")
            assert s.unit("beacon.service") == "active"
        else:
            # NixOS's own programs need D-Bus. Without it, they fail before they change anything.
            done = s.ends(5, "enable", "beacon")
            assert "before it changed anything" in done.err, done
            s.at_base()
    finally:
        s.spoilt()


def switch_continues_when_ssh_is_cut(s):
    prepare_ssh(s)
    for terminal in ("-T", "-tt"):
        remote = ["ssh", terminal, "-o", "StrictHostKeyChecking=no", "root@127.0.0.1", shlex.quote(s.machine.program), "enable", "slow"]
        client = s.machine.start(*remote)
        s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
        # End the connection. With -tt, the program gets SIGHUP; with -T, its pipes are closed.
        s.shell("pkill -KILL -f '^sshd: root' ; pkill -KILL -x ssh")
        client.wait(10)
        s.wait("the switch is done", lambda: s.state().get("pending") is None and s.state()["active"] == ["slow"])
        s.is_on("slow")
        s.ok("reset")
        s.at_base()
    # switch-to-configuration-ng fails if a user disappears from logind while it goes through the users.
    s.wait("root is logged out", lambda: "root" not in s.machine.run("loginctl", "list-users", "--no-legend").out)


def prepare_ssh(s):
    """Allows root to log in over SSH without a password."""
    done = s.shell("""
        set -e
        mkdir -p /root/.ssh && chmod 700 /root/.ssh
        [ -e /root/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
        cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
        systemctl start ssh
    """)
    assert done.code == 0, done
    login = ["ssh", "-o", "StrictHostKeyChecking=no", "root@127.0.0.1", "true"]
    s.wait("sshd answers", lambda: s.machine.run(*login).code == 0, 20)


# The file with the polkit rule that allows alice to become root.
ALICES_RULE = "/etc/polkit-1/rules.d/10-alice.rules"


def an_ordinary_user_enables_through_sudo(s):
    return elevated(s, "sudo")


def an_ordinary_user_enables_through_doas(s):
    return elevated(s, "doas")


def an_ordinary_user_enables_through_run0(s):
    return elevated(s, "run0")


def elevated(s, how):
    """Enables and disables a module as alice with `--elevate`. Requires a refusal once she has no permission."""
    if s.shell(f"command -v {how}").code != 0:
        return f"this Debian has no {how}"
    if how == "run0":
        # run0 needs polkit.
        if s.shell("command -v pkaction").code != 0:
            return "this Debian has no polkit"
        rule = 'polkit.addRule(function(action, subject) { if (subject.user == "alice") return polkit.Result.YES; });'
        s.shell(f"echo '{rule}' > {ALICES_RULE}")
    alices_store(s)
    try:
        done = s.as_alice("enable", "beacon", "--elevate", how)
        assert done.code == 0, done
        s.is_on("beacon")
        assert s.unit("beacon.service") == "active"
        assert s.shell("find /run/runtime-modules /var/lib/runtime-modules ! -user root").out == "", "a file does not belong to root"
        assert s.shell("find /home/alice ! -user alice").out == "", "a file does not belong to alice"
        # Without --elevate, the program finds an elevation program. Failures are reported in the same way as for root.
        done = s.as_alice("enable", "failing")
        assert done.code == 6 and "failing.service" in done.err, done
        s.is_on("beacon")
        if how == "sudo":
            # If sudo starts the program, everything except activation runs as alice.
            done = s.machine.run(*s.alices("sudo", "--", s.machine.program, "disable", "beacon"))
        else:
            done = s.as_alice("disable", "beacon", "--elevate", how)
        assert done.code == 0, done
        s.at_base()
        s.shell(f"rm -f /etc/sudoers.d/alice {ALICES_RULE}; echo 'deny alice' > /etc/doas.conf")
        done = s.as_alice("enable", "beacon", "--elevate", how)
        assert done.code == 5 and f"error: cannot get root privileges: {how} failed (exit status: 1)\n" in done.err, done
        assert "hint: run the command as root, or choose another elevation program with --elevate\n" in done.err, done
        s.at_base()
    finally:
        s.spoilt()


def bench_toggle_works_through_sudo(s):
    """Alice, who is not root, runs the benchmark. It activates through sudo, and restores the system."""
    alices_store(s)
    try:
        done = s.as_alice("bench", "toggle", "beacon", "--runs", "2", "--elevate", "sudo", "--json", "--no-plot")
        assert done.code == 0, done
        series = {one["name"]: one for one in json.loads(done.out)["series"]}
        for name in ("enable: activate", "enable: total", "disable: activate", "disable: total"):
            assert len(series[name]["samples"]) == 2, series[name]
        # The benchmark leaves the unit stopped.
        assert s.unit("beacon.service") == "inactive"
        s.at_base()
    finally:
        s.spoilt()


def alices_store(s):
    """Makes the store writable for alice, who evaluates without a daemon."""
    done = s.shell("chown -R alice /nix")
    assert done.code == 0, done


def only_confirm_needs_systemd_run(s):
    s.shell("printf '#!/bin/sh\\necho no such luck >&2\\nexit 1\\n' > /usr/local/sbin/systemd-run; chmod +x /usr/local/sbin/systemd-run")
    try:
        # The activator can run in a session instead of a unit.
        s.ok("enable", "beacon")
        s.is_on("beacon")
        s.ok("reset")
        # The rollback timer needs systemd-run.
        done = s.ends(5, "enable", "beacon", "--confirm", "60s", "--progress", "off")
        assert done.err == (
            "error: cannot arm the rollback timer: systemd-run: no such luck\n"
            "hint: check systemd with `systemctl status`, or omit --confirm; without it, the change is not rolled back automatically\n"
        ), done
        s.at_base()
    finally:
        s.shell("rm /usr/local/sbin/systemd-run")


def home_manager_setup_keeps_working(s):
    greeting, more = "/home/alice/.config/greeting", "/home/alice/.config/more"
    assert s.read(greeting) == "good day\n"
    s.ok("enable", "home")
    assert s.read(greeting) == "hello from a module\n" and s.read(more) == "more\n"
    assert s.machine.run("stat", "--dereference", "--format=%U", "/home/alice/.local/state/home-manager").out == "alice\n"
    s.ok("disable", "home")
    assert s.read(greeting) == "good day\n" and s.read(more) is None
    s.ends(6, "enable", "home", "failing")
    assert s.read(greeting) == "good day\n" and s.read(more) is None
    assert s.unit("home-manager-alice.service") == "active"


def sops_and_agenix_setups_keep_working(s):
    def secrets():
        return [s.read(f"/run/{name}") for name in ("secrets/database", "agenix/mail", "secrets/token", "agenix/key")]

    base = ["password", "letter", None, None]
    assert secrets() == base
    reader = s.main_pid("reader.service")
    s.ok("enable", "secret")
    assert secrets() == ["password", "letter", "secret", "house"]
    assert s.read("/run/second-reader") == "secrethouse"
    assert s.machine.run("stat", "--format=%a %U", "/run/secrets/token").out == "400 root\n"
    s.ok("disable", "secret")
    assert secrets() == base
    s.ends(6, "enable", "secret", "failing")
    assert secrets() == base
    # Each of the two setups has one generation left after several switches, and the reader was not restarted.
    assert s.shell("ls /run/secrets.d /run/agenix.d | grep -c '^[0-9]'").out == "2\n"
    assert s.main_pid("reader.service") == reader


def user_units_keep_working(s):
    s.wait("alice has a user manager", lambda: s.alice("systemctl", "--user", "is-system-running").out.strip() == "running")
    s.ok("enable", "user-unit")
    assert s.alice("systemctl", "--user", "start", "lamp.service").code == 0
    pid = s.alice("systemctl", "--user", "show", "--value", "--property=MainPID", "lamp.service").out
    s.ok("enable", "beacon")
    s.ok("disable", "beacon")
    s.ends(6, "enable", "failing")
    assert s.unit("lamp.service", user=True) == "active"
    assert s.alice("systemctl", "--user", "show", "--value", "--property=MainPID", "lamp.service").out == pid
    s.alice("systemctl", "--user", "stop", "lamp.service")
    s.ok("disable", "user-unit")
    assert s.alice("systemctl", "--user", "start", "lamp.service").code != 0


def rollback_removes_only_the_new_user_unit(s):
    s.wait("alice has a user manager", lambda: s.alice("systemctl", "--user", "is-system-running").out.strip() == "running")
    assert s.alice("systemd-run", "--user", "--quiet", "--unit=candle", "sleep", "infinity").code == 0
    candle = lambda: s.alice("systemctl", "--user", "show", "--value", "--property=MainPID", "candle.service").out.strip()
    before = candle(), s.main_pid("heartbeat.service")
    assert "0" not in before, before
    s.ends(6, "enable", "user-unit", "failing")
    s.at_base()
    assert s.read("/etc/systemd/user/lamp.service") is None
    done = s.alice("systemctl", "--user", "start", "lamp.service")
    assert done.code != 0 and "not found" in done.err, done
    assert (candle(), s.main_pid("heartbeat.service")) == before
    s.alice("systemctl", "--user", "stop", "candle.service")


def switch_inhibitor_refuses_unless_allowed(s):
    done = s.ends(5, "enable", "inhibited")
    assert "message-bus" in done.err and "--allow" in done.err, done
    s.at_base()
    s.ends(5, "enable", "inhibited", "--force")
    s.at_base()
    s.ok("enable", "inhibited", "--allow", "inhibitors")
    s.is_on("inhibited")


def a_pre_switch_check_refuses(s):
    if not s.has_checks:
        return "this release of NixOS's switch program knows no pre-switch checks"
    done = s.ends(5, "enable", "refused", "beacon")
    assert "the moon is not full" in done.err, done
    s.at_base()
    assert s.unit("beacon.service") == "inactive"


def wrong_host_is_refused_unless_allowed(s):
    other = ("apply", "--flake", s.flake, "--host", "elsewhere")
    done = s.ends(5, *other)
    assert "'elsewhere'" in done.err and "'machine'" in done.err and "--allow wrong-host" in done.err, done
    s.at_base()
    s.ends(5, *other, "--force")
    s.at_base()
    s.ok(*other, "--allow", "wrong-host")
    assert s.read("/etc/hostname") == "elsewhere\n"
    s.spoilt()


def different_init_needs_a_reboot(s):
    done = s.ends(9, "enable", "other-init")
    assert "boot" in done.err, done
    s.at_base()


def changed_groups_ask_for_a_new_login(s):
    done = s.ok("enable", "login")
    assert "log in again" in done.err, done
    s.is_on("login")


def rollback_returns_and_history_lists_both(s):
    s.ok("enable", "beacon")
    one = s.running()
    s.ok("enable", "changed")
    s.ok("rollback")
    assert s.running() == one
    s.is_on("beacon")
    told = s.ok("history").out
    assert "beacon" in told and "changed" in told, told


def no_processes_or_units_are_left_behind(s):
    s.ok("enable", "beacon")
    s.ends(6, "enable", "failing")
    s.ok("reset")
    # The process of the unit may exit a little later than the client.
    s.wait("all our processes have exited", lambda: not s.machine.ours(), 5)
    units = s.machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend").out
    left = [line for line in units.splitlines() if is_ours(line.split()[0])]
    assert not left, left
    loaded = s.shell("ls /run/systemd/transient | grep -c '^runtime-module' || true").out
    assert loaded == "0\n", loaded


# All behaviours, in the order in which they run.
ALL = [one for name, one in list(globals().items()) if callable(one) and name not in {
    "kill_client", "unit_of", "crash_in_the_middle", "transaction_units", "is_ours", "prepare_ssh",
    "elevated", "alices_store", "standing", "switch_is_free",
}]
