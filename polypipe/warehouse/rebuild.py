"""Rebuilds the live file from the published files; what these lack comes from older databases, or is named as lost.

Published files and waiting batches are complete by construction: a batch is deleted only after the pointer names the files
that contain its rows. So a rebuild loses nothing while these can be read. The rows of a published file that cannot be read
come from the first database that has them: the damaged one itself, those moved aside earlier, backups. A database that has
recorded the same version for a part has exactly its rows; an older one gives the rows it has, and the rest counts as lost.
"""

# ruff: noqa: S608 -- names come from our own migrations and are quoted, values are written as literals

import io
import logging
import re
import secrets
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from polypipe.files import fsync
from polypipe.warehouse.connection import literal, open_live, open_memory, quoted, roll_back
from polypipe.warehouse.copy import remove_database, wal_of
from polypipe.warehouse.current import Current, PartKey, PublishedFile, PublishedTable
from polypipe.warehouse.damage import damaged_files, scan_database
from polypipe.warehouse.errors import WarehouseError, one_line
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest, migrate
from polypipe.warehouse.modes import day_of
from polypipe.warehouse.publish import record_version
from polypipe.warehouse.recovery import Lost, Recovery
from polypipe.warehouse.spool import committed_at, waiting_batches
from polypipe.warehouse.tables import DAY_COLUMN, columns

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

_NAME = re.compile(r"(\w+)\.(?:(\d{4}-\d\d-\d\d)(?:_(\d{4}-\d\d-\d\d))?\.)?v(\d+)-\w+\.parquet")
_TEMPORARY = ".restore-rebuild-"  # `upkeep` removes what a killed rebuild leaves


def rebuild(layout: Layout, current: Current | None, reason: str) -> Recovery:
    """Replace the live file with one that has the rows of `current`, and return what came back.

    The caller must hold the gate, and no process may have the live file open. The old file, its write-ahead log and damaged
    published files are moved to `damaged/`. Killing this is safe: the next writer starts it again. Raises `OSError`,
    `duckdb.Error` or `WarehouseError` if the new file cannot be written; the old one is then still in place.
    """
    now = datetime.now(UTC)
    new = layout.database.with_name(f"{layout.database.name}.rebuilding")
    remove_database(new)
    try:
        with TemporaryDirectory(dir=layout.home, prefix=_TEMPORARY) as temporary:
            sources = _Sources(layout, Path(temporary))
            if current is None:
                current = _reconstructed(layout, sources)
            faults = {file.path: why for _, file, why in damaged_files(layout, current)}
            with closing(open_live(new, 0.0)) as con:
                migrate(con)
                built = _Rebuild(con, layout, sources, Recovery(now, reason, version=current.version))
                for table, entry in current.tables.items():
                    if table in DAY_COLUMN:  # not in it: a table of a newer polypipe, or one that was dropped
                        for file in entry.files:
                            built.bring_back(table, file, faults.get(file.path))
                built.keep_books(current)
                con.execute("CHECKPOINT")
        if wal_of(new).exists():
            raise WarehouseError(f"{new.name} is incomplete: its write-ahead log still exists")
        fsync(new)
    except BaseException:
        remove_database(new)
        raise
    aside = layout.damaged / f"{now:%Y%m%dT%H%M%S%fZ}"
    if move_aside([wal_of(layout.database), layout.database, *built.broken], aside):
        built.recovery.aside = str(aside.relative_to(layout.home))
    new.replace(layout.database)
    fsync(layout.home)
    return built.recovery


def move_aside(paths: Iterable[Path], directory: Path) -> bool:
    """Move those of the files that exist into a new directory; returns whether there were any."""
    found = [path for path in paths if path.exists()]
    if found:
        directory.mkdir(parents=True)
        for path in found:
            path.rename(directory / path.name)
        fsync(directory)
    return bool(found)


