"""What must be so on a machine with a real systemd, one function each. One that cannot be tested returns why."""

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


def a_changed_unit_is_restarted_and_others_are_left_alone(s):
    heartbeat, reader = s.main_pid("heartbeat.service"), s.main_pid("reader.service")
    s.ok("enable", "changed")
    assert s.main_pid("heartbeat.service") not in (heartbeat, "0")
    assert s.main_pid("reader.service") == reader
    s.ok("reset")
    assert s.main_pid("reader.service") == reader
    s.at_base()


def what_ask_announces_is_what_happens(s):
    heartbeat, reader = s.main_pid("heartbeat.service"), s.main_pid("reader.service")
    command = shlex.join([s.machine.program, "enable", "changed", "beacon", "--ask", "--progress", "off"])
    # On a terminal, as it asks on no other thing.
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


def a_failing_unit_rolls_back(s):
    heartbeat = s.main_pid("heartbeat.service")
    done = s.ends(6, "enable", "failing", "beacon")
    assert "failing.service" in done.err, done
    # In a row of our own: the switch program may show the journal as well.
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


def a_failing_unit_stays_where_that_is_wanted(s):
    done = s.ends(7, "enable", "failing", "beacon", "--on-failed-units", "keep")
    assert "failing.service" in done.err, done
    s.is_on("failing", "beacon")
    assert s.unit("failing.service") == "failed" and s.unit("beacon.service") == "active"
    s.ok("reset")
    s.at_base()


def a_unit_that_had_failed_before_is_no_failure(s):
    s.shell("systemd-run --quiet --unit=old-trouble --property=Type=oneshot false || true")
    assert "old-trouble.service" in s.failed()
    s.ok("enable", "beacon")
    s.is_on("beacon")


def a_failing_activation_script_rolls_back(s):
    s.ends(6, "enable", "broken-script", "beacon")
    s.at_base()
    assert s.unit("beacon.service") == "inactive"


def a_client_that_dies_in_the_middle_does_not_stop_the_switch(s):
    client = s.start("enable", "slow")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    # All that the client has started itself; what runs in a unit of its own is not among them.
    kill_client(s, client)
    s.wait("the switch is done", lambda: s.state().get("pending") is None and s.state()["active"] == ["slow"])
    assert s.unit("slow.service") == "active"
    s.is_on("slow")
    assert "slow" in s.ok("history").out


def kill_client(s, client):
    """Kills a client and the processes that it has started: those of ours that systemd has not."""
    mine = [pid for pid in s.machine.ours() if "runtime-module" not in unit_of(pid)]
    for pid in mine:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    client.wait(10)


