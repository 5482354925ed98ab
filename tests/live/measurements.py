"""Measures changes of single options on a booted NixOS, in alternating pairs, and compares many overrides with the whole
system."""

import json
import statistics

ROUNDS = 6

# An option that changes one unit, an option that changes one file in /etc, and two values for each.
ONE_UNIT = ("services.nginx.appendConfig", ["worker_processes 2;", "worker_processes 3;"])
ONE_FILE = ("environment.etc.note.text", ["one\n", "two\n"])

# Options with values, for the comparison. Each draw takes one option and one of its values.
OPTIONS = [
    ("services.nginx.appendConfig", ["worker_processes 2;", "worker_rlimit_nofile 2048;"]),
    ("services.nginx.clientMaxBodySize", ["1m", "64m"]),
    ("services.nginx.serverTokens", [True, False]),
    ("services.nginx.recommendedGzipSettings", [True, False]),
    ("services.nginx.appendHttpConfig", ["keepalive_timeout 10;", "types_hash_max_size 4096;"]),
    ("services.nginx.defaultHTTPListenPort", [8080, 8081]),
    ("services.nginx.enableReload", [True, False]),
    ("services.openssh.settings.MaxAuthTries", [3, 5]),
    ("services.openssh.settings.PermitRootLogin", ["no", "prohibit-password"]),
    ("services.openssh.ports", [[22, 2200], [22, 2300]]),
    ("systemd.services.nginx.serviceConfig.MemoryMax", ["200M", "300M"]),
    ("systemd.services.nginx.environment.COLOUR", ["red", "blue"]),
    ("systemd.services.sshd.serviceConfig.TasksMax", [100, 200]),
    ("environment.etc.note.text", ["one\n", "two\n"]),
    ("networking.firewall.allowedTCPPorts", [[80, 8080], [80, 9000]]),
    ("networking.hosts", [{"127.0.0.2": ["two"]}, {"127.0.0.3": ["three"]}]),
    ("boot.kernel.sysctl.\"net.core.somaxconn\"", [1024, 2048]),
    ("time.timeZone", ["Europe/Berlin", "UTC"]),
    ("environment.variables.COLOUR", ["red", "blue"]),
    ("security.sudo.wheelNeedsPassword", [True, False]),
]


def phase(document, name):
    """Returns the duration of a phase of a change, in milliseconds."""
    return document["phases"][name]


def ratio(pairs):
    """Returns the median of the ratios, with the smallest and the largest one."""
    ratios = sorted(new / old for new, old in pairs)
    return {"median": round(statistics.median(ratios), 3), "range": [round(ratios[0], 3), round(ratios[-1], 3)]}


def evaluations(s, option, values):
    """Compares the evaluation of one unit or file with that of the whole toplevel."""
    pairs = []
    for number in range(ROUNDS):
        change = ["set", option, json.dumps(values[number % 2]), "--dry-run", "--no-cache", "--json"]
        part, whole = json.loads(s.ok(*change).out), json.loads(s.ok(*change, "--full").out)
        assert "partial" in part and "partial" not in whole, (part, whole)
        pairs.append((phase(part, "evaluate"), phase(whole, "evaluate")))
    return ratio(pairs)


def activations(s, arguments):
    """Compares an activation with the same restart by hand. `arguments` are the commands, one for each round."""
    pairs = []
    for one in arguments:
        done = json.loads(s.ok(*one, "--settle", "0", "--json").out)
        s.must("systemctl stop runtime-modules-verify.service || true")
        bare = s.must("a=$(date +%s%N); systemctl daemon-reload; systemctl restart nginx.service; echo $(( $(date +%s%N) - a ))")
        pairs.append((done["activation"]["milliseconds"], int(bare) / 1e6))
    return ratio(pairs) | {"bareMilliseconds": round(statistics.median(bare for _, bare in pairs))}


def speed(s):
    """Measures evaluation, activation and rollback of partial changes."""
    s.ok("enable", "web", "note")
    figures = {"evaluateOneUnit": evaluations(s, *ONE_UNIT), "evaluateOneFile": evaluations(s, *ONE_FILE)}
    option, values = ONE_UNIT
    sets = [["set", option, json.dumps(values[number % 2])] for number in range(ROUNDS)]
    figures["activateOneUnit"] = activations(s, sets)
    figures["rollBackOneUnit"] = activations(s, [["overrides", "rollback"]] * ROUNDS)
    s.ok("reset", "--all")
    return figures


def draws(s, random, count):
    """Applies random overrides, and compares each with the whole system. Returns how often a partial change was
    complete, how often it was finished with the whole system, and how often a whole toplevel was made at once."""
    counts = {"complete": 0, "finished": 0, "whole": 0}
    s.ok("enable", "web", "note")
    for _ in range(count):
        option, values = random.choice(OPTIONS)
        done = json.loads(s.ok("set", option, json.dumps(random.choice(values)), "--settle", "0", "--json", "--wait", "300s").out)
        if "partial" not in done:
            counts["whole"] += 1
            continue
        s.must("systemctl stop runtime-modules-verify.service || true")
        verified = json.loads(s.ok("overrides", "verify", "--wait", "300s", "--json").out)
        counts["complete" if verified["result"] == "same" else "finished"] += 1
    s.ok("reset", "--all")
    return counts
