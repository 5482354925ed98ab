"""Reboots: after a power failure, the system without modules boots, and the boot service enables the requested modules
again."""


def modules_are_restored_after_a_reboot(s):
    s.ok("enable", "web", "people")
    on = s.running()
    s.reboot()
    s.wait("the modules are restored", lambda: s.state().get("active") == ["web", "people"], 120)
    s.wait("the boot service has ended", lambda: s.machine.run("pgrep", "runtime-module").code != 0)
    assert s.running() == on and s.machine.run("readlink", "/run/booted-system").out.strip() == s.base
    assert s.answers("http://localhost/") == "hello from NixOS\n"
    s.must("id bob")
    assert s.failed() == [], s.failed()
    s.ok("reset")
    s.at_base()
    s.reboot()
    s.wait("the boot has finished", lambda: s.unit("multi-user.target") == "active")
    s.wait("the boot service has ended", lambda: s.machine.run("pgrep", "runtime-module").code != 0)
    assert s.running() == s.base and s.answers("http://localhost/") is None


def unconfirmed_change_is_not_restored(s):
    s.ok("enable", "note", "--confirm", "5min")
    assert s.read("/etc/note") == "written by a module\n"
    s.reboot()
    s.wait("the boot service has ended", lambda: s.machine.run("pgrep", "runtime-module").code != 0)
    assert s.running() == s.base and s.read("/etc/note") is None


ALL = [modules_are_restored_after_a_reboot, unconfirmed_change_is_not_restored]
