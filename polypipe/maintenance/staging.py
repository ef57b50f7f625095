"""Directories in which backups and restores are prepared, and which a killed process leaves behind."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

BACKUP_PREFIX = ".polypipe-backup-"
RESTORE_PREFIX = ".restore-"


@contextlib.contextmanager
def staging(directory: Path, prefix: str, stale_seconds: float) -> Iterator[Path]:
    """An empty directory, removed at the end, as are those that processes killed `stale_seconds` ago left behind."""
    for entry in directory.glob(f"{prefix}*"):
        if time.time() - entry.stat().st_mtime >= stale_seconds:
            shutil.rmtree(entry, ignore_errors=True)
    made = Path(tempfile.mkdtemp(dir=directory, prefix=prefix))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
