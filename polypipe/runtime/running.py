"""Finds and ends the `polypipe up` (or `demo`) of a home. The lock, not the recorded pid, is authoritative."""

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
"""File that every `polypipe refresh` of the home keeps open while it works."""

MARK = "POLYPIPE_UP"
"""Variable with the home, which every process below `polypipe up` inherits: finds them even if their parents are dead."""

END_SECONDS = 8.0
"""Grace period in which `polypipe up` stops everything; then it and its processes are killed."""

_GLANCE_SECONDS = 1.0


class Held(PolypipeError):
    """Another process holds the lock, or the holder cannot be identified. The message names the pid if it is known."""


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the lock of this home. Raises `Held`. The kernel frees the lock of a dead holder, so no lock is ever stale."""
    with (home / LOCK).open("a+") as lock:
        deadline = time.monotonic() + _GLANCE_SECONDS  # `running` takes it briefly to look
        while not locked(lock.fileno(), path=lock.name):
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
    """The process that holds the lock of this home, or None. Raises `Held` if the holder cannot be identified.

    The process with the recorded pid must have the lock file open, because pids are reused.
    """
    path = home / LOCK
    deadline = time.monotonic() + _GLANCE_SECONDS
    while True:
        try:
            with path.open() as lock:
                if locked(lock.fileno(), fcntl.LOCK_SH, lock.name):
                    return None
                text = lock.read().strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Held(f"{path} cannot be read: {error.strerror}") from None
        if text.isdigit() and (process := _holder(int(text), path)):
            return process
        if time.monotonic() > deadline:  # until then the holder may not have written its pid yet
            raise Held(f"{path} is locked, but no visible process holds it (recorded pid: {text or 'none'})")
        time.sleep(0.05)


@contextlib.contextmanager
def by_hand(home: Path) -> Iterator[None]:
    """Mark this process as a running `polypipe refresh` of this home."""
    path = home / BY_HAND
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a"):
        yield


def works_by_hand(home: Path, pid: int) -> bool:
    """True if the pid is a `polypipe refresh` on this home (pids are reused)."""
    path = home / BY_HAND
    return path.exists() and _holder(pid, path) is not None


def leftovers(home: Path) -> list[psutil.Process]:
    """Every process below a `polypipe up` of this home, even if that one is dead."""
    mark = os.path.realpath(home)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                found.append(process)
    return found


def end(home: Path, process: psutil.Process | None) -> list[int]:
    """End `polypipe up` and everything below it, by SIGKILL after the grace period. Returns the pids killed."""
    killed = []
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
        _, alive = psutil.wait_procs([process], timeout=END_SECONDS)
        killed += _kill(alive)
    return killed + _kill(leftovers(home))


def end_leftovers(home: Path, patience: float = 2.0) -> list[int]:
    """End the processes that a killed `polypipe up` left behind. The caller holds the lock. Returns the pids killed.

    The kernel sent them SIGTERM when their parent died; most are gone within `patience` seconds.
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
        return process  # of another user: its files cannot be listed, and it cannot be ended from here
    except psutil.NoSuchProcess:
        return None
    return process if held else None
