"""The gate: admits one writer at a time, by `flock` on a lock file. The kernel releases it when the holder dies."""

import fcntl
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from polypipe.files import locked
from polypipe.warehouse.errors import WarehouseBusy, one_line


class Holder(msgspec.Struct):
    """The process that holds the gate, as it writes itself into the lock file."""

    pid: int
    command: str
    since: datetime

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command}) since {self.since:%Y-%m-%d %H:%M:%S}Z"


@contextmanager
def gate(path: Path, deadline: float) -> Iterator[bool]:
    """Hold the gate for the block. Raises `WarehouseBusy` at `deadline`, a time of `time.monotonic`.

    Yields True if the last holder died while it held the gate, so that what it wrote may be torn.
    The lock file is never deleted: a new file under the same name would be a second gate.
    """
    started = time.monotonic()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while not locked(fd, path=path):
            if time.monotonic() >= deadline:
                raise WarehouseBusy(path.name, _holder(fd), time.monotonic() - started)
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 -- jitter, not a secret  # nosec B311
        me = Holder(os.getpid(), one_line(sys.orig_argv), datetime.now(UTC))
        died = os.fstat(fd).st_size > 0
        os.ftruncate(fd, 0)
        os.pwrite(fd, msgspec.json.encode(me), 0)
        try:
            yield died
        finally:
            os.ftruncate(fd, 0)
            # Closing is not enough: a child forked in the meantime would keep the lock.
            fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def holder_of(path: Path) -> str | None:
    """Describe the process that holds the gate of this file; None if it is free."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # A shared lock, released at once. A writer that meets it retries within 50 ms.
        return None if locked(fd, fcntl.LOCK_SH, path) else _holder(fd)
    finally:
        os.close(fd)


def _holder(fd: int) -> str:
    try:
        return str(msgspec.json.decode(os.pread(fd, 4096, 0), type=Holder))
    except msgspec.DecodeError:  # being taken or released at this moment
        return "another process"
