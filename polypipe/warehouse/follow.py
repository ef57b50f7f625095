"""A reader for a long-lived process: the published tables in memory, brought up to date in the background."""

import contextlib
import ctypes
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.warehouse.connection import open_memory, prepare_session, quoted
from polypipe.warehouse.current import Current, PublishedFile
from polypipe.warehouse.errors import WarehouseError, one_line
from polypipe.warehouse.read import create_stored, describe, select
from polypipe.warehouse.tables import DAY_COLUMN
from polypipe.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FollowerStatus:
    """What a follower shows. `published_at` is when its version was published, null before the first one.

    `checked_at` is when this was last known to be the current version; it stands still while `error` is not null.
    `waited` are the seconds that each of the last batches waited for its merge, oldest first. `current` names the files
    of the version, for what is not kept in memory; writers delete them some minutes after a newer version has come.
    """

    version: int
    published_at: datetime | None
    checked_at: datetime
    error: str | None
    waited: tuple[float, ...] = ()
    current: Current | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class FollowedTable:
    """One table of a follower: the published table it is made from, and a query over it, which it sees as `rows`.

    The query runs over the closed days and over the newest day apart: one row of it must rest on one day. With `days`
    only files that have one of the newest so many days are read.
    """

    name: str
    source: str
    sql: str
    days: int | None = None

    def files(self, published: list[PublishedFile]) -> list[PublishedFile]:
        """Those of the table's files that are read."""
        newest = max((day for file in published[-1:] for day in file.days()), default=None)
        if self.days is None or newest is None:
            return published
        first = newest - timedelta(days=self.days - 1)
        return [file for file in published if any(day >= first for day in file.days())]


class FollowingReader:
    """Queries over the published tables without touching a file. `close` it, or use it as a context manager.

    Its tables are the published ones, whole, or those of `shapes`. A new version is loaded in one transaction: a query
    sees all of it or nothing of it. When loading fails, the old version stays and `status` says why and since when.
    Cost follows what changed: of a time table the newest day is loaded apart from the days before it.
    """

    def __init__(
        self, warehouse: Warehouse, poll_seconds: float = 0.1, shapes: Sequence[FollowedTable] | None = None
    ) -> None:
        whole = [FollowedTable(table, table, "FROM rows") for table in DAY_COLUMN]
        self._shapes = {shape.name: shape for shape in (whole if shapes is None else shapes)}
        self._warehouse = warehouse
        self._poll_seconds = poll_seconds
        self._loaded: dict[str, list[str]] = {}  # part -> paths of its files
        self._seen: tuple[int, ...] | None = None  # the pointer file that was loaded
        self._status = FollowerStatus(0, None, datetime.now(UTC), None)
        self._con = open_memory()
        self._con.execute("SET GLOBAL enable_external_file_cache = false")  # every published file is read once: 65 MB less
        create_stored(self._con)
        for name, shape in self._shapes.items():
            for part in (_closed(name), _newest(name)):
                self._con.execute(f"CREATE TABLE {part} AS {_shaped(shape, f'FROM stored.{quoted(shape.source)}')}")
            self._con.execute(f"CREATE VIEW {quoted(name)} AS FROM {_closed(name)} UNION ALL FROM {_newest(name)}")
        if shapes is None:
            describe(self._con)
        self.refresh()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="warehouse-follower", daemon=True)
        self._thread.start()

    def __enter__(self) -> "FollowingReader":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop following and free the tables."""
        self._stop.set()
        self._thread.join()
        self._con.close()

    @property
    def status(self) -> FollowerStatus:
        """What is shown now and how fresh it is."""
        return self._status

    @contextmanager
    def cursor(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        """A connection to query with, for one thread."""
        cursor = self._con.cursor()
        try:
            prepare_session(cursor)
            yield cursor
        finally:
            cursor.close()

    def refresh(self) -> None:
        """Load what is published now, if it is not what is shown. Never raises for bad or missing files."""
        import duckdb

        try:
            seen = self._look()
            if seen != self._seen:
                current = self._warehouse.current()
                if current is not None:
                    self._load(current)
                    self._status = replace(
                        self._status,
                        version=current.version,
                        published_at=current.time,
                        waited=tuple(current.waited),
                        current=current,
                    )
                self._seen = seen
            self._status = replace(self._status, checked_at=datetime.now(UTC), error=None)
        except (WarehouseError, duckdb.Error, OSError) as error:
            if self._status.error is None:
                log.warning("version %s stays: %s", self._status.version, error)
            self._status = replace(self._status, error=one_line([error]))

    def _follow(self) -> None:
        if sys.platform == "linux":  # where priority is a thread's own: loading must not slow down the queries
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while not self._stop.wait(self._poll_seconds):
            self.refresh()

    def _look(self) -> tuple[int, ...] | None:
        """Identity of the pointer file; None when nothing was ever published."""
        try:
            stat = self._warehouse.layout.pointer.stat()
        except FileNotFoundError:
            if self._seen is None:
                return None
            raise
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _load(self, current: Current) -> None:
        wanted: dict[str, tuple[FollowedTable, list[PublishedFile]]] = {}
        for name, shape in self._shapes.items():
            known = current.tables.get(shape.source)
            files = shape.files(known.files) if known is not None else []
            wanted |= {_closed(name): (shape, files[:-1]), _newest(name): (shape, files[-1:])}
        changed = {
            part: paths
            for part, (_, files) in wanted.items()
            if (paths := [file.path for file in files]) != self._loaded.get(part, [])
        }
        with self.cursor() as con:
            con.execute("BEGIN")
            for part in changed:
                shape, files = wanted[part]
                rows = select(self._warehouse.layout, shape.source, files)
                con.execute(f"CREATE OR REPLACE TABLE {part} AS {_shaped(shape, rows)}")
            con.execute("COMMIT")
        self._loaded |= changed
        if any(_closed(name) in changed for name in self._shapes):
            _give_back_memory()  # at start and after midnight: reading closed days takes more than what is kept


def _give_back_memory() -> None:
    """Let the system have what was freed: glibc keeps it otherwise, about 25 MB here. Other libraries do not."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _shaped(shape: FollowedTable, rows: str) -> str:
    return f"WITH rows AS ({rows}) FROM ({shape.sql})"


def _closed(name: str) -> str:
    return f"stored.{quoted(name + '_closed')}"


def _newest(name: str) -> str:
    return f"stored.{quoted(name + '_newest')}"