def unit_of(pid):
    """The control group of a process, which says the unit that it is in; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            return "".join(line for line in file if ":name=systemd:" in line or line.startswith("0::"))
    except OSError:
        return ""


def what_a_crash_interrupted_is_told_and_undone(s):
    crash_in_the_middle(s)
    told = s.program("status")
    assert "recover" in told.out + told.err, told
    refused = s.program("enable", "beacon")
    assert refused.code == 0 or "recover" in refused.err, refused
    s.ok("recover")
    s.at_base()
    assert s.unit("slow.service") == "inactive"


def what_a_crash_interrupted_can_be_finished(s):
    crash_in_the_middle(s)
    s.ok("recover", "--finish")
    s.is_on("slow")
    # What systemd was asked for before the crash goes on without whoever asked.
    s.wait("the unit is up", lambda: s.unit("slow.service") == "active")


def crash_in_the_middle(s):
    """Everything of ours dies while the switch program runs, and so does that."""
    client = s.start("enable", "slow")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    s.machine.kill_ours()
    client.wait(10)
    s.wait("nothing of ours is left", lambda: not s.machine.ours())
    s.wait("the unit of the transaction is gone", lambda: not transaction_units(s))
    s.wait("the switch program is gone", lambda: switch_is_free(s))
    assert s.state()["pending"], s.state()


def transaction_units(s):
    """The units of ours that run now: services, not timers."""
    listed = s.machine.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating,deactivating").out
    return [name for name in (line.split()[0] for line in listed.splitlines()) if is_ours(name) and name.endswith(".service")]


def is_ours(name):
    """Whether a unit is one that our program makes."""
    return name.startswith("runtime-module")


def nothing_confirms_and_the_system_returns(s):
    begun = time.monotonic()
    s.ok("enable", "beacon", "--confirm", "4s")
    assert s.unit("beacon.service") == "active"
    s.wait("the return", lambda: s.running() == s.base and s.state()["pending"] is None, 30)
    assert time.monotonic() - begun >= 4
    s.at_base()
    assert s.unit("beacon.service") == "inactive"


def the_system_returns_when_all_our_processes_are_dead(s):
    s.ok("enable", "beacon", "--confirm", "4s")
    s.machine.kill_ours()
    s.wait("all of ours are dead", lambda: not s.machine.ours(), 5)
    s.wait("the return", lambda: s.running() == s.base and s.state()["pending"] is None, 30)
    s.at_base()


def the_system_returns_when_all_die_while_it_switches(s):
    client = s.start("enable", "slow", "--confirm", "8s")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    s.machine.kill_ours()
    client.wait(10)
    s.wait("the return", lambda: s.running() == s.base and s.state()["pending"] is None, 40)
    s.at_base()
    assert s.unit("slow.service") == "inactive"


def the_return_waits_for_a_switch_by_others(s):
    s.ok("enable", "beacon", "--confirm", "2s")
    begun = time.monotonic()
    other = s.machine.start("flock", SWITCH_LOCK, "sleep", "6")
    s.wait("the lock is held", lambda: not switch_is_free(s), 2)
    try:
        # Long after the time is up.
        while time.monotonic() - begun < 5:
            assert s.unit("beacon.service") == "active" and s.state()["pending"], s.state()
            time.sleep(0.2)
        assert other.wait(10) == 0
    finally:
        other.kill()
        other.wait()
    s.wait("the return", lambda: s.running() == s.base and s.state()["pending"] is None, 30)
    s.at_base()
    assert s.unit("beacon.service") == "inactive"


def what_is_confirmed_stays(s):
    s.ok("enable", "beacon", "--confirm", "5s")
    s.ok("confirm")
    time.sleep(6)
    s.is_on("beacon")
    assert s.unit("beacon.service") == "active"
    timers = s.machine.run("systemctl", "list-timers", "--all", "--plain", "--no-legend").out
    assert "runtime-module" not in timers, timers


def of_two_runs_at_once_one_is_refused_and_told_who_holds_the_lock(s):
    first = s.start("enable", "slow")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    second = s.ends(5, "enable", "beacon")
    assert "enable slow" in second.err, second
    first.communicate(timeout=60)
    assert first.returncode == 0
    s.is_on("slow")


def one_of_two_runs_waits_for_the_other_if_it_may(s):
    first = s.start("enable", "slow")
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    s.ok("enable", "beacon", "--wait", "60s")
    first.communicate(timeout=60)
    assert first.returncode == 0
    s.is_on("slow", "beacon")


# What NixOS's own switch programs hold while they run.
SWITCH_LOCK = "/run/nixos/switch-to-configuration.lock"


def switch_is_free(s):
    """Whether nobody switches."""
    return s.shell(f"flock -n {SWITCH_LOCK} true").code == 0


def a_switch_by_others_is_not_disturbed(s):
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


def a_switch_by_others_that_begins_just_before_ours_is_not_undone(s):
    if s.program("__faults").code != 0:
        return "this build injects no faults"
    # It has looked, and found nobody; the program in Perl would wait for the lock without a word, and then switch.
    client = s.start("enable", "beacon", env={"RUNTIME_MODULE_FAULT": "activator.switch:before:stop"})
    s.wait("the activator stands still", lambda: standing(s))
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
    """The processes of ours that were stopped."""
    def state(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rpartition(") ")[2][0]
        except OSError:
            return None

    return [pid for pid in s.machine.ours() if state(pid) == "T"]


def a_unit_that_ignores_sigterm_is_waited_for_and_killed(s):
    s.ok("enable", "stubborn")
    assert s.unit("stubborn.service") == "active"
    done = s.program("disable", "stubborn")
    # systemd calls a unit that it had to kill a failed one; whether it is still there to be listed is up to it.
    assert done.code in (0, 7), done
    s.wait("the unit is gone", lambda: s.unit("stubborn.service") in ("inactive", "failed"))
    assert s.running() == s.base and s.state()["active"] == []


def ten_thousand_lines_are_no_trouble(s):
    done = s.ok("enable", "chatty", "--progress", "off")
    assert s.unit("chatty.service") == "active"
    assert len(done.out.splitlines()) + len(done.err.splitlines()) < 100, "what is not asked for is shown"
    logs = s.shell("cat /run/runtime-modules/log/*").out
    assert logs.count("the script says ") >= 10_000
    s.is_on("chatty")


def what_the_switch_says_is_in_a_log_and_in_the_journal(s):
    log = json.loads(s.ok("enable", "beacon", "--json").out)["activation"]["log"]
    said = [line for line in s.read(log).splitlines() if line]
    assert any("activating the configuration" in line for line in said), said
    unit = f"runtime-module-{log.rsplit('/', 1)[1].removesuffix('.log')}.service"
    journal = lambda: s.machine.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").out.splitlines()
    s.wait("the journal has all of the log", lambda: all(line in journal() for line in said), 10)
    s.is_on("beacon")


def without_d_bus_it_still_switches(s):
    s.shell("systemctl stop dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket")
    try:
        if s.switch == "minios":
            s.ok("enable", "beacon")
            s.is_on("beacon")
            assert s.unit("beacon.service") == "active"
        else:
            # NixOS's own programs need a bus; that is told, and nothing is changed.
            done = s.ends(5, "enable", "beacon")
            assert "before it changed anything" in done.err, done
            s.at_base()
    finally:
        s.spoilt()


def a_session_over_ssh_that_is_cut_does_not_stop_the_switch(s):
    prepare_ssh(s)
    for terminal in ("-T", "-tt"):
        remote = ["ssh", terminal, "-o", "StrictHostKeyChecking=no", "root@127.0.0.1", shlex.quote(s.machine.program), "enable", "slow"]
        client = s.machine.start(*remote)
        s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
        # The connection's own process in the server: all that hangs on it is hung up.
        s.shell("pkill -KILL -f '^sshd: root' ; pkill -KILL -x ssh")
        client.wait(10)
        s.wait("the switch is done", lambda: s.state().get("pending") is None and s.state()["active"] == ["slow"])
        s.is_on("slow")
        s.ok("reset")
        s.at_base()


def prepare_ssh(s):
    """Lets root log in over ssh, without a password."""
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


# What lets alice become root through polkit.
ALICES_RULE = "/etc/polkit-1/rules.d/10-alice.rules"


def an_ordinary_user_enables_through_sudo(s):
    return elevated(s, "sudo")


def an_ordinary_user_enables_through_doas(s):
    return elevated(s, "doas")


def an_ordinary_user_enables_through_run0(s):
    return elevated(s, "run0")


def elevated(s, how):
    """Alice, who may become root by this program, turns a module on and off; then she may not, and is told."""
    if s.shell(f"command -v {how}").code != 0:
        return f"this Debian has no {how}"
    if how == "run0":
        # Whom run0 asks.
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
        assert s.shell("find /run/runtime-modules /var/lib/runtime-modules ! -user root").out == "", "not all is root's"
        assert s.shell("find /home/alice ! -user alice").out == "", "not all is alice's"
        # By itself it finds one of them; what fails is told to her as it is to root.
        done = s.as_alice("enable", "failing")
        assert done.code == 6 and "failing.service" in done.err, done
        s.is_on("beacon")
        if how == "sudo":
            # Called the other way round, all but activation is done as her.
            done = s.machine.run(*s.alices("sudo", "--", s.machine.program, "disable", "beacon"))
        else:
            done = s.as_alice("disable", "beacon", "--elevate", how)
        assert done.code == 0, done
        s.at_base()
        s.shell(f"rm -f /etc/sudoers.d/alice {ALICES_RULE}; echo 'deny alice' > /etc/doas.conf")
        done = s.as_alice("enable", "beacon", "--elevate", how)
        assert done.code == 5 and f"error: cannot get root privileges: {how} failed (exit status: 1)\n" in done.err, done
        assert "hint: run this with sudo, or choose another program with --elevate\n" in done.err, done
        s.at_base()
    finally:
        s.spoilt()


def a_toggle_is_measured_through_sudo(s):
    """Alice may not activate; what she measures is done as she would do it, and undone."""
    alices_store(s)
    try:
        done = s.as_alice("bench", "toggle", "beacon", "--runs", "2", "--elevate", "sudo", "--json", "--no-plot")
        assert done.code == 0, done
        series = {one["name"]: one for one in json.loads(done.out)["series"]}
        for name in ("enable: activate", "enable: total", "disable: activate", "disable: total"):
            assert len(series[name]["samples"]) == 2, series[name]
        # Two real units were started and stopped meanwhile, by somebody who is root.
        assert s.unit("beacon.service") == "inactive"
        s.at_base()
    finally:
        s.spoilt()


def alices_store(s):
    """Where no daemon runs, who evaluates must be able to write to the store: here that is alice, and root may anyway."""
    done = s.shell("chown -R alice /nix")
    assert done.code == 0, done


def a_unit_that_cannot_be_started_is_no_obstacle_but_for_the_timer(s):
    s.shell("printf '#!/bin/sh\\necho no such luck >&2\\nexit 1\\n' > /usr/local/sbin/systemd-run; chmod +x /usr/local/sbin/systemd-run")
    try:
        # A session of its own does as well.
        s.ok("enable", "beacon")
        s.is_on("beacon")
        s.ok("reset")
        # A timer that needs none of our processes there is none then.
        done = s.ends(5, "enable", "beacon", "--confirm", "60s", "--progress", "off")
        assert done.err == (
            "error: cannot arm the rollback timer: systemd-run: no such luck\n"
            "hint: run it without --confirm; the change is then not rolled back automatically\n"
        ), done
        s.at_base()
    finally:
        s.shell("rm /usr/local/sbin/systemd-run")


def the_shape_of_home_manager_keeps_working(s):
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


def the_shapes_of_sops_and_agenix_keep_working(s):
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
    # One generation each is left, however often it was switched, and nobody was restarted.
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


def a_return_takes_user_units_back_and_leaves_others_alone(s):
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


def a_switch_inhibitor_refuses_and_can_be_passed(s):
    done = s.ends(5, "enable", "inhibited")
    assert "message-bus" in done.err and "--allow" in done.err, done
    s.at_base()
    s.ends(5, "enable", "inhibited", "--force")
    s.at_base()
    s.ok("enable", "inhibited", "--allow", "inhibitors")
    s.is_on("inhibited")


def a_pre_switch_check_refuses(s):
    if s.switch not in ("minios",):
        return "this release of NixOS's switch program knows no pre-switch checks"
    done = s.ends(5, "enable", "refused", "beacon")
    assert "the moon is not full" in done.err, done
    s.at_base()
    assert s.unit("beacon.service") == "inactive"


def the_system_of_another_host_is_refused_and_can_be_passed(s):
    other = ("apply", "--flake", s.flake, "--host", "elsewhere")
    done = s.ends(5, *other)
    assert "'elsewhere'" in done.err and "'machine'" in done.err and "--allow wrong-host" in done.err, done
    s.at_base()
    s.ends(5, *other, "--force")
    s.at_base()
    s.ok(*other, "--allow", "wrong-host")
    assert s.read("/etc/hostname") == "elsewhere\n"
    s.spoilt()


def another_init_needs_a_reboot(s):
    done = s.ends(9, "enable", "other-init")
    assert "boot" in done.err, done
    s.at_base()


def a_new_login_is_asked_for_where_groups_changed(s):
    done = s.ok("enable", "login")
    assert "a new login is needed" in done.err, done
    s.is_on("login")


def rollback_goes_back_and_history_tells(s):
    s.ok("enable", "beacon")
    one = s.running()
    s.ok("enable", "changed")
    s.ok("rollback")
    assert s.running() == one
    s.is_on("beacon")
    told = s.ok("history").out
    assert "beacon" in told and "changed" in told, told


def nothing_of_ours_is_left_behind(s):
    s.ok("enable", "beacon")
    s.ends(6, "enable", "failing")
    s.ok("reset")
    # The unit's process may need a moment longer than the client.
    s.wait("all of ours have ended", lambda: not s.machine.ours(), 5)
    units = s.machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend").out
    left = [line for line in units.splitlines() if is_ours(line.split()[0])]
    assert not left, left
    loaded = s.shell("ls /run/systemd/transient | grep -c '^runtime-module' || true").out
    assert loaded == "0\n", loaded


# In the order in which they are run.
ALL = [one for name, one in list(globals().items()) if callable(one) and name not in {
    "kill_client", "unit_of", "crash_in_the_middle", "transaction_units", "is_ours", "prepare_ssh",
    "elevated", "alices_store", "standing", "switch_is_free",
}]
