"""Tests of nixos/mounts/format-device.sh on loop devices. They need root."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "nixos/mounts/format-device.sh"
PROGRAMS = ["losetup", "blkid", "lsblk", "mkfs.ext4", "mkfs.ext2", "mkswap", "mount", "umount"]


def cannot_format():
    """Returns the reason why this machine has no loop devices, or None."""
    if os.geteuid() != 0:
        return "only root can use loop devices"
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} not found"
    try:
        with loop_device():
            return None
    except subprocess.CalledProcessError as error:
        return f"losetup failed: {error.stderr.strip()}"


@contextmanager
def loop_device():
    """Provides an empty loop device of 8 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image")
        image.touch()
        os.truncate(image, 8 << 20)
        command = ["losetup", "--find", "--show", "--partscan", str(image)]
        device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        try:
            yield device
        finally:
            subprocess.run(["losetup", "--detach", device], check=True)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options)


def format_device(*arguments):
    """Runs the function of the script as the unit does."""
    command = ["bash", "-e", "-c", f'source {SCRIPT}\nformat_device "$@"', "format", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def content(device):
    with open(device, "rb") as file:
        return file.read()


def type_of(device):
    return run("blkid", "--probe", "--output", "value", "--match-tag", "TYPE", device).stdout.strip()


def refuses(prepare, words):
    """Returns a test: after `prepare`, the device must be refused, and must not be changed."""

    def test():
        with loop_device() as device:
            prepare(device)
            before = content(device)
            status, said = format_device(device, "ext4", "-q")
            if status == 0 or words not in said or not said.startswith(f"cannot format {device}: "):
                return f"exit status {status}: {said}"
            return None if content(device) == before else "the device was changed"

    return test


def formats_an_empty_device():
    with loop_device() as device:
        status, said = format_device(device, "ext4", "-q", "-L", "a label")
        if status != 0 or type_of(device) != "ext4":
            return f"exit status {status}: {said}"
        label = run("blkid", "--probe", "--output", "value", "--match-tag", "LABEL", device).stdout.strip()
        return None if label == "a label" else f"the label is {label!r}"


def keeps_a_file_system():
    with loop_device() as device:
        format_device(device, "ext4", "-q")
        before = content(device)
        status, said = format_device(device, "ext4", "-q")
        if status != 0 or "already has a file system of the type ext4" not in said:
            return f"exit status {status}: {said}"
        return None if content(device) == before else "the device was changed"


def refuses_a_mounted_device():
    with loop_device() as device, tempfile.TemporaryDirectory() as folder:
        run("mkfs.ext4", "-q", device)
        run("mount", device, folder)
        try:
            status, said = format_device(device, "ext4", "-q")
        finally:
            run("umount", folder)
        return None if status != 0 and "mounted" in said else f"exit status {status}: {said}"


def refuses_a_file():
    with tempfile.NamedTemporaryFile() as file:
        status, said = format_device(file.name, "ext4")
        return None if status != 0 and "not a block device" in said else f"exit status {status}: {said}"


def partition(device):
    """Writes an MBR with one Linux partition at sector 2048."""
    entry = bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + (8192).to_bytes(4, "little")
    with open(device, "r+b") as file:
        file.seek(446)
        file.write(entry + bytes(48) + b"\x55\xaa")


def format_tests():
    """Returns the tests with their names."""
    return [
        ("format: an empty device", formats_an_empty_device),
        ("format: a file system of the same type is kept", keeps_a_file_system),
        ("format: a partition table is refused", refuses(partition, "has a partition table")),
        ("format: another file system is refused", refuses(lambda d: run("mkfs.ext2", "-q", d), "contains other data")),
        ("format: swap space is refused", refuses(lambda d: run("mkswap", d), "contains other data")),
        ("format: a mounted device is refused", refuses_a_mounted_device),
        ("format: a file is refused", refuses_a_file),
    ]
