"""Tests of nixos/guests/prepare-run.sh, which creates the folder of a run."""

import os
import subprocess
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "nixos/guests/prepare-run.sh"


def prepare(run, base, folder):
    """Runs the script as the unit does, with `%i` replaced."""
    arguments = [run, str(base), str(folder).replace("%i", run), str(os.getuid())]
    command = ["bash", "-euo", "pipefail", str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def creates_the_folder():
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch, "runs")
        for _ in range(2):
            status, said = prepare("2026-11-28.1_a", base, base / "%i/sysstat")
            if status != 0 or not (base / "2026-11-28.1_a/sysstat").is_dir():
                return f"exit status {status}: {said}"
    return None


def refuses(run):
    def test():
        with tempfile.TemporaryDirectory() as scratch:
            base = Path(scratch, "runs")
            status, said = prepare(run, base, base / "%i")
            if status == 0 or "the id is not valid" not in said:
                return f"exit status {status}: {said}"
            return None if os.listdir(scratch) == [] else "a folder was created"

    return test


def refuses_a_link():
    with tempfile.TemporaryDirectory() as scratch:
        base, elsewhere = Path(scratch, "runs"), Path(scratch, "elsewhere")
        base.mkdir()
        elsewhere.mkdir()
        (base / "one").symlink_to(elsewhere)
        status, said = prepare("one", base, base / "%i/sysstat")
        if status == 0 or "is a symbolic link" not in said:
            return f"exit status {status}: {said}"
        return None if os.listdir(elsewhere) == [] else "the link was followed"


def refuses_a_file():
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "one").touch()
        status, said = prepare("one", scratch, Path(scratch, "%i"))
        return None if status != 0 and "is not a folder" in said else f"exit status {status}: {said}"


def run_tests():
    """Returns the tests with their names."""
    names = ["..", ".", "", "-rf", "a b", "a;b", "x" * 65]
    return [
        ("run: the folder is created", creates_the_folder),
        *((f"run: the id {name[:9]!r} is refused", refuses(name)) for name in names),
        ("run: a link is refused", refuses_a_link),
        ("run: a file is refused", refuses_a_file),
    ]
