"""Which `polypipe up` (or `demo`) runs on a home, and how it is ended. The lock of the home is the truth, not a pid."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from polypipe.errors import PolypipeError
from polypipe.files import locked

LOCK = "run/up.lock"
SOCKET = "run/supervisor.sock"
"""The supervisor's Unix socket, mode 0700. Only the user that runs `polypipe up` can use it."""

BY_HAND = "run/refresh"
"""File that every `polypipe refresh` of the home has open while it works."""

MARK = "POLYPIPE_UP"
"""Variable that every process below `polypipe up` inherits: the home. Found by it even when its parents are dead."""

END_SECONDS = 8.0
"""How long `polypipe up` has to stop everything before it is killed with what it started."""

_GLANCE_SECONDS = 1.0


class Held(PolypipeError):
    """Another process holds the lock, or the holder cannot be identified. The message names the pid if it is known."""


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the lock of this home. The kernel frees it when the holder dies, so no lock is ever stale. Raises `Held`."""
    with (home / LOCK).open("a+") as lock:
        deadline = time.monotonic() + _GLANCE_SECONDS  # `running` holds it for a moment to look
        while not locked(lock.fileno()):
            if time.monotonic() > deadline:
                lock.seek(0)
                raise Held(f"polypipe is already up on {home}: pid {lock.read().strip() or 'unknown'}")
            time.sleep(0.05)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def running(home: Path) -> psutil.Process | None:
    """The process that holds the lock of this home, or None. Raises `Held` when the holder cannot be told.

    The pid in the file alone is never believed: the process of that pid must have the file open, so that a pid that was
    given again to a stranger is not taken for ours.
    """
    path = home / LOCK
    deadline = time.monotonic() + _GLANCE_SECONDS
    while True:
        try:
            with path.open() as lock:
                if locked(lock.fileno(), fcntl.LOCK_SH):
                    return None
                text = lock.read().strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Held(f"{path} cannot be read: {error.strerror}") from None
        if text.isdigit() and (process := _holder(int(text), path)):
            return process
        if time.monotonic() > deadline:  # until then: it has just been locked, and the pid is about to be written
            raise Held(f"{path} is locked, but no process here is seen to hold it (pid in it: {text or 'none'})")
        time.sleep(0.05)


@contextlib.contextmanager
def by_hand(home: Path) -> Iterator[None]:
    """Be known as a `polypipe refresh` at work on this home."""
    path = home / BY_HAND
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a"):
        yield


def works_by_hand(home: Path, pid: int) -> bool:
    """Whether the process of that pid is a `polypipe refresh` at work on this home, not a stranger with a pid used anew."""
    path = home / BY_HAND
    return path.exists() and _holder(pid, path) is not None


def leftovers(home: Path) -> list[psutil.Process]:
    """Every process below a `polypipe up` of this home, whether that one still runs or not."""
    mark = os.path.realpath(home)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                found.append(process)
    return found


def end(home: Path, process: psutil.Process | None) -> list[int]:
    """End `polypipe up` and everything below it; what does not end by itself is killed. Returns the pids killed."""
    killed = []
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
        _, alive = psutil.wait_procs([process], timeout=END_SECONDS)
        killed += _kill(alive)
    return killed + _kill(leftovers(home))


def end_leftovers(home: Path, patience: float = 2.0) -> list[int]:
    """End what a killed `polypipe up` left behind. The caller holds the lock. Returns the pids killed.

    The kernel has asked them to end when their parent died: most are gone within the `patience` (seconds).
    """
    _, alive = psutil.wait_procs(leftovers(home), timeout=patience)
    return _kill(alive) + _kill(leftovers(home))


def _kill(processes: list[psutil.Process]) -> list[int]:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=2)
    return [process.pid for process in processes]


def _holder(pid: int, path: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        held = any(Path(file.path).exists() and Path(file.path).samefile(path) for file in process.open_files())
    except psutil.AccessDenied:
        return process  # of another user: it cannot be asked, nor can it be ended from here
    except psutil.NoSuchProcess:
        return None
    return process if held else None
