"""Publishes tables as immutable, versioned Parquet files; `CURRENT.json` points at the files of the current version.

A part is the content of one file: a state table, one UTC day of a time table, or several days that `months` combined.
`stage` writes the changed parts inside the transaction, `swap` replaces the pointer after COMMIT. Table `partitions`
records the version in which each part last changed. The next writer rewrites every part where it differs from the
pointer, which repairs a crash between COMMIT and `swap`, a lost pointer, and lost or truncated files. A database that is
older than the pointer is never published (`live`).
"""

# ruff: noqa: S608 -- names come from our own migrations and are quoted, values are written as literals

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.files import fsync
from polypipe.warehouse.connection import literal, quoted
from polypipe.warehouse.current import (
    Current,
    PartKey,
    PublishedFile,
    PublishedTable,
    Retired,
    newest_current,
    write_current,
)
from polypipe.warehouse.damage import crc32_of
from polypipe.warehouse.errors import DatabaseLost
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest
from polypipe.warehouse.months import DayRange, combine, part_of
from polypipe.warehouse.spool import committed_at
from polypipe.warehouse.tables import DAY_COLUMN

if TYPE_CHECKING:
    import duckdb

_REMEMBERED_BATCHES = 100


@dataclass
class Staged:
    """Files that are written but not yet in the pointer."""

    current: Current
    changed: list[str]
    written: list[Path]

    def undo(self) -> None:
        """Remove the files after the transaction failed to commit."""
        for path in self.written:
            path.unlink(missing_ok=True)


def stage(
    con: "duckdb.DuckDBPyConnection",
    layout: Layout,
    touched: set[PartKey],
    waiting: list[str],
    keep_retired: timedelta,
    combining: DayRange | None = None,
) -> Staged | None:
    """Write the parts that changed or that differ from the pointer; returns None if there are none.

    `touched` are the changed parts, `waiting` the batches in the spool, all merged by this transaction or earlier ones,
    `combining` days to combine into one file. Call it last before COMMIT: it reads the transaction's rows and records
    the new version in it.
    """
    old, intact = newest_current(layout)
    check_age(con, old)
    if combining is not None:
        touched = touched | combine(con, combining)
    parts = _parts(con)
    published = {(table, file.day): file for table, entry in old.tables.items() for file in entry.files} if old else {}
    files = {key: file for key, file in published.items() if key in parts}
    with os.scandir(layout.published) as entries:
        on_disk = {f"published/{entry.name}": entry.stat().st_size for entry in entries}
    stale = {key for key, part in parts.items() if not _matches(files.get(key), part, on_disk)}
    spans = {key: part.last_day for key, part in parts.items() if part.last_day is not None}
    # A rebuild leaves out what could be read nowhere, and the pointer must no longer name it.
    changed = stale | {part_of(key, spans) for key in touched | (published.keys() - parts.keys())}
    if not changed and (intact or old is None):
        return None

    version = max(version_of(con), old.version if old is not None else 0) + 1
    staged = Staged(Current(version, datetime.now(UTC), {}, [], [], schema=latest()), [], [])
    try:
        for key in sorted(changed, key=str):
            files.pop(key, None)
            if file := _write_part(con, layout, key, spans.get(key), version, staged):
                files[key] = file
        if staged.written:
            fsync(layout.published)
    except BaseException:
        staged.undo()
        raise
    _complete(staged, old, files, changed, keep_retired)
    recent = con.execute(
        f"SELECT batch_id, epoch(merged_at) FROM merged_batches ORDER BY batch_id DESC LIMIT {_REMEMBERED_BATCHES}"
    ).fetchall()
    staged.current.merged = sorted({batch_id for batch_id, _ in recent} | set(waiting))
    staged.current.waited = [
        round(max(0.0, merged_at - committed_at(batch_id).timestamp()), 3) for batch_id, merged_at in reversed(recent)
    ]
    return staged