@dataclass
class _Rebuild:
    """A new live file being filled. `broken` are the published files that could not be read."""

    con: "duckdb.DuckDBPyConnection"
    layout: Layout
    sources: "_Sources"
    recovery: Recovery
    broken: list[Path] = field(default_factory=list)

    def bring_back(self, table: str, file: PublishedFile, fault: str | None) -> None:
        """Insert the rows of one part from the best place that has them, and record the part as published."""
        import duckdb

        path = self.layout.home / file.path
        if fault is None:
            try:
                self._insert(table, f"read_parquet({literal(path)})", file, file.rows)
                self._count("published files")
                return
            except duckdb.Error as error:
                fault = f"{file.path} is damaged: {one_line([error])}"
        self.broken.append(path)
        kept, name = 0, ""
        for source in self.sources:
            exact = source.has(table, file)
            if not exact and source.version >= file.version:
                continue  # it has merged batches that also wait in the spool, or the part is not recorded in it
            try:
                rows = self._from_database(table, file, source, file.rows if exact else None)
            except duckdb.Error as error:
                log.warning("%s has no readable rows of %s: %s", source.name, file.path, one_line([error]))
                continue
            self._count(source.name)
            if exact:
                return
            kept, name = rows, source.name
            break
        last = file.last_day or file.day
        self.recovery.lost.append(
            Lost(table, file.rows, fault, self.recovery.found_at, file.day, last, kept, name, self.recovery.version)
        )

    def keep_books(self, current: Current) -> None:
        """Record the merged batches and the version, and forget that days are complete whose rows are lost."""
        con = self.con
        waits = dict(zip(current.merged[-len(current.waited) :], current.waited, strict=False)) if current.waited else {}
        for batch_id in current.merged:
            merged_at = committed_at(batch_id) + timedelta(seconds=waits.get(batch_id, 0.0))
            con.execute(f"INSERT INTO merged_batches VALUES ({literal(batch_id)}, {literal(merged_at)})")
        record_version(con, current.version)  # its parts may all be empty: those have no file, and no record here
        for lost in self.recovery.lost:
            if lost.table == "wallet_activity" and lost.first is not None:
                first = datetime.combine(lost.first, datetime.min.time(), UTC)
                end = datetime.combine(lost.last or lost.first, datetime.min.time(), UTC) + timedelta(days=1)
                con.execute(f"DELETE FROM activity_days WHERE day >= {literal(first)} AND day < {literal(end)}")
                # Version 0 differs from the pointer, so that the table is published again.
                con.execute(
                    "UPDATE partitions SET version = 0, row_count = (SELECT count(*) FROM activity_days) "
                    "WHERE table_name = 'activity_days'"
                )
        rows = con.execute("SELECT table_name, sum(row_count)::BIGINT FROM partitions GROUP BY 1 ORDER BY 1").fetchall()
        self.recovery.rows = {table: count for table, count in rows if count}

    def _count(self, source: str) -> None:
        self.recovery.sources[source] = self.recovery.sources.get(source, 0) + 1

    def _from_database(self, table: str, file: PublishedFile, source: "Source", expected: int | None) -> int:
        where = "true"
        if file.day is not None:
            where = f"{day_of(table)} BETWEEN {literal(file.day)} AND {literal(file.last_day or file.day)}"
        self.con.execute(f"ATTACH {literal(source.path)} AS source (READ_ONLY)")
        try:
            return self._insert(table, f"(SELECT * FROM source.main.{quoted(table)} AS t WHERE {where})", file, expected)
        finally:
            self.con.execute("DETACH source")

    def _insert(self, table: str, rows: str, file: PublishedFile, expected: int | None) -> int:
        """Insert rows with the columns that both have, in one transaction. Raises `duckdb.Error`."""
        import duckdb

        con = self.con
        con.execute("BEGIN")
        try:
            theirs = [name for name, *_ in con.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()]
            ours = {column.name for column in columns(table)}
            names = ", ".join(quoted(name) for name in theirs if name in ours)
            found: int = con.execute(f"INSERT INTO {quoted(table)} BY NAME SELECT {names} FROM {rows}").fetchall()[0][0]
            if expected not in (None, found):
                raise duckdb.IOException(f"{found:,} rows, {expected:,} expected")
            # An older copy of the rows is recorded as version 0: it differs from the pointer, so that it is published.
            version = file.version if expected is not None else 0
            values = ", ".join(literal(value) for value in (table, file.day, version, found, file.last_day))
            con.execute(f"INSERT INTO partitions (table_name, day, version, row_count, last_day) VALUES ({values})")
            con.execute("COMMIT")
        except BaseException:
            roll_back(con)
            raise
        return found


# ------------------------------------------------------------------------------ where else rows can come from


@dataclass(frozen=True)
class Source:
    """A database that may have rows which no published file has. `parts` are its records, by table and first day."""

    name: str
    path: Path
    version: int
    parts: dict[PartKey, PublishedFile] = field(repr=False)
    merged: list[str] = field(repr=False)

    def has(self, table: str, file: PublishedFile) -> bool:
        """True if it has recorded exactly the content of this file."""
        part = self.parts.get((table, file.day))
        return part is not None and (part.version, part.last_day) == (file.version, file.last_day)


