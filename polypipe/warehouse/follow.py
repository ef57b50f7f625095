"""A reader for long-lived processes: the published tables in memory, updated in the background."""

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
from typing import TYPE_CHECKING, Self

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
    """The version that a follower has loaded. `published_at` is None before the first publication.

    `checked_at` is when this was last known to be the current version; it does not advance while `error` is set.
    `waited` is the seconds that each recent batch waited for its merge, oldest first. `current` names the files of the
    version, for queries on what is not in memory; writers delete them minutes after publishing a newer version.
    """

    version: int
    published_at: datetime | None
    checked_at: datetime
    error: str | None
    waited: tuple[float, ...] = ()
    current: Current | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class FollowedTable:
    """One table of a follower: a published table (`source`) and the query over it, which reads it as `rows`.

    The query runs separately over the closed days and the newest day, so each of its rows must come from one day.
    `days` limits it to files that contain one of the newest N days.
    """

    name: str
    source: str
    sql: str
    days: int | None = None

    def files(self, published: list[PublishedFile]) -> list[PublishedFile]:
        """The files to read, of all published files of the source table."""
        newest = max((day for file in published[-1:] for day in file.days()), default=None)
        if self.days is None or newest is None:
            return published
        first = newest - timedelta(days=self.days - 1)
        return [file for file in published if any(day >= first for day in file.days())]


class FollowingReader:
    """Runs queries over the published tables from memory. Close it, or use it as a context manager.

    Its tables are `tables`, by default every published table unchanged. A new version is loaded in one transaction, so
    a query sees all of it or none of it. If loading fails, the old version stays and `status` has the error and when
    it was last current. Only changed files are reloaded; the newest day of a time table is loaded separately.
    """

    def __init__(
        self, warehouse: Warehouse, poll_seconds: float = 0.1, tables: Sequence[FollowedTable] | None = None
    ) -> None:
        whole = [FollowedTable(table, table, "FROM rows") for table in DAY_COLUMN]
        self._tables = {table.name: table for table in (whole if tables is None else tables)}
        self._warehouse = warehouse
        self._poll_seconds = poll_seconds
        self._loaded: dict[str, list[str]] = {}  # stored table -> paths of its files
        self._pointer: tuple[int, ...] | None = None  # identity of the pointer file that was loaded
        self._status = FollowerStatus(0, None, datetime.now(UTC), None)
        self._con = open_memory()
        self._con.execute("SET GLOBAL enable_external_file_cache = false")  # each file is read only once: saves 65 MB
        create_stored(self._con)
        for name, table in self._tables.items():
            self._con.execute(f"CREATE TABLE {_closed(name)} AS {_query(table, f'FROM stored.{quoted(table.source)}')}")
            self._con.execute(f"CREATE TABLE {_newest(name)} AS FROM {_closed(name)}")  # both are empty
            self._con.execute(f"CREATE VIEW {quoted(name)} AS FROM {_closed(name)} UNION ALL FROM {_newest(name)}")
        if tables is None:
            describe(self._con)
        self.refresh()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="warehouse-follower", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the background thread and free the tables."""
        self._stop.set()
        self._thread.join()
        self._con.close()

    @property
    def status(self) -> FollowerStatus:
        """The loaded version and how fresh it is."""
        return self._status

    @contextmanager
    def cursor(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        """Open a connection for queries of one thread."""
        cursor = self._con.cursor()
        try:
            prepare_session(cursor)
            yield cursor
        finally:
            cursor.close()

    def refresh(self) -> None:
        """Load the published version if it changed. Missing or unreadable files set `status.error` instead of raising."""
        import duckdb

        try:
            pointer = self._pointer_identity()
            if pointer != self._pointer:
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
                self._pointer = pointer
            self._status = replace(self._status, checked_at=datetime.now(UTC), error=None)
        except (WarehouseError, duckdb.Error, OSError) as error:
            if self._status.error is None:
                log.warning("cannot load a newer version, keeping version %s: %s", self._status.version, error)
            self._status = replace(self._status, error=one_line([error]))

    def _follow(self) -> None:
        if sys.platform == "linux":  # here priority is per thread; loading must not slow down queries
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while not self._stop.wait(self._poll_seconds):
            self.refresh()

    def _pointer_identity(self) -> tuple[int, ...] | None:
        """Inode, mtime and size of the pointer file; None before the first publication."""
        try:
            stat = self._warehouse.layout.pointer.stat()
        except FileNotFoundError:
            if self._pointer is None:
                return None
            raise
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _load(self, current: Current) -> None:
        wanted: dict[str, tuple[FollowedTable, list[PublishedFile]]] = {}
        for name, table in self._tables.items():
            known = current.tables.get(table.source)
            files = table.files(known.files) if known is not None else []
            wanted |= {_closed(name): (table, files[:-1]), _newest(name): (table, files[-1:])}
        changed = {
            part: paths
            for part, (_, files) in wanted.items()
            if (paths := [file.path for file in files]) != self._loaded.get(part, [])
        }
        with self.cursor() as con:
            con.execute("BEGIN")
            for part in changed:
                table, files = wanted[part]
                rows = select(self._warehouse.layout, table.source, files)
                con.execute(f"CREATE OR REPLACE TABLE {part} AS {_query(table, rows)}")
            con.execute("COMMIT")
        self._loaded |= changed
        if any(_closed(name) in changed for name in self._tables):
            _return_freed_memory()  # at start and after midnight: loading closed days needs more memory than keeping them


def _return_freed_memory() -> None:
    """Return freed memory to the operating system. glibc would keep about 25 MB; other C libraries do not."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _query(table: FollowedTable, rows: str) -> str:
    return f"WITH rows AS ({rows}) FROM ({table.sql})"


def _closed(name: str) -> str:
    return f"stored.{quoted(name + '_closed')}"


def _newest(name: str) -> str:
    return f"stored.{quoted(name + '_newest')}"
