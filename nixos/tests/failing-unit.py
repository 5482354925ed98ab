status, output = machine.execute("runtime-module enable failing 2>&1")
assert status == 6, f"exit code {status}: {output}"
assert "failing.service" in output, output
assert system() == base, "the change was not rolled back"
machine.fail("runtime-module status failing")

# With --on-failed-units keep, the change stays, and the exit code reports the failed unit.
status, output = machine.execute("runtime-module enable failing --on-failed-units keep 2>&1")
assert status == 7, f"exit code {status}: {output}"
assert system() != base, "the change was rolled back"
