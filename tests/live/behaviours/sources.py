"""The configuration changes: a rebuild from an edited source, the steps of nixos-rebuild by hand, and a garbage
collection."""

import time

FOLDER = "/etc/nixos"
PROFILE = "/nix/var/nix/profiles/system"


def edit(s, text):
    """Makes an edited copy of the host's flake in /etc/nixos, in which /etc/edited contains a text."""
    source = s.flake.removeprefix("path:").partition("?")[0]
    s.must(f"""
        rm -rf {FOLDER}
        cp -r --no-preserve=mode {source} {FOLDER}
        sed -i 's,^  networking.hostName,  environment.etc.edited.text = "{text}";\\n&,' {FOLDER}/machine.nix
    """)


def rebuild_moves_to_an_edited_source(s):
    s.ok("enable", "web")
    edit(s, "once")
    try:
        s.ok("rebuild", "--flake", FOLDER)
        s.is_on("web")
        assert s.read("/etc/edited") == "once"
        assert s.answers("http://localhost/") == "hello from NixOS\n"
        assert s.running() == s.toplevel_by_hand("by-hand-web", f"path:{FOLDER}")
        s.ok("reset")
        assert s.read("/etc/edited") == "once" and s.answers("http://localhost/") is None
        assert s.running() == s.toplevel_by_hand("machine", f"path:{FOLDER}")
        assert s.state()["active"] == []
    finally:
        s.spoilt()


def steps_of_nixos_rebuild_work_between_changes(s):
    s.ok("enable", "web")
    edit(s, "by hand")
    try:
        built = s.toplevel_by_hand("machine", f"path:{FOLDER}")
        s.must(f"nix-env --profile {PROFILE} --set {built}; {PROFILE}/bin/switch-to-configuration switch")
        assert s.running() == built and s.answers("http://localhost/") is None
        status = s.ok("status")
        assert "enabled but not active" in status.out and "external switch" in status.out, status
        # The modules are activated again, on the new base.
        s.ok("apply")
        s.is_on("web")
        assert s.read("/etc/edited") == "by hand"
        assert s.answers("http://localhost/") == "hello from NixOS\n"
        assert s.running() == s.toplevel_by_hand("by-hand-web", f"path:{FOLDER}")
        s.ok("disable", "web")
        assert s.running() == built and s.failed() == []
        # The reboot starts the new generation.
        s.reboot()
        assert s.running() == built and s.read("/etc/edited") == "by hand"
    finally:
        s.spoilt()


def garbage_collection_keeps_what_a_change_needs(s):
    s.ok("enable", "note")
    s.ok("enable", "web")
    on = s.running()
    try:
        s.must("nix-collect-garbage --delete-old")
        assert s.running() == on and s.answers("http://localhost/") == "hello from NixOS\n"
        s.must("nix-store --verify-path $(nix-store --query --requisites /run/current-system | head --lines=50)")
        s.ok("rollback")
        s.is_on("note")
        assert s.answers("http://localhost/") is None
        # A module that was not built yet still evaluates and builds.
        s.ok("enable", "schedule")
        s.must("echo '[1]' | jq .")
        s.ok("reset")
        s.at_base()
    finally:
        s.spoilt()


def unconfirmed_change_is_rolled_back(s):
    s.ok("enable", "web", "--confirm", "3s")
    assert s.answers("http://localhost/") == "hello from NixOS\n"
    s.wait("the rollback", lambda: s.running() == s.base and s.state()["pending"] is None, 30)
    s.at_base()
    assert s.answers("http://localhost/") is None
    s.ok("enable", "web", "--confirm", "3s")
    s.ok("confirm")
    time.sleep(4)
    s.is_on("web")
    assert s.answers("http://localhost/") == "hello from NixOS\n"


ALL = [
    unconfirmed_change_is_rolled_back,
    rebuild_moves_to_an_edited_source,
    steps_of_nixos_rebuild_work_between_changes,
    garbage_collection_keeps_what_a_change_needs,
]
