"""Services that fail in different ways: each change is reported as failed, and rolled back."""

import json

# For each module: its unit, the command that the error names, and a part of the cause or the log.
FAILURES = {
    "fails-preparing": ("unprepared.service", "ExecStartPre", "the folder is absent"),
    "fails-after-start": ("brief.service", "ExecStart", "the connection is lost"),
    "fails-timeout": ("unfinished.service", None, "timed out"),
    "fails-notifying": ("unready.service", None, "timed out"),
    "fails-without-program": ("absent.service", "ExecStart", "status 203"),
    "fails-configured": ("nginx.service", None, "bind() to 192.0.2.1:80 failed"),
    "fails-reloading": ("reloaded.service", "ExecReload", "cannot reload"),
}


def fails(s, module):
    """Requires that enabling a module fails, names its unit and the cause, and is rolled back."""
    unit, setting, words = FAILURES[module]
    s.ok("enable", "web")
    web, nginx = s.running(), s.main_pid("nginx.service")
    done = s.ends(6, "enable", module, "--settle", "2s", "--json")
    activation = json.loads(done.out)["activation"]
    assert activation["failedUnits"] == [unit], done
    log = activation["unitLogs"][0]
    assert setting is None or log["command"]["setting"] == setting, log
    assert words in json.dumps(log), log
    # The rollback leaves the web server of the earlier change alone.
    assert s.running() == web
    s.is_on("web")
    if module != "fails-configured":
        assert s.main_pid("nginx.service") == nginx
        assert s.unit(unit) in ("inactive", "active" if module == "fails-reloading" else "inactive")
    assert s.failed() == [], s.failed()
    assert s.answers("http://localhost/") == "hello from NixOS\n"


def failure_in_exec_start_pre_is_rolled_back(s):
    fails(s, "fails-preparing")


def failure_after_the_start_is_rolled_back(s):
    fails(s, "fails-after-start")


def start_timeout_is_rolled_back(s):
    fails(s, "fails-timeout")


def missing_notification_is_rolled_back(s):
    fails(s, "fails-notifying")


def missing_program_is_rolled_back(s):
    fails(s, "fails-without-program")


def refused_configuration_is_rolled_back(s):
    fails(s, "fails-configured")


def failed_reload_is_rolled_back(s):
    fails(s, "fails-reloading")


def failed_unit_stays_with_keep(s):
    done = s.ends(7, "enable", "fails-after-start", "note", "--on-failed-units", "keep", "--settle", "2s")
    assert "brief.service" in done.err, done
    s.is_on("fails-after-start", "note")
    assert s.read("/etc/note") == "written by a module\n"
    s.ok("reset")
    s.at_base()


ALL = [
    failure_in_exec_start_pre_is_rolled_back,
    failure_after_the_start_is_rolled_back,
    start_timeout_is_rolled_back,
    missing_notification_is_rolled_back,
    missing_program_is_rolled_back,
    refused_configuration_is_rolled_back,
    failed_reload_is_rolled_back,
    failed_unit_stays_with_keep,
]
