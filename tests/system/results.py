"""Skipped tests and evidence of the checks that boot a container: `tests/system/check` and `tests/live/check`."""

import json
import os
import platform
import subprocess
import sys

from machine import TOP


def skip(what, why):
    """Prints a skipped test, and adds it to the file from which scripts count skipped tests."""
    line = f"SKIPPED {what}: {why}\n"
    sys.stderr.write(line)
    if path := os.environ.get("RUNTIME_MODULE_SKIPPED"):
        with open(path, "a") as file:
            file.write(line)


def says(*command):
    """Returns the stdout of a program."""
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout.strip()


def write_evidence(name, document, program):
    """Writes docs/evidence/NAME.json in the format that tests/support/evidence.rs uses for other long runs. `document`
    contains what differs between the checks: `case`, `commit`, `found` and `seconds`."""
    document |= {
        "machine": {"kernel": platform.release(), "processors": os.cpu_count()},
        "program": says(program, "--version"),
        "schema": 1,
    }
    (TOP / f"docs/evidence/{name}.json").write_text(json.dumps(dict(sorted(document.items())), indent=2) + "\n")
