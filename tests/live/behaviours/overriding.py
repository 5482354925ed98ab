"""Overrides that are applied without a new toplevel. Each behaviour checks their effect on the running service."""

import json

RUNTIME_UNITS = "/run/systemd/system.control"


def verification(s):
    """Returns the result of the verification, or None."""
    return s.state().get("verification", {}).get("result", {}).get("kind")


def set_without_a_new_toplevel(s, option, value, *flags):
    """Overrides an option, and checks that the toplevel stays the same."""
    running = s.running()
    s.ok("set", option, json.dumps(value), *flags)
    assert s.running() == running, s.running()


def workers(s):
    """Returns the number of the web server's worker processes."""
    return int(s.must("pgrep --count --full '^nginx: worker' || true"))


def web_server_follows_its_options(s):
    s.ok("enable", "web")
    web = s.running()
    set_without_a_new_toplevel(s, "services.nginx.appendConfig", "worker_processes 3;")
    assert workers(s) == 3 and s.answers("http://localhost/") == "hello from NixOS\n"
    assert s.read(f"{RUNTIME_UNITS}/nginx.service")
    set_without_a_new_toplevel(s, "systemd.services.nginx.serviceConfig.MemoryMax", "300M")
    assert s.must("systemctl show --value --property=MemoryMax nginx.service") == f"{300 << 20}\n"
    # This verification replaces that of the first change, which is still running.
    s.wait("the verification", lambda: verification(s) == "same", 120)
    set_without_a_new_toplevel(s, "services.nginx.defaultHTTPListenPort", 8080)
    assert s.answers("http://localhost:8080/") == "hello from NixOS\n" and s.answers("http://localhost/") is None
    s.ok("overrides", "rollback")
    assert s.answers("http://localhost/") == "hello from NixOS\n" and s.running() == web
    # Otherwise, this override would define an nginx unit without a command after the module is disabled.
    s.ok("unset", "systemd.services.nginx.serviceConfig.MemoryMax")
    # The switch program stops the unit, although a runtime file defined it.
    s.ok("disable", "web")
    assert s.unit("nginx.service") == "inactive" and s.read(f"{RUNTIME_UNITS}/nginx.service") is None
    s.refused("systemctl cat nginx.service")
    s.ok("overrides", "reset")
    s.at_base()


def database_follows_its_options(s):
    query = "su postgres -c \"psql --tuples-only --no-align --command='show {}'\""
    s.ok("enable", "database")
    set_without_a_new_toplevel(s, "services.postgresql.settings.max_connections", 42)
    assert s.must(query.format("max_connections")) == "42\n"
    s.wait("the verification", lambda: verification(s) == "same", 120)
    s.ok("unset", "services.postgresql.settings.max_connections")
    assert s.must(query.format("max_connections")) == "100\n"
    s.ok("reset")
    s.at_base()


def incomplete_override_is_finished(s):
    s.ok("enable", "web")
    web = s.running()
    # The option changes only the firewall, not the unit that is passed instead of a guess.
    s.ok("set", "networking.firewall.allowedTCPPorts", "[ 80, 8081 ]", "--units", "nginx.service")
    assert s.running() == web and "--dport 8081 " not in s.must("iptables --list-rules nixos-fw")
    s.wait("the whole system", lambda: s.running() != web, 300)
    s.wait("the end of the change", lambda: s.state().get("pending") is None, 60)
    assert "--dport 8081 " in s.must("iptables --list-rules nixos-fw")
    s.ok("reset", "--all")
    s.at_base()


def switch_by_another_tool_ends_overrides(s):
    s.ok("enable", "web")
    set_without_a_new_toplevel(s, "services.nginx.appendConfig", "worker_processes 3;")
    assert workers(s) == 3
    # This system has the same nginx as the running one, so its switch program does not restart it.
    other = s.toplevel_by_hand("by-hand-several")
    s.must(f"{other}/bin/switch-to-configuration test")
    s.wait("the restart of the web server", lambda: workers(s) == 1, 60)
    assert s.read(f"{RUNTIME_UNITS}/nginx.service") is None
    assert s.must("systemctl show --value --property=FragmentPath nginx.service") == "/etc/systemd/system/nginx.service\n"
    assert s.answers("http://localhost/") == "hello from NixOS\n"
    s.must(f"{s.base}/bin/switch-to-configuration test")
    s.ok("reset", "--all")


ALL = [
    web_server_follows_its_options,
    database_follows_its_options,
    incomplete_override_is_finished,
    switch_by_another_tool_ends_overrides,
]
