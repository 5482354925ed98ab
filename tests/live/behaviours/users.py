"""Ordinary users change the system: the Nix daemon builds for them in a sandbox, and sudo activates."""


def user_enables_through_the_daemon_and_sudo(s):
    done = s.as_user("alice", "runtime-module enable web view")
    assert done.code == 0, done
    s.is_on("web", "view")
    assert s.answers("http://localhost/") == "hello from NixOS\n"
    view = s.read("/etc/view").split()
    assert "/build" in view and "/home" not in view and "/root" not in view, f"the build was not in a sandbox: {view}"
    assert s.must("find /run/runtime-modules /var/lib/runtime-modules ! -user root") == ""
    assert s.must("find /home/alice ! -user alice") == ""
    done = s.as_user("alice", "runtime-module disable web view")
    assert done.code == 0, done
    s.at_base()
    assert s.answers("http://localhost/") is None


def user_sees_which_service_failed(s):
    done = s.as_user("alice", "runtime-module enable fails-without-program --settle 2s")
    assert done.code == 6 and "absent.service" in done.err, done
    s.at_base()


def user_without_sudo_is_refused(s):
    done = s.as_user("carol", "runtime-module enable note")
    assert done.code == 5 and "error: cannot get root privileges: sudo failed" in done.err, done
    s.at_base()
    done = s.as_user("carol", "runtime-module status note")
    assert done.code == 10, done


ALL = [user_enables_through_the_daemon_and_sudo, user_sees_which_service_failed, user_without_sudo_is_refused]
