import json

document = json.loads(machine.succeed("HOME=/root runtime-module check --json --workers 1"))
rows = {"+".join(row["modules"]): row["status"] for row in document["results"]}
assert {"failing", "slow", "web"} <= rows.keys(), f"a module is not checked alone: {rows}"
assert set(rows.values()) == {"ok"}, f"a check fails: {rows}"
assert system() == base, "check changed the system"
