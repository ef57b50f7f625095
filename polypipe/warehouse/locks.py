"""Which process has a lock on a file, without opening the file."""

import contextlib
import os
from pathlib import Path

_LOCKS = Path("/proc/locks")


def lock_holder(path: Path) -> str | None:
    """The process that has an fcntl lock on the file, as DuckDB takes one; None if no other process has, or not on Linux.

    Read from the kernel's list: opening and closing the file would release the locks that this process has on it.
    """
    try:
        found, lines = path.stat(), _LOCKS.read_text("ascii").splitlines()
    except OSError:
        return None
    for fields in map(str.split, lines):
        if len(fields) < 8 or fields[1] != "POSIX":  # waiting locks have an arrow in the second field
            continue
        pid, inode = int(fields[4]), int(fields[5].rpartition(":")[2])
        if inode == found.st_ino and pid != os.getpid() and _has_open(pid, path):
            return f"pid {pid} ({_name(pid)})"
    return None


def _has_open(pid: int, path: Path) -> bool:
    """False if the process has another file of this inode number open, on another disk."""
    try:
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # of another user
        return True
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            if descriptor.samefile(path):
                return True
    return False


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    return "another process"
