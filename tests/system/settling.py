"""Tests that a change succeeds only if all units that it started, restarted or reloaded are healthy. Each function is a
test, as in behaviours.py. The units are in units.nix."""

import itertools
import json
import time

SIMPLE = ["simple", "exec", "idle"]
REPORTING = ["notify", "dbus", "forking", "oneshot"]
TYPES = [*SIMPLE, *REPORTING]
# Types for the tests of failures after two seconds. An idle service first waits up to 5 s for other jobs, so it would
# fail later than the others.
LATE = [kind for kind in TYPES if kind != "idle"]
POLICIES = ["never", "always", "limited"]


def named(prefix, types):
    """Returns the names of the services of units.nix with this prefix."""
    return [f"{prefix}-{kind}-{policy}.service" for kind, policy in itertools.product(types, POLICIES)]


def refused(s, module, settle="3s"):
    """Enables a module with failing units. Returns the activation and the unit logs by name."""
    done = s.ends(6, "enable", module, "--settle", settle, "--json")
    s.at_base()
    activation = json.loads(done.out)["activation"]
    return activation, {log["unit"]: log for log in activation["unitLogs"]}


def processes(s, units):
    """Returns the state and the main process of each unit."""
    shown = s.machine.run("systemctl", "show", "--property=ActiveState,MainPID", "--", *units).out
    lines = (dict(line.split("=") for line in unit.splitlines()) for unit in shown.split("\n\n"))
    return [(unit["ActiveState"], unit["MainPID"]) for unit in lines]


def fails(s, module, prefix, setting, word, types=TYPES):
    """Requires that all services of a module fail in one command, and that each cause is named."""
    activation, logs = refused(s, module)
    expected = named(prefix, types)
    assert sorted(activation["failedUnits"]) == sorted(expected), activation
    for unit in expected:
        kind, log = unit.split("-")[1], logs[unit]
        assert log["type"] == kind, log
        assert log["command"]["setting"] == setting and log["command"]["status"] == 3, log
        assert setting in log["cause"], log
        assert any(f"the {word} is broken" in line for line in log["lines"]), log
        assert log["more"] == f"journalctl -b -u {unit}", log
    # Wait for units that were still stopping or restarting at the rollback. They may end as failed, but systemd cannot
    # restart them, because their unit files are gone.
    s.wait("the units are gone", lambda: all(state in ("inactive", "failed") for state, _ in processes(s, expected)))


def failure_in_exec_start_pre_is_found(s):
    fails(s, "fails-before", "before", "ExecStartPre", "preparation")


def late_failure_in_exec_start_pre_is_found(s):
    fails(s, "fails-before-late", "before", "ExecStartPre", "preparation", LATE)


def failure_in_exec_start_is_found(s):
    fails(s, "fails-in", "in", "ExecStart", "start")


def late_failure_before_the_report_is_found(s):
    fails(s, "fails-in-late", "in", "ExecStart", "start", REPORTING)


def failure_in_exec_start_post_is_found(s):
    fails(s, "fails-after", "after", "ExecStartPost", "end")


def late_failure_in_exec_start_post_is_found(s):
    fails(s, "fails-after-late", "after", "ExecStartPost", "end", LATE)


def failure_in_exec_stop_is_found(s):
    fails(s, "fails-ending", "ending", "ExecStop", "stop", [*SIMPLE, "oneshot"])


def late_failure_in_exec_stop_is_found(s):
    fails(s, "fails-ending-late", "ending", "ExecStop", "stop", ["simple", "exec", "oneshot"])


def failed_stop_of_a_restarted_service_does_not_count(s):
    """A failed ExecStop of the old process does not count if the service is restarted or only stopped."""
    for module in ("stops-badly", "stops-badly-late"):
        s.ok("enable", module)
        units = named("stopped", TYPES)
        before = processes(s, units)
        s.ok("enable", "changes-stopped")
        after = processes(s, units)
        assert all(state == "active" for state, _ in after), after
        assert all(new != old or new[1] == "0" for old, new in zip(before, after)), (before, after)
        s.ok("reset")
        s.at_base()


def failed_reload_of_each_type_is_found(s):
    for module in ("fails-reloading", "fails-reloading-late"):
        s.ok("enable", "reloadable")
        units = named("reloadable", TYPES)
        before = processes(s, units)
        activation = json.loads(s.ends(6, "enable", module, "--json").out)["activation"]
        s.is_on("reloadable")
        assert sorted(activation["failedUnits"]) == sorted(units), activation
        for log in activation["unitLogs"]:
            assert log["problem"] == "reload-failed", log
            assert log["command"]["setting"] == "ExecReload" and log["command"]["status"] == 3, log
            assert any("the reload is broken" in line for line in log["lines"]), log
        assert processes(s, units) == before, "a service was restarted"
        s.ok("reset")
        s.at_base()


def failure_after_two_seconds_is_found(s):
    s.shell("rm -f /run/settling-end")
    activation, logs = refused(s, "fails-late")
    assert sorted(activation["failedUnits"]) == sorted(named("late", SIMPLE)), activation
    for unit, log in logs.items():
        assert log["command"]["setting"] == "ExecStart" and log["command"]["status"] == 4, log
        assert "it is over" in log["lines"], log
        # The restart policy determines whether systemd has given up on the unit by now.
        wanted = {"never": ["failed"], "always": ["restarting"], "limited": ["restarting", "failed"]}
        assert log["problem"] in wanted[unit.split("-")[2].removesuffix(".service")], log


