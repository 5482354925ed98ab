"""Tests of option overrides on a machine with a real systemd. Each function is a test, as in behaviours.py."""

import json

import behaviours

# A variable in the environment of a service of the base.
COLOUR = "systemd.services.heartbeat.environment.COLOUR"


def colour(s):
    """Returns the variable in the environment of the running service, or None."""
    variables = s.read(f"/proc/{s.main_pid('heartbeat.service')}/environ").split("\0")
    return next((one.removeprefix("COLOUR=") for one in variables if one.startswith("COLOUR=")), None)


def overridden(s):
    """Returns the overridden options with their values."""
    listed = json.loads(s.ok("overrides", "--json").out)
    return {one["option"]: one["value"] for one in listed["overrides"]}


def set_restarts_the_changed_unit_and_unset_returns(s):
    heartbeat, reader = s.main_pid("heartbeat.service"), s.main_pid("reader.service")
    assert colour(s) is None
    s.ok("set", COLOUR, '"red"')
    assert colour(s) == "red" and overridden(s) == {COLOUR: "red"}
    assert s.main_pid("heartbeat.service") != heartbeat
    assert s.main_pid("reader.service") == reader
    s.ok("set", COLOUR, '"blue"')
    assert colour(s) == "blue" and overridden(s) == {COLOUR: "blue"}
    s.ok("unset", COLOUR)
    assert colour(s) is None and overridden(s) == {}
    assert s.main_pid("reader.service") == reader
    s.at_base()


def dry_run_of_an_override_changes_nothing(s):
    heartbeat = s.main_pid("heartbeat.service")
    s.ok("set", COLOUR, '"red"', "--dry-run")
    assert s.main_pid("heartbeat.service") == heartbeat and overridden(s) == {}
    s.at_base()


def overrides_rollback_returns_to_a_generation(s):
    before = json.loads(s.ok("overrides", "--json").out)["generation"]
    s.ok("set", COLOUR, '"red"')
    s.ok("set", COLOUR, '"blue"')
    s.ok("overrides", "rollback")
    assert colour(s) == "red" and overridden(s) == {COLOUR: "red"}
    s.ok("overrides", "rollback", str(before + 2))
    assert colour(s) == "blue" and overridden(s) == {COLOUR: "blue"}
    s.ok("overrides", "reset")
    assert colour(s) is None and overridden(s) == {}
    s.at_base()


def override_with_a_failing_unit_is_rolled_back(s):
    s.ok("set", COLOUR, '"red"')
    running = s.running()
    failing = {"wantedBy": ["multi-user.target"], "serviceConfig": {"Type": "oneshot"}, "script": "exit 3"}
    done = s.ends(6, "set", "systemd.services.overridden", json.dumps(failing))
    assert "overridden.service" in done.err, done
    assert s.running() == running and colour(s) == "red" and overridden(s) == {COLOUR: "red"}
    assert s.unit("overridden.service") == "inactive" and s.failed() == []


def persistent_override_is_restored_after_a_reboot(s):
    s.ok("set", COLOUR, '"red"', "--persist")
    s.ok("set", "systemd.services.heartbeat.environment.SHAPE", '"round"')
    s.reboot()
    assert s.unit("heartbeat.service") == "active" and colour(s) is None
    # The unit of the boot service is not in the container, because the package that it runs cannot be built there.
    s.ok("__boot")
    assert colour(s) == "red" and overridden(s) == {COLOUR: "red"}
    # A temporary override, which hides the persistent one, ends with the boot.
    s.ok("set", COLOUR, '"blue"')
    assert colour(s) == "blue"
    s.reboot()
    s.ok("__boot")
    assert colour(s) == "red" and overridden(s) == {COLOUR: "red"}
    s.ok("overrides", "reset")
    s.at_base()
    s.reboot()
    s.ok("__boot")
    assert colour(s) is None and overridden(s) == {} and s.running() == s.base


def overrides_and_modules_change_independently(s):
    s.ok("set", COLOUR, '"red"')
    s.ok("enable", "beacon")
    heartbeat = s.main_pid("heartbeat.service")
    assert s.unit("beacon.service") == "active" and colour(s) == "red"
    s.ok("disable", "beacon")
    assert s.unit("beacon.service") == "inactive" and colour(s) == "red"
    # This option belongs to a unit that only the module has.
    s.ok("enable", "beacon")
    s.ok("set", "systemd.services.beacon.environment.COLOUR", '"green"')
    s.ok("reset")
    assert s.unit("beacon.service") == "inactive" and colour(s) == "red"
    assert s.main_pid("heartbeat.service") == heartbeat
    s.ok("reset", "--all")
    assert colour(s) is None and overridden(s) == {}
    s.at_base()


def unconfirmed_override_is_rolled_back(s):
    s.ok("set", COLOUR, '"red"')
    s.ok("set", COLOUR, '"blue"', "--confirm", "4s")
    assert colour(s) == "blue"
    s.wait("the rollback", lambda: s.state()["pending"] is None, 30)
    assert colour(s) == "red" and overridden(s) == {COLOUR: "red"}


def set_continues_when_the_client_dies(s):
    client = s.start("set", COLOUR, '"red"', "systemd.services.slow", json.dumps({
        "wantedBy": ["multi-user.target"],
        "serviceConfig": {"Type": "oneshot", "RemainAfterExit": True},
        "script": "sleep 4",
    }))
    s.wait("the unit starts", lambda: s.unit("slow.service") == "activating")
    behaviours.kill_client(s, client)
    s.wait("the end of the change", lambda: s.state()["pending"] is None, 30)
    assert colour(s) == "red" and s.unit("slow.service") == "active"
    assert sorted(overridden(s)) == sorted([COLOUR, "systemd.services.slow"])


def an_ordinary_user_sets_an_option_through_sudo(s):
    behaviours.alices_store(s)
    try:
        done = s.as_alice("set", COLOUR, '"red"', "--message", "evening", "--elevate", "sudo")
        assert done.code == 0, done
        assert colour(s) == "red"
        generations = json.loads(s.ok("overrides", "history", "--json").out)["generations"]
        assert (generations[-1]["user"], generations[-1]["message"]) == ("alice", "evening"), generations
        assert s.shell("find /run/runtime-modules /var/lib/runtime-modules ! -user root").out == "", "a file does not belong to root"
    finally:
        s.spoilt()


ALL = [one for name, one in list(globals().items()) if callable(one) and name not in {"colour", "overridden"}]
