import json

document = json.loads(machine.succeed("HOME=/root runtime-module check --json --workers 1"))
rows = {"+".join(row["modules"]): row["status"] for row in document["results"]}
assert {"failing", "slow", "web"} <= rows.keys(), f"each module alone: {rows}"
assert set(rows.values()) == {"ok"}, f"also all of them together: {rows}"
assert system() == base, "nothing is turned on"
