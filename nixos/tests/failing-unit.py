status, output = machine.execute("runtime-module enable failing 2>&1")
assert status == 6, f"exit code {status}: {output}"
assert "failing.service" in output, output
assert system() == base, "the previous system runs again"
machine.fail("runtime-module status failing")

# Where it is allowed to, the change stays, and the exit code says that a unit failed.
status, output = machine.execute("runtime-module enable failing --on-failed-units keep 2>&1")
assert status == 7, f"exit code {status}: {output}"
assert system() != base, "the change stays"
