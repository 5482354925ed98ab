"""Services, users, packages and firewall rules appear and disappear with their modules. Each behaviour asks the service
itself."""


def web_server_answers_until_it_is_disabled(s):
    assert s.answers("http://localhost/") is None
    s.ok("enable", "web")
    s.is_on("web")
    assert s.answers("http://localhost/") == "hello from NixOS\n"
    assert "--dport 80 -j nixos-fw-accept" in s.must("iptables --list-rules nixos-fw")
    s.ok("disable", "web")
    s.at_base()
    assert s.answers("http://localhost/") is None
    assert "--dport 80 " not in s.must("iptables --list-rules nixos-fw")
    assert "nginx" not in s.must("cat /etc/passwd")


def database_keeps_its_data(s):
    query = "su postgres -c \"psql --tuples-only --no-align inventory --command='{}'\""
    s.ok("enable", "database")
    s.must(query.format("create table parts (name text); insert into parts values (1);"))
    s.ok("disable", "database")
    s.at_base()
    s.refused("pgrep postgres")
    s.ok("enable", "database")
    assert s.must(query.format("select name from parts")) == "1\n"


def second_ssh_port_accepts_logins(s):
    s.must("""
        [ -e /root/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
        install -d -o alice -m 700 /home/alice/.ssh
        install -o alice -m 600 /root/.ssh/id_ed25519.pub /home/alice/.ssh/authorized_keys
    """)
    login = "ssh -o StrictHostKeyChecking=no -o ConnectTimeout=5 -p {} alice@localhost id --user --name"
    assert s.must(login.format(22)) == "alice\n"
    s.refused(login.format(2222))
    before = s.main_pid("sshd.service")
    s.ok("enable", "ssh-port")
    assert s.must(login.format(2222)) == "alice\n" and s.must(login.format(22)) == "alice\n"
    assert s.main_pid("sshd.service") != before
    assert "--dport 2222 " in s.must("iptables --list-rules nixos-fw")
    s.ok("disable", "ssh-port")
    s.refused(login.format(2222))
    assert s.must(login.format(22)) == "alice\n"


def timers_tmpfiles_and_packages_arrive(s):
    s.refused("which jq")
    s.ok("enable", "schedule")
    assert s.must("echo '[1]' | jq --compact-output .") == "[1]\n"
    assert s.must("stat --format='%a %U %G' /run/from-tmpfiles; cat /run/from-tmpfiles") == "640 root wheel\ncontent"
    s.wait("the timer starts its service", lambda: s.read("/run/tick"), 10)
    s.ok("disable", "schedule")
    s.refused("which jq")
    assert s.unit("tick.timer") == "inactive"


def users_groups_and_sudo_rules_apply(s):
    s.refused("id bob")
    s.ok("enable", "people")
    assert s.must("su --login bob --command 'sudo --non-interactive /run/current-system/sw/bin/id --user'") == "0\n"
    s.refused("su --login bob --command 'sudo --non-interactive /run/current-system/sw/bin/ls'")
    assert "bob" in s.must("getent group team")
    s.must("touch /home/bob/letter")
    uid = s.must("id --user bob")
    s.ok("disable", "people")
    s.refused("id bob")
    s.refused("getent group team")
    # NixOS keeps the user ID and the home of a removed user.
    s.ok("enable", "people")
    assert s.must("id --user bob") == uid
    s.must("test -e /home/bob/letter")


def several_modules_equal_the_same_written_by_hand(s):
    s.ok("enable", "web", "schedule")
    s.ok("enable", "people", "database")
    s.is_on("web", "schedule", "people", "database")
    running = s.running()
    assert running == s.toplevel_by_hand("by-hand-several"), running
    s.ok("disable", "database", "people", "schedule")
    assert s.running() == s.toplevel_by_hand("by-hand-web")
    assert s.answers("http://localhost/") == "hello from NixOS\n"


def rollback_and_reset_need_no_evaluation(s):
    s.ok("enable", "web")
    one = s.running()
    s.ok("enable", "ssh-port")
    # Without the source of the host, nothing can be evaluated.
    source = s.flake.removeprefix("path:").partition("?")[0]
    s.must(f"mkdir -p /run/hidden; mount --bind /run/hidden {source}")
    s.ok("rollback")
    assert s.running() == one and s.answers("http://localhost/") == "hello from NixOS\n"
    s.is_on("web")
    listed = s.ok("history").out
    assert "enable ssh-port" in listed and "rollback" in listed, listed
    s.ok("reset")
    s.must(f"umount {source}")
    s.at_base()
    assert s.answers("http://localhost/") is None


def specialisation_keeps_its_modules(s):
    s.ok("enable", "web", "--specialisation", "night")
    assert s.read("/etc/specialisation") == "night\n"
    assert s.answers("http://localhost/") == "hello from NixOS\n"
    s.ok("disable", "web")
    assert s.read("/etc/specialisation") == "night\n"
    assert s.answers("http://localhost/") is None
    s.ok("apply", "--specialisation", "")
    assert s.read("/etc/specialisation") is None
    s.at_base()


ALL = [
    web_server_answers_until_it_is_disabled,
    database_keeps_its_data,
    second_ssh_port_accepts_logins,
    timers_tmpfiles_and_packages_arrive,
    users_groups_and_sudo_rules_apply,
    several_modules_equal_the_same_written_by_hand,
    rollback_and_reset_need_no_evaluation,
    specialisation_keeps_its_modules,
]
