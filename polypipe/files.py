"""Replacing files in one step and taking turns: what durability rests on, for every subject."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def fsync(path: Path) -> None:
    """Force a file's or a directory's content to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader sees the old bytes or the new ones, complete, also across a power cut.

    The directory is created if missing, the mode is 0644. Raises `OSError` with the old file untouched and no temp file
    left behind; only a kill can leave one (see `sweep_leftovers`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, 0o644)  # mkstemp makes 0600, which a bot of another user could not read
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    fsync(path.parent)


def sweep_leftovers(path: Path) -> None:
    """Remove the temp files that killed writers of `path` left. The caller must be its only writer now."""
    for leftover in path.parent.glob(f"{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait for the turn of this process (or thread) at a lock file; the kernel frees the lock of a holder that died.

    The file is made if missing and never deleted: a new file under the same name would be a second lock.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def locked(descriptor: int, how: int = fcntl.LOCK_EX) -> bool:
    """Take the lock of an open file or directory without waiting; False when somebody else has it."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
