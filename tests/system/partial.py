"""Tests of overrides that are applied without a new toplevel, on a machine with a real systemd. Each function is a test,
as in behaviours.py."""

import json

from overriding import COLOUR, colour, overridden

RUNTIME_UNIT = "/run/systemd/system.control/heartbeat.service"


def fragment(s, name):
    """Returns the file from which systemd has read a unit."""
    return s.machine.run("systemctl", "show", "--value", "--property=FragmentPath", name).out.strip()


def verification(s):
    """Returns the result of the verification, or None."""
    return s.state().get("verification", {}).get("result", {}).get("kind")


def compare_base(s):
    """Enables and disables a module, so that the program compares the base with its source."""
    s.ok("enable", "beacon")
    s.ok("disable", "beacon")


def partial_change_restarts_the_unit_and_is_verified(s):
    compare_base(s)
    heartbeat, reader = s.main_pid("heartbeat.service"), s.main_pid("reader.service")
    s.ok("set", COLOUR, '"red"')
    assert s.running() == s.base and colour(s) == "red"
    assert s.main_pid("heartbeat.service") != heartbeat and s.main_pid("reader.service") == reader
    assert fragment(s, "heartbeat.service") == RUNTIME_UNIT
    s.wait("the verification", lambda: verification(s) == "same", 300)
    assert s.running() == s.base
    s.ok("unset", COLOUR)
    assert colour(s) is None and s.read(RUNTIME_UNIT) is None
    assert fragment(s, "heartbeat.service") == "/etc/systemd/system/heartbeat.service"
    assert s.main_pid("reader.service") == reader
    s.at_base()


def only_the_newest_of_several_changes_is_verified(s):
    compare_base(s)
    for value in ("red", "green", "blue"):
        s.ok("set", COLOUR, json.dumps(value))
    generation = json.loads(s.ok("overrides", "--json").out)["generation"]
    s.wait("the verification", lambda: verification(s) == "same", 300)
    assert s.state()["verification"]["generation"] == generation and colour(s) == "blue"


def partial_change_with_a_failing_unit_is_rolled_back(s):
    compare_base(s)
    s.ok("set", COLOUR, '"red"')
    done = s.ends(6, "set", "systemd.services.heartbeat.serviceConfig.ExecStart", '"/bin/false"')
    assert "heartbeat.service" in done.err, done
    assert colour(s) == "red" and overridden(s) == {COLOUR: "red"}
    assert s.unit("heartbeat.service") == "active" and s.failed() == []


def switch_program_stops_an_overridden_unit(s):
    s.ok("enable", "beacon")
    s.ok("set", "systemd.services.beacon.environment.COLOUR", '"green"')
    assert fragment(s, "beacon.service").startswith("/run/systemd/system.control/")
    s.ok("reset")
    assert s.unit("beacon.service") == "inactive"
    assert s.read("/run/systemd/system.control/beacon.service") is None
    s.ok("reset", "--all")
    s.at_base()


def failed_change_of_modules_keeps_a_partial_change(s):
    compare_base(s)
    s.ok("set", COLOUR, '"red"')
    s.ends(6, "enable", "failing")
    assert s.running() == s.base and colour(s) == "red" and s.read(RUNTIME_UNIT)
    assert fragment(s, "heartbeat.service") == RUNTIME_UNIT


def switch_by_another_tool_ends_a_partial_change(s):
    s.ok("enable", "beacon")
    other = s.running()
    s.ok("reset")
    s.ok("set", COLOUR, '"red"')
    assert s.running() == s.base and colour(s) == "red"
    # The other system has the same unit as the base, so the switch program does not restart it.
    switched = s.machine.run(f"{other}/bin/switch-to-configuration", "test")
    assert switched.code == 0, switched
    s.wait("the restart of the unit", lambda: colour(s) is None)
    assert s.read(RUNTIME_UNIT) is None and s.unit("heartbeat.service") == "active"
    assert fragment(s, "heartbeat.service") == "/etc/systemd/system/heartbeat.service"
    assert s.unit("beacon.service") == "active" and s.running() == other
    s.wait("the end of the watch", lambda: s.unit("runtime-modules-watch.service") == "inactive")
    s.spoilt()


def masked_unit_is_not_changed(s):
    compare_base(s)
    s.shell("systemctl mask --runtime heartbeat.service")
    try:
        done = s.ends(5, "set", COLOUR, '"red"')
        assert "heartbeat.service is masked" in done.err, done
    finally:
        s.shell("systemctl unmask --runtime heartbeat.service; systemctl start heartbeat.service")
    assert overridden(s) == {} and s.read(RUNTIME_UNIT) is None
    s.ok("set", COLOUR, '"red"')
    s.shell("systemctl mask --runtime heartbeat.service")
    try:
        assert "heartbeat.service was masked after" in s.ok("status").out
    finally:
        s.shell("systemctl unmask --runtime heartbeat.service")