def swap(layout: Layout, staged: Staged, keep_retired: timedelta) -> None:
    """Point at the staged files, then remove files that no query can still be reading."""
    write_current(layout, staged.current)
    tables = staged.current.tables.values()
    alive = {file.path for table in tables for file in table.files}
    alive |= {retired.path for retired in staged.current.retired} | {f"published/{layout.pointer_copy.name}"}
    # By age, not by list: this also removes files that killed writers left.
    oldest = time.time() - keep_retired.total_seconds()
    for entry in layout.published.iterdir():
        if f"published/{entry.name}" not in alive and entry.stat().st_mtime <= oldest:
            entry.unlink(missing_ok=True)


def version_of(con: "duckdb.DuckDBPyConnection") -> int:
    """The newest version that the connection's database has recorded; 0 for a new one."""
    newest: int = con.execute("SELECT coalesce(max(version), 0) FROM partitions").fetchall()[0][0]
    return newest


def record_version(con: "duckdb.DuckDBPyConnection", version: int) -> None:
    """Record that versions up to this one exist, with a part without rows, unless the database knows a newer one."""
    if version_of(con) < version:
        con.execute(
            "INSERT INTO partitions (table_name, day, version, row_count) "
            f"VALUES ('crawls', DATE '1970-01-01', {version}, 0)"
        )


def check_age(con: "duckdb.DuckDBPyConnection", current: Current | None) -> None:
    """Raise `DatabaseLost` if more is published than the connection's database has recorded."""
    if current is not None and (found := version_of(con)) < current.version:
        age = "is new" if found == 0 else f"is of version {found}"
        raise DatabaseLost(f"polypipe.duckdb {age}, and version {current.version} of the tables is published")


@dataclass(frozen=True)
class _Part:
    """A row of `partitions`."""

    version: int
    rows: int
    last_day: date | None


def _parts(con: "duckdb.DuckDBPyConnection") -> dict[PartKey, _Part]:
    rows = con.execute("SELECT table_name, day, version, row_count, last_day FROM partitions").fetchall()
    return {(table, day): _Part(*rest) for table, day, *rest in rows}


def _matches(file: PublishedFile | None, part: _Part, on_disk: Mapping[str, int]) -> bool:
    if part.rows == 0:
        return file is None
    if file is None or (file.version, file.last_day) != (part.version, part.last_day):
        return False
    return file.path in on_disk and file.bytes in (None, on_disk[file.path])


def _write_part(
    con: "duckdb.DuckDBPyConnection", layout: Layout, key: PartKey, last_day: date | None, version: int, staged: Staged
) -> PublishedFile | None:
    """Write a part to a new file and record it in `partitions`. A part without rows gets no file."""
    table, day = key
    where = "true"
    if day is not None:
        column, start = quoted(DAY_COLUMN[table] or ""), datetime.combine(day, datetime.min.time(), UTC)
        end = datetime.combine(last_day or day, datetime.min.time(), UTC) + timedelta(days=1)
        where = f"{column} >= {literal(start)} AND {column} < {literal(end)}"
    rows: int = con.execute(f"SELECT count(*) FROM {quoted(table)} WHERE {where}").fetchall()[0][0]
    part = f"table_name = {literal(table)} AND day IS NOT DISTINCT FROM {literal(day)}"
    con.execute(f"DELETE FROM partitions WHERE {part}")
    values = ", ".join(literal(value) for value in (table, day, version, rows, last_day))
    con.execute(f"INSERT INTO partitions (table_name, day, version, row_count, last_day) VALUES ({values})")
    if rows == 0:
        return None
    # The random suffix keeps names unique: a version number is reused after its transaction failed.
    days = f"{day}_{last_day}." if last_day else f"{day}." if day else ""
    name = f"{table}.{days}v{version}-{secrets.token_hex(3)}.parquet"
    path = layout.published / name
    staged.written.append(path)
    con.execute(  # level 1 is a third faster than the default 3; files are a twelfth larger
        f"COPY (SELECT * FROM {quoted(table)} WHERE {where}) TO {literal(path)} "
        "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480)"
    )
    fsync(path)
    return PublishedFile(f"published/{name}", rows, version, day, last_day, path.stat().st_size, crc32_of(path))


def _complete(
    staged: Staged,
    old: Current | None,
    files: dict[PartKey, PublishedFile],
    changed: set[PartKey],
    keep_retired: timedelta,
) -> None:
    """Complete the new pointer: the files of every table, and the files that this version retires."""
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
