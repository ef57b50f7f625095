"""Verified copies of the live database, for backups and compaction.

The live file is read only through DuckDB, never with file calls: closing any descriptor of it drops DuckDB's lock.
"""

# ruff: noqa: S608 -- names come from our own migrations and are quoted

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.files import fsync
from polypipe.warehouse.connection import literal, quoted, roll_back
from polypipe.warehouse.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb

_SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns() WHERE database_name = {db}
UNION ALL SELECT table_name, NULL, NULL, NULL, comment FROM duckdb_tables() WHERE database_name = {db}
ORDER BY ALL
"""


class CopyTooSlow(WarehouseError):
    """The copy exceeded its time limit."""


def wal_of(database: Path) -> Path:
    """Path of the write-ahead log that DuckDB keeps next to a database."""
    return database.with_name(f"{database.name}.wal")


def remove_database(database: Path) -> None:
    """Remove a database and its write-ahead log. It must not be open."""
    for path in (wal_of(database), database):
        path.unlink(missing_ok=True)


def copy_database(con: "duckdb.DuckDBPyConnection", target: Path, seconds: float) -> dict[str, int]:
    """Copy the connection's database durably to the new file `target`; returns the number of rows per table.

    Compares schema, comments, row counts and a checksum of each table. Raises `CopyTooSlow` after `seconds`, and
    `WarehouseError` if the copy differs; both leave no file.
    """
    import duckdb

    remove_database(target)
    try:
        version = " (STORAGE_VERSION 'v1.5.0')" if int(duckdb.__version__.split(".")[0]) >= 2 else ""
        con.execute("CHECKPOINT")
        con.execute(f"ATTACH {literal(target)} AS copy{version}")
        try:
            with _interrupted_after(con, seconds):
                live: str = con.execute("SELECT current_database()").fetchall()[0][0]
                con.execute(f"COPY FROM DATABASE {quoted(live)} TO copy")
                counts = _compare(con, live)
        except BaseException:
            roll_back(con)  # an interrupted COPY FROM DATABASE leaves its transaction open
            raise
        finally:
            con.execute("DETACH copy")
        if wal_of(target).exists():
            raise WarehouseError(f"{target.name} is incomplete: its write-ahead log still exists")
        fsync(target)
    except duckdb.InterruptException:
        remove_database(target)
        raise CopyTooSlow(f"copying the database takes longer than {seconds:.0f} s") from None
    except BaseException:
        remove_database(target)
        raise
    return counts


def _compare(con: "duckdb.DuckDBPyConnection", live: str) -> dict[str, int]:
    schemas = [con.execute(_SCHEMA.format(db=literal(name))).fetchall() for name in (live, "copy")]
    if schemas[0] != schemas[1]:
        raise WarehouseError("the schema of the copied database differs from the original")
    counts = {}
    for table in sorted({row[0] for row in schemas[0]}):
        both = [
            con.execute(
                f"SELECT count(*), sum(CAST(hash(t) AS HUGEINT)) FROM {quoted(name)}.main.{quoted(table)} AS t"
            ).fetchall()[0]
            for name in (live, "copy")
        ]
        if both[0] != both[1]:
            raise WarehouseError(
                f"the copy of table {table} differs: {both[1][0]} rows instead of {both[0][0]}, or other values"
            )
        counts[table] = int(both[0][0])
    return counts


@contextmanager
def _interrupted_after(con: "duckdb.DuckDBPyConnection", seconds: float) -> Iterator[None]:
    done = threading.Event()

    def interrupt() -> None:
        wait = seconds
        while not done.wait(wait):
            con.interrupt()
            wait = 0.05  # repeat: an interrupt between two statements has no effect

    thread = threading.Thread(target=interrupt, name="copy-deadline", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