def unit_file_of_another_program_is_kept(s):
    compare_base(s)
    s.shell(f"mkdir -p /run/systemd/system.control; echo foreign > {RUNTIME_UNIT}")
    try:
        done = s.ends(5, "set", COLOUR, '"red"')
        assert RUNTIME_UNIT in done.err and s.read(RUNTIME_UNIT) == "foreign\n", done
    finally:
        s.shell(f"rm -f {RUNTIME_UNIT}; systemctl daemon-reload")
    assert overridden(s) == {}


def unconfirmed_partial_change_is_rolled_back(s):
    compare_base(s)
    s.ok("set", COLOUR, '"red"')
    s.ok("set", COLOUR, '"blue"', "--confirm", "4s")
    assert colour(s) == "blue"
    s.wait("the rollback", lambda: s.state()["pending"] is None, 30)
    assert colour(s) == "red" and s.running() == s.base and s.read(RUNTIME_UNIT)


def unconfirmed_removal_of_an_override_is_rolled_back(s):
    compare_base(s)
    s.ok("set", COLOUR, '"red"')
    s.ok("unset", COLOUR, "--confirm", "4s")
    assert colour(s) is None
    s.wait("the rollback", lambda: s.state()["pending"] is None, 30)
    assert colour(s) == "red" and overridden(s) == {COLOUR: "red"}


def unit_that_requires_a_changed_unit_keeps_running(s):
    compare_base(s)
    unit = "[Unit]\\nRequires=heartbeat.service\\nAfter=heartbeat.service\\n[Service]\\nExecStart=sleep infinity\\n"
    s.shell(f"printf '{unit}' > /run/systemd/system/dependent.service; systemctl daemon-reload; systemctl start dependent.service")
    try:
        assert s.unit("dependent.service") == "active"
        s.ok("set", COLOUR, '"red"')
        assert colour(s) == "red" and s.unit("dependent.service") == "active"
    finally:
        s.shell("systemctl stop dependent.service; rm /run/systemd/system/dependent.service; systemctl daemon-reload")


def failed_unit_starts_with_the_override_that_repairs_it(s):
    compare_base(s)
    s.ok("set", COLOUR, '"red"')
    s.shell("systemctl kill --signal=KILL heartbeat.service; sleep 1")
    assert s.unit("heartbeat.service") == "failed"
    s.ok("set", COLOUR, '"blue"')
    assert colour(s) == "blue"


def switch_to_the_base_by_another_tool_ends_a_partial_change(s):
    s.ok("enable", "beacon")
    s.ok("set", COLOUR, '"red"')
    assert s.running() != s.base and colour(s) == "red"
    switched = s.machine.run(f"{s.base}/bin/switch-to-configuration", "test")
    assert switched.code == 0, switched
    s.wait("the restart of the unit", lambda: colour(s) is None)
    assert s.read(RUNTIME_UNIT) is None and s.unit("beacon.service") == "inactive"
    # The earlier toplevel alone does not contain the override.
    other = s.state()["current"]
    switched = s.machine.run(f"{other}/bin/switch-to-configuration", "test")
    assert switched.code == 0, switched
    assert "not active" in s.ok("status").out and colour(s) is None
    s.ok("apply")
    assert colour(s) == "red"
    s.ok("reset", "--all")


def killed_partial_change_is_recovered(s):
    compare_base(s)
    s.ok("set", COLOUR, '"red"')
    for point in ("stop-units", "replace-files", "reload-systemd", "start-units"):
        for side in ("before", "after"):
            fault = {"RUNTIME_MODULE_FAULT": f"activator.{point}:{side}"}
            s.program("set", COLOUR, '"blue"', env=fault)
            assert "interrupted" in s.ok("status").out, (point, side)
            s.ok("recover")
            assert colour(s) == "red" and s.unit("heartbeat.service") == "active", (point, side)
    s.program("set", COLOUR, '"blue"', env={"RUNTIME_MODULE_FAULT": "activator.replace-files:after"})
    s.ok("recover", "--finish")
    assert colour(s) == "blue" and overridden(s) == {COLOUR: "blue"}


ALL = [
    one
    for name, one in list(globals().items())
    if callable(one) and name not in {"colour", "overridden", "fragment", "verification", "compare_base"}
]