class _Sources:
    """The live file, those moved aside earlier, and the databases of backups, each opened when it is first needed."""

    def __init__(self, layout: Layout, temporary: Path) -> None:
        self._opened: list[Source] = []
        self._rest = self._search(layout, temporary)

    def __iter__(self) -> Iterator[Source]:
        yield from self._opened
        for source in self._rest:
            self._opened.append(source)
            yield source

    def _search(self, layout: Layout, temporary: Path) -> Iterator[Source]:
        for path in (layout.database, *sorted(layout.damaged.glob(f"*/{layout.database.name}"), reverse=True)):
            if path.exists():
                yield from _opened(str(path.relative_to(layout.home)), path)
                if wal_of(path).exists():  # it may be what cannot be read
                    alone = temporary / f"{secrets.token_hex(8)}.duckdb"
                    shutil.copyfile(path, alone)
                    yield from _opened(f"{path.relative_to(layout.home)} without its write-ahead log", alone)
        for archive in sorted(layout.backups.glob("polypipe-*.tar.gz"), reverse=True):
            path = temporary / f"{archive.name}.duckdb"
            try:
                with tarfile.open(archive) as tar, path.open("wb") as file:
                    shutil.copyfileobj(tar.extractfile(layout.database.name) or io.BytesIO(), file)
            except (OSError, EOFError, zlib.error, tarfile.TarError, KeyError) as error:
                log.warning("%s cannot be read: %s", archive, error)
                continue
            yield from _opened(f"backups/{archive.name}", path)


def _opened(name: str, path: Path) -> Iterator[Source]:
    import duckdb

    try:
        crashed = scan_database(path).crashed
        if "" in crashed:
            return
        with open_memory() as con:
            con.execute(f"ATTACH {literal(path)} AS source (READ_ONLY)")
            rows = con.execute("SELECT table_name, day, version, row_count, last_day FROM source.partitions").fetchall()
            merged = con.execute("SELECT batch_id FROM source.merged_batches ORDER BY 1").fetchall()
    except duckdb.Error as error:
        log.warning("%s cannot be read: %s", name, one_line([error]))
        return
    parts = {
        (table, day): PublishedFile(f"published/{table} of version {version}", count, version, day, last)
        for table, day, version, count, last in rows
        if count and table not in crashed
    }
    version = max((row[2] for row in rows), default=0)
    yield Source(name, path, version, parts, [batch_id for (batch_id,) in merged])


def _reconstructed(layout: Layout, sources: Iterable[Source]) -> Current:
    """What was published, where no pointer is left: from the newest database, or from the names of the published files."""
    files = list(_named_files(layout))
    version = max((file.version for _, file in files), default=0)
    merged: list[str] = []
    database = next((source for source in sources if source.parts), None)
    if database is not None and database.version >= version:
        named = {(table, file.day, file.last_day, file.version): file for table, file in files}
        files = [
            (table, named.get((table, day, part.last_day, part.version), part))
            for (table, day), part in database.parts.items()
        ]
        version, merged = database.version, database.merged
    else:
        files = _newest_of_each_day(files)
    now = datetime.now(UTC)
    tables = {table: PublishedTable([], 0, now) for table in DAY_COLUMN}
    for table, file in files:
        tables[table].files.append(file)
    return Current(version, now, tables, [], merged, schema=latest())


def _named_files(layout: Layout) -> Iterator[tuple[str, PublishedFile]]:
    """The readable published files as their names describe them, with their tables.

    Files that are younger than a waiting batch are left out: they may contain its rows, which will be merged again.
    """
    import duckdb

    waiting = waiting_batches(layout)
    until = committed_at(waiting[0]).timestamp() if waiting else float("inf")
    with open_memory() as con:
        for path in layout.published.glob("*.parquet"):
            found = _NAME.fullmatch(path.name)
            if found is None or found[1] not in DAY_COLUMN or path.stat().st_mtime >= until:
                continue
            try:
                query = f"SELECT count(*), bit_xor(hash(t)) FROM read_parquet({literal(path)}) AS t"
                rows: int = con.execute(query).fetchall()[0][0]
            except duckdb.Error as error:
                log.warning("%s cannot be read: %s", path.name, one_line([error]))
                continue
            first, last = (date.fromisoformat(day) if day else None for day in found.group(2, 3))
            yield found[1], PublishedFile(f"published/{path.name}", rows, int(found[4]), first, last)


def _newest_of_each_day(files: Iterable[tuple[str, PublishedFile]]) -> list[tuple[str, PublishedFile]]:
    """The files of the highest versions, of which no two have a day in common."""
    chosen: list[tuple[str, PublishedFile]] = []
    taken: set[PartKey] = set()
    for table, file in sorted(files, key=lambda entry: entry[1].version, reverse=True):
        days: set[PartKey] = {(table, day) for day in file.days()} or {(table, None)}
        if not days & taken:
            taken |= days
            chosen.append((table, file))
    return chosen
