"""Finds damage: in the live file by reading it to the end, in published files by their checksums."""

# ruff: noqa: S608 -- names are quoted, values are written as literals

import signal
import subprocess  # nosec B404
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.warehouse.connection import literal, open_memory
from polypipe.warehouse.current import Current, PublishedFile
from polypipe.warehouse.errors import one_line
from polypipe.warehouse.layout import Layout

if TYPE_CHECKING:
    import duckdb

_CHUNK = 1 << 20

# Errors of DuckDB that say nothing about the content of a file.
_NOT_DAMAGE = ("could not set lock", "permission denied", "no space left", "too many open files", "out of memory")

# Prints each table before it is read, and what went wrong. `sys.argv[2:]` are tables to leave out.
_SCAN = """
import duckdb, sys
try:
    with duckdb.connect(sys.argv[1], read_only=True, config={"threads": 1, "memory_limit": "256MB"}) as con:
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1").fetchall():
            if table in sys.argv[2:]:
                continue
            print("table", table, flush=True)
            try:
                con.execute('SELECT bit_xor(hash(t)) FROM "' + table.replace('"', '""') + '" AS t').fetchall()
            except duckdb.Error as error:
                print("error", " ".join(str(error).split()), flush=True)
except duckdb.Error as error:
    print("error", " ".join(str(error).split()), flush=True)
"""


@dataclass(frozen=True)
class Scan:
    """The result of reading a database to its end: the first `error` that comes from damage, in one line, or None.

    `crashed`: tables whose reading ended the process; "" stands for opening the file.
    """

    error: str | None
    crashed: frozenset[str]


def scan_database(path: Path) -> Scan:
    """Read every value of a database that no process has open for writing (50 MB in 0.1 s).

    DuckDB verifies a block only when it reads it, and its checksum misses some damage, which can crash the process: hence
    one of its own, which takes 0.3 s to start. Raises `duckdb.IOException` if something other than damage is in the way.
    """
    import duckdb

    crashed: set[str] = set()
    first: str | None = None
    while True:
        command = [sys.executable, "-P", "-c", _SCAN, str(path), *crashed]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line.partition(" ") for line in done.stdout.splitlines()]
        for error in (text for kind, _, text in lines if kind == "error"):
            if not is_damage(duckdb.IOException(error)):
                raise duckdb.IOException(error)
            first = first or one_line([error])
        if done.returncode >= 0:
            if done.returncode > 0:
                raise duckdb.IOException(f"{path.name} could not be examined: {one_line([done.stderr[-300:]])}")
            return Scan(first, frozenset(crashed))
        table = next((text for kind, _, text in reversed(lines) if kind == "table"), "")
        first = first or f"reading {f'table {table}' if table else 'it'} crashes ({signal.Signals(-done.returncode).name})"
        if table in crashed or not table:
            return Scan(first, frozenset({*crashed, ""}))
        crashed.add(table)


def database_damage(path: Path) -> str | None:
    """Why the database cannot be read to its end, in one line, or None; see `scan_database`."""
    return scan_database(path).error


def crc32_of(path: Path) -> int:
    """CRC-32 of a file's content (1 GB/s)."""
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc


def is_damage(error: "duckdb.Error") -> bool:
    """True if the error of reading a database can come from damage to it."""
    import duckdb

    text = str(error).lower()
    return not isinstance(error, duckdb.OutOfMemoryException) and not any(words in text for words in _NOT_DAMAGE)


def file_damage(layout: Layout, file: PublishedFile, con: "duckdb.DuckDBPyConnection") -> str | None:
    """Why a published file is not what was written, in one line, or None. `con` reads files of earlier versions.

    Those have no checksum and are read to their end instead, which does not find every changed byte.
    """
    import duckdb

    path = layout.home / file.path
    try:
        if file.crc32 is not None:
            return None if crc32_of(path) == file.crc32 else f"{file.path} is damaged: its checksum is wrong"
        query = f"SELECT count(*), bit_xor(hash(t)) FROM read_parquet({literal(path)}) AS t"
        rows = con.execute(query).fetchall()[0][0] if path.is_file() else None
    except FileNotFoundError:
        rows = None
    except (OSError, duckdb.Error) as error:
        return f"{file.path} is damaged: {one_line([error])}"
    if rows is None:
        return f"{file.path} is missing"
    return None if rows == file.rows else f"{file.path} is damaged: {rows:,} rows, {file.rows:,} expected"


def damaged_files(layout: Layout, current: Current) -> Iterator[tuple[str, PublishedFile, str]]:
    """Table, file and reason of every published file that is missing or damaged."""
    with open_memory() as con:
        for table, entry in current.tables.items():
            for file in entry.files:
                if reason := file_damage(layout, file, con):
                    yield table, file, reason
