"""Support for the tests of every room: the installed command, waiting for a condition, a disk that can be full."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

POLYPIPE = str(Path(sys.executable).parent / "polypipe")
"""The command as it is installed in this environment."""


def wait_until(condition: Callable[[], T], seconds: float = 20.0, explain: Callable[[], str] | None = None) -> T:
    """Return the first true value of the condition. Fails after `seconds`, with what `explain` returns."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, explain() if explain else f"the condition is still false after {seconds:g} s"
        time.sleep(0.02)
    return value


class SmallDisk:
    """A tmpfs on a directory, to be filled up or remounted read-only. Skips the test without root."""

    def __init__(self, directory: Path, megabytes: int) -> None:
        self.directory = directory
        self.ballast = directory / "ballast"
        directory.mkdir(parents=True, exist_ok=True)
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m"]
        mounted = subprocess.run(["mount", *options, "tmpfs", str(directory)], capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip() or 'no reason given'}")

    def fill(self, leave: int) -> None:
        """Take all space but `leave` bytes (in steps of a page)."""
        self.empty()
        with self.ballast.open("wb") as file:
            while True:
                free = os.statvfs(self.directory)
                try:
                    os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - leave))
                    return
                except OSError as error:
                    if error.errno != errno.ENOSPC:  # another writer took some of it meanwhile: measure again
                        raise

    def empty(self) -> None:
        """Give the space back."""
        self.ballast.unlink(missing_ok=True)

    def read_only(self, on: bool = True) -> None:
        """Refuse every write, or allow them again."""
        subprocess.run(["mount", "-o", f"remount,{'ro' if on else 'rw'}", str(self.directory)], check=True)

    def __enter__(self) -> "SmallDisk":
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self.directory)], check=True)
