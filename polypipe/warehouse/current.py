"""`CURRENT.json`: the pointer to the published files of the current version."""

import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import msgspec

from polypipe.files import replace_file
from polypipe.warehouse.errors import WarehouseError
from polypipe.warehouse.layout import Layout

log = logging.getLogger(__name__)

PartKey = tuple[str, date | None]
"""Identifies a part: table and first UTC day; the day is None for a state table."""


class PublishedFile(msgspec.Struct, omit_defaults=True):
    """One Parquet file. `path` is relative to the home; `day` is the UTC day in a time table, else None.

    With `last_day` it contains all days from `day` to `last_day`, inclusive. `bytes` and `crc32` are of its content; None
    in files of earlier versions.
    """

    path: str
    rows: int
    version: int
    day: date | None = None
    last_day: date | None = None
    bytes: int | None = None
    crc32: int | None = None

    def days(self) -> Iterator[date]:
        """The UTC days in the file; empty for a state table."""
        if self.day is not None:
            for number in range(((self.last_day or self.day) - self.day).days + 1):
                yield self.day + timedelta(days=number)


class PublishedTable(msgspec.Struct):
    """One table. `time` is when its content last changed. A table without rows has no files."""

    files: list[PublishedFile]
    rows: int
    time: datetime


class Retired(msgspec.Struct):
    """A file that left the current version but that a running query may still read."""

    path: str
    retired_at: datetime


class Current(msgspec.Struct):
    """`CURRENT.json`. `merged` lists recent batches in the files, so that readers do not merge them again.

    `waited` is the seconds from commit to merge of each recent batch, oldest first: the wait for gate and database.
    `schema` is that of the writer; 0 in pointers of early versions.
    """

    version: int
    time: datetime
    tables: dict[str, PublishedTable]
    retired: list[Retired]
    merged: list[str]
    waited: list[float] = []
    schema: int = 0


def read_current(layout: Layout) -> Current | None:
    """Read the pointer; None before the first publication. Raises `WarehouseError` if it is unreadable."""
    try:
        return msgspec.json.decode(layout.pointer.read_bytes(), type=Current)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise WarehouseError(f"{layout.pointer} cannot be read: {error}; the next writer repairs it") from error


def write_current(layout: Layout, current: Current) -> None:
    """Replace the pointer in one step, then its copy beside the published files, from which a lost pointer is restored."""
    content = msgspec.json.encode(current)
    replace_file(layout.pointer, content)
    # Not synced: it is read only if the pointer, which is, is lost.
    temporary = layout.pointer_copy.with_suffix(".tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(layout.pointer_copy)
    except OSError as error:
        log.warning("%s could not be written: %s", layout.pointer_copy, error)


def newest_current(layout: Layout) -> tuple[Current | None, bool]:
    """The newest of the pointer and its copy, for writers, and whether the pointer itself can be read and is that one."""
    found: list[Current | None] = []
    for path in (layout.pointer, layout.pointer_copy):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Current))
        except FileNotFoundError:
            found.append(None)
        except msgspec.DecodeError as error:
            log.warning("%s cannot be read: %s", path, error)
            found.append(None)
    pointer, copy = found
    if pointer is not None and (copy is None or copy.version <= pointer.version):
        return pointer, True
    return copy, False
