"""All processes of the program are killed during a change. The change is reported, and can be rolled back or finished."""


def crash_while_switching_is_rolled_back(s):
    crash(s, "switching", "slow", when=lambda: s.unit("slow.service") == "activating")
    s.ok("recover")
    s.at_base()
    s.wait("the unit is gone", lambda: s.unit("slow.service") == "inactive")


def crash_while_switching_is_finished(s):
    crash(s, "switching", "slow", "web", when=lambda: s.unit("slow.service") == "activating")
    s.ok("recover", "--finish")
    s.is_on("slow", "web")
    assert s.answers("http://localhost/") == "hello from NixOS\n"


def crash_while_verifying_is_finished(s):
    crash(s, "verifying", "web", "--settle", "10s")
    s.ok("recover", "--finish")
    s.is_on("web")
    assert s.answers("http://localhost/") == "hello from NixOS\n"


def crash_while_rolling_back_is_recovered(s):
    crash(s, "returning", "slow", "fails-without-program")
    s.ok("recover")
    s.at_base()
    s.wait("the unit is gone", lambda: s.unit("slow.service") == "inactive")


def crash_at_each_step_is_recovered(s):
    """Kills the activator or the relay before or after each of its steps, with a build that injects faults."""
    if not s.faulty:
        return "no build of the program that can inject faults: run `cargo build`"
    points = [line.split()[0] for line in s.must(f"{s.faulty} __faults").splitlines()]
    steps = [point for point in points if point.startswith(("activator.", "relay."))]
    assert len(steps) > 15, steps
    met = 0
    for number, step in enumerate(steps):
        side = ("before", "after")[number % 2]
        fault = {"RUNTIME_MODULE_FAULT": f"{step}:{side}"}
        done = s.machine.run(s.faulty, "enable", "note", "--settle", "0", "--progress", "off", env=fault)
        if s.state().get("pending"):
            met += 1
            refused = s.ends(5, "enable", "ssh-port")
            assert "recover" in refused.err, refused
            s.ok("recover")
        met += done.code != 0
        state = s.state()
        assert state.get("pending") is None, f"{step}:{side}: {state}\n{done}"
        assert s.running() == (state.get("current") or s.base), f"{step}:{side}: {state}\n{done}"
        assert (s.read("/etc/note") is not None) == (state.get("active") == ["note"]), f"{step}:{side}: {state}\n{done}"
        s.ok("reset", "--all", "--settle", "0")
        assert s.running() == s.base
    assert met > 10, f"the faults had no effect: {met} of {len(steps)}"


def crash(s, step, *modules, when=lambda: True):
    """Kills all processes of the program when a change has reached this step, and requires that `status` reports the change."""
    client = s.start("enable", *modules)
    s.wait(f"the step {step}", lambda: ((s.state().get("pending") or {}).get("step") == step and when()), 120)
    s.machine.kill_ours()
    client.communicate(timeout=20)
    s.wait("all our processes are dead", lambda: not s.machine.ours(), 10)
    s.wait("the switch program is gone", lambda: s.shell("flock -n /run/nixos/switch-to-configuration.lock true").code == 0)
    assert (s.state().get("pending") or {}).get("step") == step, s.state()
    status = s.program("status")
    assert "recover" in status.out + status.err, status


ALL = [
    crash_while_switching_is_rolled_back,
    crash_while_switching_is_finished,
    crash_while_verifying_is_finished,
    crash_while_rolling_back_is_recovered,
    crash_at_each_step_is_recovered,
]