def late_failure_is_missed_without_settle_time(s):
    # Test first with the option, and then with the configured 200 ms, which may be over when the switch program exits.
    for settle in (["--settle", "0"], []):
        done = s.ok("enable", "fails-much-later", *settle, "--json")
        log = s.read(json.loads(done.out)["activation"]["log"])
        assert "watching " not in log or "watching much-later.service for 0.2 s" in log.splitlines(), log
        s.ok("reset", "--settle", "0")
        s.at_base()


def error_names_unit_type_command_and_log(s):
    done = s.ends(6, "enable", "fails-by-signal", "--settle", "3s")
    for part in (
        "failed: by-signal.service (Type=simple): ExecStart=",
        " was killed by SIGSEGV\n",
        "run `journalctl -b -u by-signal.service` to see the log of the unit\n",
    ):
        assert part in done.err, done
    s.at_base()


def services_that_report_their_start_are_not_watched(s):
    took = {}
    for settle in ("3s", "0", "3s", "0"):
        activation = json.loads(s.ok("enable", "reports", "--settle", settle, "--json").out)["activation"]
        assert "watching " not in s.read(activation["log"]), activation
        took[settle] = min(activation["milliseconds"], took.get(settle, 1e9))
        s.ok("reset", "--settle", "0")
    assert took["3s"] - took["0"] <= 300, took


def slow_or_odd_services_are_a_success(s):
    begun = time.monotonic()
    done = s.ok("enable", "slow-but-well", "--settle", "2s", "--progress", "plain")
    assert time.monotonic() - begun > 2, done
    assert "activate: watching " in done.err and "well-prepared.service" in done.err, done
    for unit in ("prepared", "notified", "named", "forked", "done", "finished", "ignored"):
        assert s.unit(f"well-{unit}.service") == "active", unit
    for unit in ("skipped", "ended"):
        assert s.unit(f"well-{unit}.service") == "inactive", unit
    s.is_on("slow-but-well")


def unbound_socket_is_a_failure(s):
    activation, logs = refused(s, "bad-socket")
    assert activation["failedUnits"] == ["unbound.socket"], activation
    assert logs["unbound.socket"]["result"] == "resources", logs


def failed_service_of_a_timer_is_a_failure(s):
    activation, logs = refused(s, "bad-timer")
    assert activation["failedUnits"] == ["ticking.service"], activation
    assert logs["ticking.service"]["command"]["status"] == 3, logs


def failed_template_instance_is_a_failure(s):
    activation, logs = refused(s, "bad-instance")
    assert activation["failedUnits"] == ["stamp@one.service"], activation
    log = logs["stamp@one.service"]
    assert log["problem"] in ("restarting", "failed") and log["command"]["setting"] == "ExecStartPre", log


def failed_user_unit_is_a_failure(s):
    s.wait("alice has a user manager", lambda: s.alice("systemctl", "--user", "is-system-running").out.strip() == "running")
    activation, logs = refused(s, "bad-user-unit")
    assert activation["failedUnits"] == ["spark.service of user alice"], activation
    log = logs["spark.service"]
    assert (log["user"], log["type"], log["command"]["status"]) == ("alice", "simple", 5), log
    assert "the spark is out" in log["lines"], log
    more = s.shell(log["more"]).out
    assert "spark.service: Failed with result 'exit-code'" in more, more
    s.alice("systemctl", "--user", "reset-failed")


def failed_reload_is_a_failure(s):
    activation, logs = refused(s, "bad-reload")
    assert activation["failedUnits"] == ["reloaded.service"], activation
    log = logs["reloaded.service"]
    assert log["problem"] == "reload-failed", log
    assert log["command"]["setting"] == "ExecReload" and log["command"]["status"] == 6, log
    assert log["cause"].startswith("the reload failed: ExecReload="), log


def stuck_start_job_is_a_failure(s):
    begun = time.monotonic()
    activation, logs = refused(s, "never-starts", settle="300ms")
    assert activation["failedUnits"] == ["never.service"], activation
    assert logs["never.service"]["problem"] == "starting", logs
    assert 3 < time.monotonic() - begun < 30, activation


def unit_that_failed_before_is_only_listed(s):
    loop = ["--property=Restart=always", "--property=RestartSec=1h", "--property=ExecStartPre=/bin/false"]
    s.shell(f"systemd-run --quiet --unit=old-loop {' '.join(loop)} sleep infinity || true")
    try:
        done = s.ok("enable", "beacon")
        assert "note: these units had already failed before the change: old-loop.service" in done.err, done
        s.is_on("beacon")
    finally:
        s.shell("systemctl stop old-loop.service; systemctl reset-failed")


def unrelated_failure_does_not_count(s):
    # The first unit fails while the program watches, the second while the switch program waits for `slow`.
    s.ok("enable", "slow")
    s.ok("reset")
    for module, settle in (("beacon", "4s"), ("slow", "0")):
        bystander = f"bystander-{module}.service"
        s.shell(f"systemd-run --quiet --unit={bystander} --property=Type=simple sh -c 'sleep 2; exit 1'")
        done = s.ok("enable", module, "--settle", settle)
        assert bystander in s.failed(), done
        if "had already failed before" not in done.err:
            assert f"these units failed during the change, but not because of it: {bystander}" in done.err, done
        s.shell("systemctl reset-failed")
    s.is_on("beacon", "slow")


# All behaviours, in the order in which they run.
ALL = [one for name, one in list(globals().items()) if callable(one) and name not in {"named", "refused", "processes", "fails"}]
