"""The spool: batches of rows on disk, durable from `commit` until a writer has merged them.

A batch is a directory with one NDJSON file per table and a manifest. It is written under a hidden name and renamed
when it is complete, so every batch with a visible name is complete.
"""

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from polypipe.files import fsync, locked
from polypipe.warehouse.errors import BadRows, newer_schema
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest
from polypipe.warehouse.modes import Mode, check_mode
from polypipe.warehouse.tables import columns

STAMP = "%Y%m%dT%H%M%S%f"
WRITING = ".tmp-"
_MERGED = ".done-"
# A directory is locked just after it is created; younger ones are kept in case their creator is between the two.
_YOUNG_SECONDS = 60.0


class TableRows(msgspec.Struct):
    """One table's rows in a batch: `columns` of the table at that time, `days` the UTC days of the rows.

    `days` is empty for a state table, and None in batches of earlier versions, where the rows must be read for them.
    """

    rows: int
    bytes: int
    columns: list[str]
    mode: Mode
    days: list[date] | None = None


class Manifest(msgspec.Struct):
    """`manifest.json` of a batch."""

    schema: int
    tables: dict[str, TableRows]


def waiting_batches(layout: Layout) -> list[str]:
    """Ids of the committed batches, oldest first, which is the order to merge them in."""
    if not layout.spool.exists():
        return []
    return sorted(entry.name for entry in layout.spool.iterdir() if re.match(r"\d{8}T\d{12}-", entry.name))


def committed_at(batch_id: str) -> datetime:
    """Commit time of a batch; slightly later if the clock was set back."""
    return datetime.strptime(batch_id.partition("-")[0], STAMP).replace(tzinfo=UTC)


def load_batch(layout: Layout, batch_id: str) -> Iterator[tuple[str, TableRows, Path]]:
    """Yield the tables of a batch with their files, checked for completeness.

    Raises `BadRows` if the batch is unusable, `WarehouseError` if a newer polypipe wrote it.
    """
    directory = layout.spool / batch_id
    try:
        manifest = msgspec.json.decode((directory / "manifest.json").read_bytes(), type=Manifest)
    except (msgspec.DecodeError, FileNotFoundError) as error:
        raise BadRows(f"the manifest cannot be read: {error}") from error
    if manifest.schema > latest():
        raise newer_schema(f"batch {batch_id}", manifest.schema, latest())
    for table, part in manifest.tables.items():
        file = directory / f"{table}.ndjson"
        size = file.stat().st_size if file.exists() else 0
        if size != part.bytes:
            raise BadRows(f"{table}: the file has {size} bytes instead of {part.bytes}")
        if gone := set(part.columns) - {column.name for column in columns(table)}:
            raise BadRows(f"{table}: the table no longer has the columns {sorted(gone)}")
        check_mode(table, part.mode)
        yield table, part, file


def reject_batch(layout: Layout, batch_id: str, reason: str) -> None:
    """Move a batch to `spool/rejected` and record the reason in its `reason.txt`."""
    directory = layout.spool / batch_id
    (directory / "reason.txt").write_text(reason + "\n", "utf-8")
    layout.rejected.mkdir(exist_ok=True)
    directory.rename(layout.rejected / batch_id)
    fsync(layout.rejected)


def rejection(layout: Layout, batch_id: str) -> str | None:
    """Why a batch was rejected, by any process; None if it was not."""
    try:
        return (layout.rejected / batch_id / "reason.txt").read_text("utf-8").strip()
    except FileNotFoundError:
        return None


def delete_batches(layout: Layout, batch_ids: Iterable[str]) -> None:
    """Delete merged batches. Each is renamed first, so that readers never see half of one."""
    for batch_id in batch_ids:
        hidden = layout.spool / f"{_MERGED}{batch_id}"
        (layout.spool / batch_id).rename(hidden)
        shutil.rmtree(hidden)


def sweep_spool(layout: Layout) -> None:
    """Remove batches that dead writers left half-written or half-deleted. The caller must hold the gate."""
    for entry in layout.spool.iterdir():
        if entry.name.startswith(_MERGED) or (entry.name.startswith(WRITING) and _abandoned(entry)):
            shutil.rmtree(entry, ignore_errors=True)


def _abandoned(directory: Path) -> bool:
    try:
        if time.time() - directory.stat().st_mtime < _YOUNG_SECONDS:
            return False
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return locked(fd, path=directory)
    finally:
        os.close(fd)
