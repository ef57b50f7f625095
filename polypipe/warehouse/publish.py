"""Publishing: immutable versioned Parquet files, and `CURRENT.json`, the one pointer that says which of them count.

Inside the transaction the changed parts are written (`stage`); after COMMIT the pointer is swapped (`swap`).
Table `partitions` says in which version each part last changed. Comparing it with the pointer is what heals a
writer's death between the two, or a lost pointer: whatever differs is written again by the next writer.
"""

# ruff: noqa: S608 -- names come from our own migrations and are quoted, values are written as literals

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from polypipe.files import fsync, replace_file
from polypipe.warehouse.connection import literal, quoted
from polypipe.warehouse.errors import WarehouseError
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.tables import DAY_COLUMN

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

_REMEMBERED_BATCHES = 100

Key = tuple[str, date | None]


class PublishedFile(msgspec.Struct, omit_defaults=True):
    """One Parquet file; `path` is relative to the home, `day` is the UTC day of a time table."""

    path: str
    rows: int
    version: int
    day: date | None = None


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
    """`CURRENT.json`. `merged`: recent batches that the files contain, so that readers do not add them again."""

    version: int
    time: datetime
    tables: dict[str, PublishedTable]
    retired: list[Retired]
    merged: list[str]


@dataclass
class Stage:
    """Files written but not yet pointed at."""

    current: Current
    changed: list[str]
    written: list[Path]

    def undo(self) -> None:
        """Remove the files again, after a transaction that did not commit."""
        for path in self.written:
            path.unlink(missing_ok=True)


def read_current(layout: Layout) -> Current | None:
    """What is published now; None before the first publication. Raises `WarehouseError` if it cannot be read."""
    try:
        return msgspec.json.decode(layout.pointer.read_bytes(), type=Current)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise WarehouseError(f"{layout.pointer} cannot be read: {error}; the next writer mends it") from error


def stage(
    con: "duckdb.DuckDBPyConnection",
    layout: Layout,
    touched: set[Key],
    waiting: list[str],
    keep_retired: timedelta,
) -> Stage | None:
    """Write the parts that changed, or that the pointer does not have right; None when there are none.

    `waiting` are the batches in the spool, all of them merged by now. Call it as the last thing before COMMIT:
    it sees the transaction's rows and records the new version in it.
    """
    try:
        old = read_current(layout)
    except WarehouseError as error:
        log.warning("%s", error)
        old = None
    parts: dict[Key, tuple[int, int]] = {
        (table, day): (version, rows)
        for table, day, version, rows in con.execute(
            "SELECT table_name, day, version, row_count FROM partitions"
        ).fetchall()
    }
    newest = max((version for version, _ in parts.values()), default=0)
    if old is not None and old.version > newest:
        log.warning("the database is older than what is published (restored or removed?): publishing it anew")
    trusted = old is not None and old.version <= newest
    files: dict[Key, PublishedFile] = {}
    if old is not None and trusted:
        files = {(table, file.day): file for table, entry in old.tables.items() for file in entry.files}
    on_disk = {f"published/{entry.name}" for entry in layout.published.iterdir()}
    stale = {key for key, (version, rows) in parts.items() if not _is_right(files.get(key), version, rows, on_disk)}
    if not touched | stale and (trusted or old is None):
        return None

    version = max(newest, old.version if old is not None else 0) + 1
    staged = Stage(Current(version, datetime.now(UTC), {}, [], []), [], [])
    try:
        for key in sorted(touched | stale, key=str):
            files.pop(key, None)
            if file := _write_part(con, layout, key, version, staged):
                files[key] = file
        if staged.written:
            fsync(layout.published)
    except BaseException:
        staged.undo()
        raise
    _fill(staged, old, files, touched | stale, keep_retired)
    recent = con.execute(
        f"SELECT batch_id FROM merged_batches ORDER BY batch_id DESC LIMIT {_REMEMBERED_BATCHES}"
    ).fetchall()
    staged.current.merged = sorted({batch_id for (batch_id,) in recent} | set(waiting))
    return staged


def swap(layout: Layout, staged: Stage, keep_retired: timedelta) -> None:
    """Point at the staged files, then remove files that nobody can be reading any more."""
    replace_file(layout.pointer, msgspec.json.encode(staged.current))
    tables = staged.current.tables.values()
    alive = {file.path for table in tables for file in table.files}
    alive |= {retired.path for retired in staged.current.retired}
    # By age and not by list: this also takes what killed writers left behind.
    oldest = time.time() - keep_retired.total_seconds()
    for entry in layout.published.iterdir():
        if f"published/{entry.name}" not in alive and entry.stat().st_mtime <= oldest:
            entry.unlink(missing_ok=True)


def _is_right(file: PublishedFile | None, version: int, rows: int, on_disk: set[str]) -> bool:
    if rows == 0:
        return file is None
    return file is not None and file.version == version and file.path in on_disk


def _write_part(
    con: "duckdb.DuckDBPyConnection", layout: Layout, key: Key, version: int, staged: Stage
) -> PublishedFile | None:
    """Write one part to a new file and record it in `partitions`; no file for a part without rows."""
    table, day = key
    where = "true"
    if day is not None:
        column, start = quoted(DAY_COLUMN[table] or ""), datetime.combine(day, datetime.min.time(), UTC)
        where = f"{column} >= {literal(start)} AND {column} < {literal(start + timedelta(days=1))}"
    rows: int = con.execute(f"SELECT count(*) FROM {quoted(table)} WHERE {where}").fetchall()[0][0]
    part = f"table_name = {literal(table)} AND day IS NOT DISTINCT FROM {literal(day)}"
    con.execute(f"DELETE FROM partitions WHERE {part}")
    con.execute(f"INSERT INTO partitions VALUES ({literal(table)}, {literal(day)}, {version}, {rows})")
    if rows == 0:
        return None
    # The random part: a version whose transaction failed is given again, and names are never used twice.
    name = f"{table}.{f'{day}.' if day else ''}v{version}-{secrets.token_hex(3)}.parquet"
    path = layout.published / name
    staged.written.append(path)
    con.execute(
        f"COPY (SELECT * FROM {quoted(table)} WHERE {where}) TO {literal(path)} "
        "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)"
    )
    fsync(path)
    return PublishedFile(f"published/{name}", rows, version, day)


def _fill(
    staged: Stage,
    old: Current | None,
    files: dict[Key, PublishedFile],
    changed: set[Key],
    keep_retired: timedelta,
) -> None:
    """Complete the new pointer: every table's files, and the files that have just lost their place."""
    new = staged.current
    staged.changed = sorted({table for table, _ in changed})
    before = old.tables if old is not None else {}
    for table in DAY_COLUMN:
        own = sorted(
            (file for (owner, _), file in files.items() if owner == table),
            key=lambda file: file.day or date.min,
        )
        kept = before.get(table)
        when = new.time if kept is None or table in staged.changed else kept.time
        new.tables[table] = PublishedTable(own, sum(file.rows for file in own), when)
    if old is None:
        return
    alive = {file.path for file in files.values()}
    new.retired = [gone for gone in old.retired if new.time - gone.retired_at < keep_retired]
    new.retired += [
        Retired(file.path, new.time) for entry in old.tables.values() for file in entry.files if file.path not in alive
    ]
