"""Removes files that are no longer used: rotated logs, temp files of killed processes, old rejected batches."""

import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil

from polypipe.maintenance.staging import BACKUP_PREFIX, RESTORE_PREFIX
from polypipe.warehouse import Warehouse

KEEP_LOGS = timedelta(days=30)
"""Since the last write. The supervisor rotates logs by size, so old ones stay until then."""

KEEP_TEMPORARY = timedelta(days=1)
KEEP_REJECTED = timedelta(days=90)
REJECTED_BYTES = 200_000_000
"""Rejected batches are kept for inspection, the newest ones up to this total size."""


@dataclass
class Swept:
    """Numbers of files removed, and the rejected batches that remain, whose rows are in no table."""

    logs: int = 0
    temporary: int = 0
    rejected: int = 0
    rejected_left: int = 0
    rejected_bytes_left: int = 0
    bytes: int = 0


def sweep(home: Path, now: float | None = None) -> Swept:
    """Remove old files from the home and from the system's temp directory. `now` is in epoch seconds."""
    now = time.time() if now is None else now
    done = Swept()
    logs = [path for path in _entries(home / "logs") if _is_old(path, KEEP_LOGS, now)]
    temporary = [path for path in _temporary(home) if _is_old(path, KEEP_TEMPORARY, now)]
    kept, rejected = _rejected(Warehouse(home).layout.rejected, now)
    done.bytes = sum(_size(path) for path in (*logs, *temporary, *rejected))
    done.logs, done.temporary, done.rejected = len(logs), len(temporary), len(rejected)
    done.rejected_left, done.rejected_bytes_left = len(kept), sum(_size(path) for path in kept)
    for path in (*logs, *temporary, *rejected):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return done


def _temporary(home: Path) -> Iterator[Path]:
    """Files that killed processes left: of replaced files, backups, restores, and readers that spilled to disk."""
    for directory in (home, *(home / name for name in ("run", "alerts", "dagster"))):
        yield from (path for path in _entries(directory) if path.name.endswith(".tmp") and path.is_file())
    for directory, prefix in ((home, RESTORE_PREFIX), (home / "backups", BACKUP_PREFIX)):
        yield from (path for path in _entries(directory) if path.name.startswith(prefix))
    for path in _entries(Path(tempfile.gettempdir())):
        owner = re.match(r"polypipe-duckdb-(\d+)-", path.name)
        # A dashboard runs for months and still reads what it spilled there.
        if owner and path.is_dir() and not psutil.pid_exists(int(owner[1])):
            yield path


def _rejected(directory: Path, now: float) -> tuple[list[Path], list[Path]]:
    """Returns (kept, to be removed), newest first. A batch's name begins with its time."""
    kept: list[Path] = []
    removed: list[Path] = []
    total = 0
    for path in sorted(_entries(directory), reverse=True):
        total += _size(path)
        (removed if _is_old(path, KEEP_REJECTED, now) or total > REJECTED_BYTES else kept).append(path)
    return kept, removed


def _entries(directory: Path) -> Iterable[Path]:
    try:
        return list(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_old(path: Path, keep: timedelta, now: float) -> bool:
    try:
        return now - path.lstat().st_mtime > keep.total_seconds()
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    try:
        if path.is_dir() and not path.is_symlink():
            return sum(_size(entry) for entry in _entries(path))
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
