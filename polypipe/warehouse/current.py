"""`CURRENT.json`, the one pointer that says which published files count, and the parts of tables that files hold."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import msgspec

from polypipe.warehouse.errors import WarehouseError
from polypipe.warehouse.layout import Layout

PartKey = tuple[str, date | None]
"""A table, and the first UTC day of a part of it; None for a state table."""


class PublishedFile(msgspec.Struct, omit_defaults=True):
    """One Parquet file; `path` is relative to the home, `day` is the UTC day of a time table.

    With `last_day` it holds all days from `day` to that one, both included.
    """

    path: str
    rows: int
    version: int
    day: date | None = None
    last_day: date | None = None

    def days(self) -> Iterator[date]:
        """The days it stands for; none of a state table."""
        if self.day is not None:
            for number in range(((self.last_day or self.day) - self.day).days + 1):
                yield self.day + timedelta(days=number)


class PublishedTable(msgspec.Struct):
    """One table; `time` is when its content last changed. A table without rows has no files."""

    files: list[PublishedFile]
    rows: int
    time: datetime


class Retired(msgspec.Struct):
    """A file that no longer counts but that a running query may still read."""

    path: str
    retired_at: datetime


class Current(msgspec.Struct):
    """`CURRENT.json`. `merged`: recent batches that the files contain, so that readers do not add them again.

    `waited`: for each of the last of them, oldest first, the seconds from its commit to its merge: how long rows wait
    for gate and database.
    """

    version: int
    time: datetime
    tables: dict[str, PublishedTable]
    retired: list[Retired]
    merged: list[str]
    waited: list[float] = []


def read_current(layout: Layout) -> Current | None:
    """What is published now; None before the first publication. Raises `WarehouseError` if it cannot be read."""
    try:
        return msgspec.json.decode(layout.pointer.read_bytes(), type=Current)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise WarehouseError(f"{layout.pointer} cannot be read: {error}; the next writer mends it") from error
