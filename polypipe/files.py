"""Atomic file replacement and file locks."""

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from polypipe.errors import PolypipeError

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def flush(descriptor: int) -> None:
    """Flush an open file or directory to disk.

    fsync of macOS leaves the data in the disk's cache, and only F_FULLFSYNC, which not every file system has, flushes that.
    """
    if (full := getattr(fcntl, "F_FULLFSYNC", None)) is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)


def fsync(path: Path) -> None:
    """Flush a file or directory to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flush(fd)
    finally:
        os.close(fd)


def make_reachable(directory: Path) -> None:
    """Create a directory that other users can read and enter, whatever the umask is; its new parents they can enter.

    The bot may run as another user. Directories that exist keep their mode.
    """
    new = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in new:
        path.chmod(path.stat().st_mode | (0o755 if path == directory else 0o711))


def nearest(path: Path) -> Path:
    """The path, or its nearest existing parent. Raises nothing: what may not be read does not exist."""
    return next(folder for folder in (path, *path.absolute().parents) if os.path.exists(folder))  # noqa: PTH110 -- never raises


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file atomically: readers see the old or the new bytes, complete, even after a power cut.

    Creates the directory if missing; the mode is 0644. Raises `OSError` with the old file unchanged and no temp file
    left; only a kill leaves one (see `sweep_leftovers`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, 0o644)  # mkstemp sets 0600, which a bot under another user cannot read
            flush(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    fsync(path.parent)


def sweep_leftovers(path: Path) -> None:
    """Remove temp files left by killed writers of `path`. The caller must be its only writer."""
    for leftover in path.parent.glob(f"{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, waiting for it; works between processes and between threads.

    The kernel releases the lock when the holder dies. The file is created if missing and never deleted, because a new
    file of the same name would be a second lock.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        lock_file(file.fileno(), lock)
        yield


class NoFileLocks(PolypipeError):
    """The file system has no working file locks, without which two writers could damage each other's work."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"the file system of {path} has no working file locks, and polypipe cannot write there safely",
            "set POLYPIPE_HOME to a directory on a local disk",
        )


def lock_file(descriptor: int, path: object) -> None:
    """Lock an open file or directory exclusively, waiting for it. Raises `NoFileLocks`, which names `path`."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        raise (NoFileLocks(path) if error.errno in NO_LOCKS else error) from error


def locked(descriptor: int, how: int = fcntl.LOCK_EX, path: object = "the home") -> bool:
    """Lock an open file or directory without waiting. Returns False if another process holds the lock.

    Raises `NoFileLocks`, which names `path`.
    """
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise (NoFileLocks(path) if error.errno in NO_LOCKS else error) from error
    return True
