"""NixOS's own pre-switch checks and switch inhibitors refuse systems. The modules of nixpkgs implement both."""


def pre_switch_check_refuses_unless_allowed(s):
    if not s.has_checks:
        return "this release of NixOS has no pre-switch checks"
    done = s.ends(5, "enable", "refused", "web")
    assert "the licence has expired" in done.err, done
    s.at_base()
    assert s.answers("http://localhost/") is None
    refused_by_nixos(s, "refused", "the licence has expired")
    s.ends(5, "enable", "refused", "web", "--force")
    s.at_base()
    s.ok("enable", "refused", "web", "--allow", "pre-switch-checks")
    s.is_on("refused", "web")
    assert s.answers("http://localhost/") == "hello from NixOS\n"
    s.ok("disable", "refused")
    s.is_on("web")


def switch_inhibitor_refuses_unless_allowed(s):
    if not s.has_inhibitors():
        return "this release of NixOS has no switch inhibitors"
    done = s.ends(5, "enable", "inhibited", "web")
    assert "interface" in done.err and "--allow inhibitors" in done.err, done
    s.at_base()
    assert s.answers("http://localhost/") is None
    refused_by_nixos(s, "inhibited", "interface : 1 -> 2")
    s.ends(5, "enable", "inhibited", "web", "--force")
    s.at_base()
    s.ok("enable", "inhibited", "web", "--allow", "inhibitors")
    s.is_on("inhibited", "web")
    assert s.answers("http://localhost/") == "hello from NixOS\n"
    # The reset changes the value again.
    s.ends(5, "reset")
    s.ok("reset", "--allow", "inhibitors")
    s.at_base()


def other_message_bus_needs_a_reboot(s):
    """nixpkgs itself declares this inhibitor."""
    if not s.has_inhibitors():
        return "this release of NixOS has no switch inhibitors"
    done = s.ends(5, "enable", "other-bus")
    assert "dbus-implementation: 'broker' would become 'dbus'" in done.err, done
    s.at_base()
    assert s.unit("dbus-broker.service") == "active"


def refused_by_nixos(s, name, words):
    """Requires that NixOS's switch program refuses the same system, written by hand, for the same reason."""
    built = s.toplevel_by_hand(f"by-hand-{name}")
    done = s.machine.run(f"{built}/bin/switch-to-configuration", "switch")
    assert done.code != 0 and words in done.out + done.err, done
    assert s.running() == s.base


ALL = [
    pre_switch_check_refuses_unless_allowed,
    switch_inhibitor_refuses_unless_allowed,
    other_message_bus_needs_a_reboot,
]
